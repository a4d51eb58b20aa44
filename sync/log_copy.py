"""The log's part about backups: a copy of its database while others write to it, the way back, and
since when the log has known what is to be forgotten.

A copy is always an SQLite file, whichever database it is of, and goes back into either.
"""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    Table,
    TypeDecorator,
    func,
    inspect,
    select,
)

from lora.forget import Lost
from sync import log_tables as t
from sync.log_engine import open_engine, transaction, writer
from sync.log_upgrade import upgrade


class CopyLog:
    """Methods of the Log about copies of it; the Log supplies the transactions."""

    _engine: Engine

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    @property
    def is_file(self) -> bool:
        """Whether it is an SQLite file, of this host alone."""
        return self._engine.dialect.name == "sqlite"

    def copy_to(self, path: Path) -> None:
        """Write the log as it is at one moment into a new SQLite file; writers go on meanwhile."""
        if not self.is_file:
            with _file(path) as copy, self._read() as db:
                _pour(db, copy)
        with closing(sqlite3.connect(path)) as copy:
            if self.is_file:
                self._copy_file(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it

    def _copy_file(self, copy: sqlite3.Connection) -> None:
        """By SQLite's online backup, page by page."""
        raw = self._engine.raw_connection()
        try:
            own: Any = raw.driver_connection
            own.backup(copy)
        finally:
            raw.close()

    def take_over(self, path: Path, aside: str) -> None:
        """Hold what such a copy holds and nothing else, at once or not at all; what was here moves
        into a schema named `aside`. On PostgreSQL only; an SQLite file is renamed instead."""
        with _file(path) as copy, self._write() as db:
            quoted = db.dialect.identifier_preparer.quote(aside)
            db.exec_driver_sql(f"CREATE SCHEMA {quoted}")
            for name in sorted(set(inspect(db).get_table_names()) & set(t.metadata.tables)):
                db.exec_driver_sql(f"ALTER TABLE {name} SET SCHEMA {quoted}")
            upgrade(db)
            _pour(copy, db)
            for table in t.metadata.tables.values():
                if "seq" in table.c:  # the next number is the one after the last
                    last = select(func.max(table.c.seq)).scalar_subquery()
                    own = func.pg_get_serial_sequence(table.name, "seq")
                    db.execute(select(func.setval(own, func.coalesce(last, 0) + 1, False)))

    def first_sight(self, project: str, lost: Lost) -> datetime | None:
        """When the log first knew of any of this; None where it does not."""
        tasks, revisions, said = t.tasks.c, t.revisions.c, t.decisions.c
        asked: list[tuple[Any, Any, ColumnElement[bool]]] = []
        for part in t.chunks(lost.tasks):
            asked.append((tasks.first_seen, tasks.project, tasks.task.in_(part)))
            asked.append((revisions.seen_at, revisions.project, revisions.task.in_(part)))
        for part in t.chunks(lost.annotations):
            asked.append((revisions.seen_at, revisions.project, revisions.annotation.in_(part)))
            asked.append((said.seen_at, said.project, said.annotation.in_(part)))
        if lost.approver is not None:
            asked.append((said.seen_at, said.project, said.author == lost.approver))
        return self._earliest(project, asked)

    def _earliest(
        self, project: str, asked: Iterable[tuple[Any, Any, ColumnElement[bool]]]
    ) -> datetime | None:
        with self._read() as db:
            found = [
                db.scalar(select(func.min(at)).where(of == project, which))
                for at, of, which in asked
            ]
        return min((at for at in found if at is not None), default=None)


@contextmanager
def _file(path: Path) -> Iterator[Connection]:
    """A log in an SQLite file, made where there is none."""
    engine = open_engine(f"sqlite:///{path}")
    try:
        with transaction(writer(engine)) as db:
            upgrade(db)
            yield db
    finally:
        engine.dispose()


def _pour(source: Connection, target: Connection) -> None:
    """Copy every row from one log into another, an empty one, as it is stored."""
    for table in t.metadata.sorted_tables:  # what others refer to goes first
        if table is t.meta:
            continue
        plain = _plain(table)
        wanted = select(plain).order_by(*(plain.c[c.name] for c in table.primary_key))
        rows = source.execute(wanted, execution_options={"yield_per": t.CHUNK})
        for part in rows.mappings().partitions():
            target.execute(plain.insert(), [dict(row) for row in part])


def _plain(table: Table) -> Table:
    """The same table, of which nothing is decoded."""
    kinds = ((c.name, c.type) for c in table.columns)
    columns = (Column(n, k.impl if isinstance(k, TypeDecorator) else k) for n, k in kinds)
    return Table(table.name, MetaData(), *columns)
