"""The log's half about tasks: their data, and the place each was given at first sight."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from sync import log_tables as t
from sync.groups import Place


@dataclass(frozen=True)
class LoggedTask:
    """A task as the log knows it."""

    id: int
    data: Mapping[str, object]
    place: Place
    first_seen: datetime


class TaskLog:
    """Methods of the Log about tasks; the Log supplies the transactions."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def tasks(self, project: str, ids: Iterable[int] | None = None) -> list[LoggedTask]:
        """The tasks that are not deleted (of these ids), by id."""
        c, found = t.tasks.c, list[LoggedTask]()
        wanted = select(t.tasks).where(c.project == project, c.deleted_at.is_(None))
        parts = [wanted] if ids is None else [wanted.where(c.task.in_(p)) for p in t.chunks(ids)]
        with self._read() as db:
            for part in parts:
                found += [_task(row) for row in db.execute(part)]
        return sorted(found, key=lambda task: task.id)

    def first_seen_order(self, project: str) -> list[LoggedTask]:
        """Every task ever seen, deleted ones too, in the order of first sight."""
        c = t.tasks.c
        wanted = select(t.tasks).where(c.project == project).order_by(c.first_seen, c.task)
        with self._read() as db:
            return [_task(row) for row in db.execute(wanted)]

    def sides(self, project: str, ids: Iterable[int] | None = None) -> dict[int, bool]:
        """Every live task's id (of these), and whether it is blind."""
        c, found = t.standing.c, dict[int, bool]()
        query = select(c.task, c.blind).where(c.project == project).order_by(c.task)
        parts = [query] if ids is None else [query.where(c.task.in_(p)) for p in t.chunks(ids)]
        with self._read() as db:
            for part in parts:
                found |= {row.task: row.blind for row in db.execute(part)}
        return found

    def ever_seen(self, project: str) -> int:
        """How many tasks there ever were, deleted ones too, but for what was forgotten."""
        c = t.tasks.c
        with self._read() as db:
            return db.scalar(select(func.count()).where(c.project == project)) or 0

    def known_tasks(self, project: str, ids: Sequence[int]) -> set[int]:
        """Which of these ids the log has ever seen."""
        c, found = t.tasks.c, set[int]()
        with self._read() as db:
            for part in t.chunks(ids):
                wanted = select(c.task).where(c.project == project, c.task.in_(part))
                found.update(db.scalars(wanted))
        return found

    def blind_tasks(self, project: str) -> list[int]:
        """Ids of live tasks whose predictions are withheld."""
        c = t.standing.c
        with self._read() as db:  # not of the tasks themselves: their texts would be read past
            wanted = select(c.task).where(c.project == project, c.blind)
            return list(db.scalars(wanted.order_by(c.task)))

    def drawn_groups(self, project: str) -> dict[str, bool]:
        """Every live task's group, and whether it was drawn blind."""
        c = t.tasks.c
        here = (c.project == project) & c.deleted_at.is_(None)
        with self._read() as db:
            rows = db.execute(select(c.grp, c.blind).where(here).distinct())
            return {row.grp: row.blind for row in rows}


def _task(row: Row[Any]) -> LoggedTask:
    return LoggedTask(row.task, row.data, Place(row.grp, row.blind), row.first_seen)
