"""The log's schema, from any version that was ever released to this program's, when it is opened.

A short ordered list (docs/decisions/0013): step n brings schema n to n+1. All of them run in one
transaction together with the new number, so a log is of one schema or the other, whatever is
killed. A step that was released is never changed; a new one is appended, with a dump of the schema
before it among the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, inspect, select

from sync import log_sums
from sync import log_tables as t

Step = Callable[[Connection], None]


class NewerLog(Exception):
    """The database was written by a newer program than this one."""


def _find_by_author(db: Connection) -> None:
    """1 -> 2: forgetting an annotator, and counting what each said, read every revision before."""
    t.revisions_by_author.create(db, checkfirst=True)


def _keep_sums(db: Connection) -> None:
    """2 -> 3: each turn counted all tasks, answers and predictions of a project."""
    for index in (t.revisions_in_order, t.shown_there, t.shown_on_its_way, t.shown_said):
        index.create(db, checkfirst=True)
    for table in (t.standing, t.sums):
        table.create(db, checkfirst=True)
    log_sums.fill(db)


STEPS: tuple[Step, ...] = (_find_by_author, _keep_sums)
KEY = {"key": "schema_version"}


def upgrade(db: Connection, steps: Sequence[Step] = STEPS) -> int:
    """Bring the log to this program's schema, or make it; returns the schema it had (0: none).

    The caller holds a transaction that writes. Raises NewerLog, and has changed nothing then.
    """
    wanted = 1 + len(steps)
    found = _schema(db)
    if found > wanted:
        raise NewerLog(
            f"the log has schema {found}, of a later annotune; this program knows up to {wanted}: "
            "install that one, or restore a backup that this one made"
        )
    for step in steps[found - 1 :] if found else ():
        step(db)
    t.metadata.create_all(db)
    if not found:
        db.execute(t.meta.insert().values(**KEY, value=str(wanted)))
    elif found < wanted:
        db.execute(t.meta.update().where(t.meta.c.key == KEY["key"]).values(value=str(wanted)))
    return found


def _schema(db: Connection) -> int:
    if not inspect(db).has_table(t.meta.name):
        return 0
    query = select(t.meta.c.value).filter_by(**KEY).with_for_update()  # of two, one waits
    value = db.execute(query).scalar()
    if value is None:
        return 0
    if not value.isdecimal() or int(value) < 1:
        raise NewerLog(f"the log has schema {value!r}, which no annotune wrote")
    return int(value)
