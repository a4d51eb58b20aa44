"""How the log's database is opened: an SQLite file, or PostgreSQL where one host is too small.

The same holds on both: one process writes at a time, so that what is committed later has a higher
number; who reads sees one moment and waits for nobody; a database that does not answer is given up
on after bounded waits, and never asked twice to do the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, InternalError, OperationalError

from settings import InvalidSetting

BUSY_S = 30  # for the place of the one who writes
CONNECT_S = 5  # for one try to reach a server...
TRIES_S = (0.5, 1.0)  # ...and what lies between the three tries
STATEMENT_S = 300  # for one statement; reading a whole project of 100,000 tasks takes 2 s
IDLE_S = 60  # a writer that says nothing for so long, as its host is cut off, loses its place
WRITES = 0x616E6E6F  # "anno": PostgreSQL's number of the lock that whoever writes holds
ALIVE = {  # a peer that is cut off is noticed after 25 s, by us...
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
SERVER = {  # ...and by the server, which would else wait two hours and hold our locks
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "statement_timeout": STATEMENT_S * 1000,
    "lock_timeout": BUSY_S * 1000,
}
LIKE = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"


class LogDown(Exception):
    """The log's database does not answer; the message names it, without its password."""


def in_file(url: str) -> bool:
    """Whether the log is an SQLite file, else a database that other hosts reach, too."""
    return url.startswith("sqlite")


def open_engine(url: str) -> Engine:
    """An engine for the log; talks to nobody yet. Raises InvalidSetting, without the password."""
    address = _address(url)
    if address.get_backend_name() == "sqlite":
        engine = create_engine(address, connect_args={"timeout": BUSY_S}, hide_parameters=True)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine
    says = " ".join(f"-c {name}={value}" for name, value in SERVER.items())
    own = {"connect_timeout": CONNECT_S, "application_name": "annotune", **ALIVE}
    try:
        engine = create_engine(
            address,
            connect_args={k: v for k, v in own.items() if k not in address.query}
            | {"options": f"{says} {address.query.get('options', '')}".strip()},
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except ImportError as error:
        raise InvalidSetting(
            f"ANNOTUNE_SYNC_LOG names PostgreSQL, and its driver cannot be loaded ({error}): "
            'pip install "annotune[postgres]", which is psycopg[binary]'
        ) from None
    event.listen(engine, "begin", _take_place)
    return engine


def _address(url: str) -> URL:
    try:
        address = make_url(url.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):  # its message may hold the password
        raise InvalidSetting(
            f"ANNOTUNE_SYNC_LOG is no address of a database, such as {LIKE}; signs in the password "
            "other than letters and digits are written %XX"
        ) from None
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    if address.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise InvalidSetting(
            f"ANNOTUNE_SYNC_LOG starts with {address.drivername}://; the log is kept in SQLite "
            f"(empty: a file in the home folder) or in PostgreSQL: {LIKE}"
        )
    return address


def writer(engine: Engine) -> Engine:
    """The same, for transactions that write."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(write=True)
    return engine.execution_options(write=True, isolation_level="READ COMMITTED")


def reader(engine: Engine) -> Engine:
    """The same, for transactions that read: each sees one moment."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction; its end keeps what it did, an error nothing of it. Raises LogDown.

    Only reaching the server is tried again: what was said to it may have been done.
    """
    try:
        with _reached(engine) as db, db.begin():
            yield db
    except DBAPIError as error:
        if not _is_down(error):
            raise
        where = engine.url.render_as_string(hide_password=True)
        raise LogDown(f"the log at {where} does not answer: {words(error)}") from error


def join_at_once(db: Connection) -> None:
    """Say that what follows in this transaction joins many rows to many. PostgreSQL takes a project
    that it has no statistics of yet for one row, and would go through the other side for each."""
    if db.dialect.name == "postgresql":
        db.exec_driver_sql("SET LOCAL enable_nestloop = off")


def _reached(engine: Engine) -> Connection:
    for pause in () if engine.dialect.name == "sqlite" else TRIES_S:
        try:
            return engine.connect()
        except OperationalError:
            time.sleep(pause)
    return engine.connect()


def _is_down(error: DBAPIError) -> bool:
    """InternalError: the server ended a transaction that lasted too long, or only reads now."""
    return isinstance(error, OperationalError | InternalError) or error.connection_invalidated


def words(error: DBAPIError) -> str:
    """What the database says, in a line; of a server's error no detail, which may quote values."""
    first = getattr(getattr(error.orig, "diag", None), "message_primary", None)
    return " ".join((first or str(error.orig)).split())


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    write = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _take_place(connection: Any) -> None:
    """On PostgreSQL a writer waits for its place as on SQLite, and loses it when silent."""
    if connection.get_execution_options().get("write"):
        connection.exec_driver_sql(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true), "
            "pg_advisory_xact_lock(%s)",
            (f"{IDLE_S * 1000:.0f}", WRITES),
        )
