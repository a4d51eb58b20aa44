"""The log's part about who did what: promotions, rollbacks, approvals, settings, and why.

Append only: the database itself refuses to change or delete an entry (triggers in log_tables).
What happened in the store is entered under a mark of its own, so that it may be heard as often as
one likes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from sync import log_tables as t


@dataclass(frozen=True)
class Entry:
    """One deed. `subject`: the version, child or setting; `mark`: see above, None where the deed is
    the entry itself."""

    at: datetime
    who: str
    what: str
    subject: str = ""
    why: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    mark: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For programs; the time as ISO 8601, in UTC."""
        shown = {k: v for k, v in vars(self).items() if k != "mark"}
        return shown | {"at": self.at.isoformat(), "detail": dict(self.detail)}


class AuditLog:
    """Methods of the Log about deeds; the Log supplies the transactions."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def enter(self, project: str, entries: Sequence[Entry]) -> int:
        """Append what is not in the log yet; returns how many that were."""
        with self._read() as db:  # most turns have nothing new: then nobody is kept from writing
            if not _fresh(db, project, entries):
                return 0
        with self._write() as db:
            fresh = _fresh(db, project, entries)
            enter(db, project, fresh)
        return len(fresh)

    def audit(self, project: str) -> list[Entry]:
        """Every entry, oldest deed first."""
        c = t.audit.c
        with self._read() as db:
            found = db.execute(_entries(project).order_by(c.at, c.seq))
            return [Entry(**row._mapping) for row in found]

    def last_entry(self, project: str, what: str) -> Entry | None:
        """The latest entry of one kind."""
        c = t.audit.c
        query = _entries(project).where(c.what == what).order_by(c.seq.desc()).limit(1)
        with self._read() as db:
            row = db.execute(query).first()
        return Entry(**row._mapping) if row else None


def _entries(project: str) -> Select[Any]:
    c = t.audit.c
    return select(c.at, c.who, c.what, c.subject, c.why, c.detail, c.mark).where(
        c.project == project
    )


def enter(db: Connection, project: str, entries: Iterable[Entry]) -> None:
    """Append entries within a transaction that somebody else holds."""
    at = t.now()
    rows = [
        {"project": project, "noted_at": at} | vars(e) | {"detail": dict(e.detail)} for e in entries
    ]
    if rows:
        db.execute(t.audit.insert(), rows)


def _fresh(db: Connection, project: str, entries: Iterable[Entry]) -> list[Entry]:
    c = t.audit.c
    here = (c.project == project) & c.mark.is_not(None)
    known = set(db.scalars(select(c.mark).where(here)))
    return [e for e in entries if e.mark is None or e.mark not in known]
