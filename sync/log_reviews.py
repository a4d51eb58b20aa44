"""The log's part about reviews: which children people were shown, and who decided what and when.

`decisions` is only added to, until something is forgotten, and each is entered in the audit log too
(log_audit). What counts of a child is the latest decision on it that was not withdrawn.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, select

from sync import log_tables as t
from sync.log_audit import Entry, enter

Said = Literal["approved", "corrected", "rejected", "withdrawn"]


@dataclass(frozen=True)
class Review:
    """A review project of one snapshot's children. `review`: its id in Label Studio; `opened_at`:
    once it held every child; `heard`: how far its tasks were read; `closed_at`: once nothing more
    is heard of it, with the report."""

    snapshot: str
    review: str
    opened_at: datetime | None = None
    heard: datetime | None = None
    closed_at: datetime | None = None
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Decision:
    """What a person said of a child. `author`: their id in Label Studio, `who`: their name there;
    `answers`: the regions that count (snapshot_json); `why`: of a rejection."""

    child: str
    task: int
    annotation: int | None
    said: Said
    author: int | None
    decided_at: datetime
    answers: tuple[Mapping[str, Any], ...] = ()
    why: str = ""
    who: str = ""

    def same(self, other: Decision | None) -> bool:
        """Whether the other says no more than this one; names may be learned later."""
        if other is None:
            return False
        mine, theirs = (
            json.dumps(asdict(replace(d, who="")), sort_keys=True, default=str)
            for d in (self, other)
        )
        return mine == theirs


class ReviewLog:
    """Methods of the Log about reviews; the Log supplies the transactions."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def start_review(self, project: str, snapshot: str, review: str) -> Review:
        """Note the review project of a snapshot's children; the first one noted stays."""
        c = t.reviews.c
        with self._write() as db:
            same = (c.project == project) & (c.snapshot == snapshot)
            if not db.execute(select(c.seq).where(same)).first():
                row = {"project": project, "snapshot": snapshot, "review": review}
                db.execute(t.reviews.insert().values(**row, created_at=t.now()))
        found = self.review(project, snapshot)
        assert found is not None  # nosec B101  # for mypy and the reader
        return found

    def open_review(self, project: str, snapshot: str) -> None:
        """Note that the review project holds every child."""
        self._change(project, snapshot, opened_at=t.now())

    def heard_review(self, project: str, snapshot: str, upto: datetime) -> None:
        """Note how far its tasks were read."""
        self._change(project, snapshot, heard=upto)

    def close_review(self, project: str, snapshot: str, report: Mapping[str, Any]) -> None:
        """Note what came of it."""
        self._change(project, snapshot, closed_at=t.now(), report=dict(report))

    def _change(self, project: str, snapshot: str, **values: Any) -> None:
        c = t.reviews.c
        here = (c.project == project) & (c.snapshot == snapshot) & c.closed_at.is_(None)
        with self._write() as db:
            db.execute(t.reviews.update().where(here).values(**values))

    def review(self, project: str, snapshot: str) -> Review | None:
        """The review of a snapshot's children, closed or not."""
        return next((r for r in self.reviews(project) if r.snapshot == snapshot), None)

    def waiting_review(self, project: str) -> Review | None:
        """The review that people have not finished, if there is one."""
        return next((r for r in self.reviews(project) if r.closed_at is None), None)

    def reviews(self, project: str) -> list[Review]:
        """Every review so far, oldest first."""
        c = t.reviews.c
        query = select(c.snapshot, c.review, c.opened_at, c.heard, c.closed_at, c.report)
        query = query.where(c.project == project).order_by(c.seq)
        with self._read() as db:
            return [Review(**row._mapping) for row in db.execute(query)]

    def reviewed_by(self, review: str) -> str | None:
        """The project whose children a Label Studio project reviews; None where it is none."""
        c = t.reviews.c
        with self._read() as db:
            found: str | None = db.scalar(select(c.project).where(c.review == review))
        return found

    def decided(self, project: str, snapshot: str, said: Iterable[Decision]) -> None:
        """Append decisions, and enter them in the audit log."""
        at, said = t.now(), list(said)
        rows = [
            {"project": project, "snapshot": snapshot, "seen_at": at}
            | asdict(d)
            | {"answers": [dict(a) for a in d.answers]}
            for d in said
        ]
        if rows:
            with self._write() as db:
                db.execute(t.decisions.insert(), rows)
                enter(db, project, [_deed(snapshot, d) for d in said])

    def decisions(self, project: str, snapshot: str) -> list[Decision]:
        """Everything said in one review, oldest first."""
        c = t.decisions.c
        query = select(t.decisions).where(c.project == project, c.snapshot == snapshot)
        with self._read() as db:
            rows = [dict(r._mapping) for r in db.execute(query.order_by(c.seq))]
        for row in rows:
            row["answers"] = tuple(row["answers"])
            for name in ("seq", "project", "snapshot", "seen_at"):
                del row[name]
        return [Decision(**row) for row in rows]


def _deed(snapshot: str, d: Decision) -> Entry:
    """A decision as the audit log has it: without the answers, and of a reason only its kind."""
    detail = {"snapshot": snapshot, "task": d.task, "annotation": d.annotation, "author": d.author}
    who = d.who or (f"user {d.author}" if d.author is not None else "nobody known")
    return Entry(d.decided_at, who, d.said, d.child, d.why.partition(":")[0], detail)


def last_on_tasks(said: Iterable[Decision]) -> dict[tuple[str, int], Decision]:
    """The last word on each task of a child; a child may stand in two (a cut-off import)."""
    return {(d.child, d.task): d for d in said}


def standing(said: Iterable[Decision]) -> dict[str, Decision]:
    """What counts of each child that is decided."""
    found: dict[str, Decision] = {}
    for d in last_on_tasks(said).values():
        rival = found.get(d.child)
        if d.said != "withdrawn" and (rival is None or d.decided_at >= rival.decided_at):
            found[d.child] = d
    return found
