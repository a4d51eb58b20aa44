"""The log's part about backups: a copy of its database while others write to it, and since when the
log has known what is to be forgotten.
"""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager, closing
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, select

from lora.forget import Lost
from sync import log_tables as t


class CopyLog:
    """Methods of the Log about copies of it; the Log supplies the transactions."""

    _engine: Engine

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    @property
    def is_file(self) -> bool:
        """Whether it is an SQLite file; another database has tools of its own for copies."""
        return self._engine.dialect.name == "sqlite"

    def copy_to(self, path: Path) -> None:
        """Write the log as it is at one moment into a new SQLite file (SQLite's online backup:
        writers go on meanwhile)."""
        with closing(sqlite3.connect(path)) as copy:
            raw = self._engine.raw_connection()
            try:
                own: Any = raw.driver_connection
                own.backup(copy)
            finally:
                raw.close()
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it

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
