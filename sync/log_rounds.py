"""The log's part about rounds: snapshots that are to be trained, and what became of each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, select

from sync import log_tables as t


@dataclass(frozen=True)
class Wanted:
    """A snapshot that is to be trained, and how often that was tried."""

    snapshot: str
    reason: str
    attempts: int
    created_at: datetime


class Frozen(Protocol):
    """What the log keeps of a freeze: how far it read, and its report."""

    @property
    def upto(self) -> int: ...

    def to_dict(self) -> dict[str, Any]: ...


class RoundLog:
    """Methods of the Log about rounds; the Log supplies the transactions."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def want(self, project: str, snapshot: str, reason: str, report: Frozen) -> None:
        """Note that a snapshot is to be trained; wanting the same one twice changes nothing."""
        c = t.rounds.c
        with self._write() as db:
            same = (c.project == project) & (c.snapshot == snapshot) & (c.state == "wanted")
            if db.execute(select(c.seq).where(same)).first():
                return
            row = {"project": project, "snapshot": snapshot, "reason": reason, "attempts": 0}
            row |= {"report": report.to_dict(), "upto": report.upto, "state": "wanted"}
            db.execute(t.rounds.insert().values(**row, created_at=t.now()))

    def wanted(self, project: str) -> Wanted | None:
        """The snapshot to be trained, if there is one."""
        c = t.rounds.c
        query = select(c.snapshot, c.reason, c.attempts, c.created_at)
        query = query.where(c.project == project, c.state == "wanted").order_by(c.seq)
        with self._read() as db:
            row = db.execute(query).first()
        return Wanted(**row._mapping) if row else None

    def tried(self, project: str, snapshot: str) -> None:
        """One more try of this snapshot begins."""
        self._round(project, snapshot, attempts=t.rounds.c.attempts + 1)

    def settle(self, project: str, snapshot: str, verdict: Mapping[str, Any]) -> None:
        """Keep the verdict's copy; the snapshot is no longer wanted."""
        at = t.now()
        self._round(project, snapshot, state="settled", settled_at=at, verdict=dict(verdict))

    def park(self, project: str, snapshot: str, reason: str) -> None:
        """Give up on a snapshot, with the reason; new answers make a new one."""
        verdict = {"reason": reason, "promoted": False, "version": None}
        self._round(project, snapshot, state="parked", settled_at=t.now(), verdict=verdict)

    def _round(self, project: str, snapshot: str, **values: Any) -> None:
        c = t.rounds.c
        here = (c.project == project) & (c.snapshot == snapshot) & (c.state == "wanted")
        with self._write() as db:
            db.execute(t.rounds.update().where(here).values(**values))

    def rounds(self, project: str) -> list[dict[str, Any]]:
        """Every round so far, oldest first, for the operators' eyes."""
        query = select(t.rounds).where(t.rounds.c.project == project).order_by(t.rounds.c.seq)
        with self._read() as db:
            return [dict(row._mapping) for row in db.execute(query)]

    def judged_rounds(self, project: str, most: int) -> list[dict[str, Any]]:
        """The last rounds of human rows alone that the gate has judged, oldest first."""
        c = t.rounds.c
        here = (c.project == project) & (c.state == "settled")
        query = select(t.rounds).where(here).order_by(c.seq.desc())
        found: list[dict[str, Any]] = []
        with self._read() as db:
            for row in db.execute(query.limit(2 * most)):  # of two rounds one may be a challenger's
                if not row.report.get("human") and len(found) < most:
                    found.insert(0, dict(row._mapping))
        return found

    def last_verdict(self, project: str) -> dict[str, Any] | None:
        """The verdict of the round that ended last, if any did."""
        ended = [r["verdict"] for r in self.rounds(project) if r["verdict"]]
        return ended[-1] if ended else None
