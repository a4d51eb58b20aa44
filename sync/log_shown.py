"""The log's half about predictions: which ones Label Studio held, from when to when.

This is what tells a correction from an answer given blind. A prediction is noted before it is
sent (unconfirmed) and confirmed afterwards, so that a crash between the two is found and mended.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from sync import log_sums
from sync import log_tables as t
from sync.studio_values import NewPrediction, TaskState


@dataclass(frozen=True)
class Shown:
    """One prediction that an annotator may have seen; `pushed` by us, else found there."""

    task: int
    version: str
    prediction: int | None
    result: object
    empty: bool
    score: float | None
    pushed: bool
    visible_from: datetime
    confirmed: bool = True
    removed_at: datetime | None = None


@dataclass(frozen=True)
class VersionSince:
    """From when on a project showed a version."""

    version: str
    visible_from: datetime


class ShownLog:
    """Methods of the Log about predictions; the Log supplies the transactions."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def shown(
        self, project: str, version: str | None = None, tasks: Iterable[int] | None = None
    ) -> list[Shown]:
        """Every prediction ever noted (of one version, on these tasks), in the order noted."""
        c = t.shown.c
        query = select(t.shown).where(c.project == project).order_by(c.seq)
        if version is not None:
            query = query.where(c.version == version)
        parts = [query] if tasks is None else [query.where(c.task.in_(p)) for p in t.chunks(tasks)]
        with self._read() as db:
            return [_shown(row) for part in parts for row in db.execute(part)]

    def queue(self, project: str, version: str) -> list[tuple[int, bool, float]]:
        """Unanswered tasks by their place in the queue: whether each is blind, and its score."""
        c, s = t.standing.c, t.shown.c
        own = (c.project == s.project) & (c.task == s.task) & t.OPEN
        query = select(s.task, c.blind, s.score).join_from(t.shown, t.standing, own)
        here = (s.project == project) & (s.version == version) & s.removed_at.is_(None)
        with self._read() as db:
            rows = db.execute(query.where(here, s.score.is_not(None)).order_by(s.seq))
            return [(r.task, r.blind, r.score) for r in rows]

    def tasks_showing(self, project: str, version: str) -> set[int]:
        """Tasks that hold a prediction of this version, or are about to."""
        c = t.shown.c
        here = (c.project == project) & (c.version == version) & c.removed_at.is_(None)
        with self._read() as db:
            return set(db.scalars(select(c.task).where(here)))

    def last_said(self, project: str, version: str) -> int:
        """The number of this version's last prediction that is not empty; 0 without one."""
        c = t.shown.c
        said = (c.project == project) & (c.version == version) & ~c.empty
        with self._read() as db:
            return db.scalar(select(func.max(c.seq)).where(said)) or 0

    def newest(self, project: str, version: str) -> datetime | None:
        """When the last standing prediction of this version became visible; None without one."""
        c = t.shown.c
        here = (c.project == project) & (c.version == version) & c.removed_at.is_(None)
        with self._read() as db:
            found: datetime | None = db.scalar(select(func.max(c.visible_from)).where(here))
        return found

    def unconfirmed(self, project: str, version: str) -> bool:
        """Whether something was planned of which nobody knows if it arrived."""
        c = t.shown.c
        here = (c.project == project) & (c.version == version) & c.removed_at.is_(None)
        with self._read() as db:
            return db.execute(select(c.seq).where(here & ~c.confirmed)).first() is not None

    def plan(self, project: str, predictions: Sequence[NewPrediction]) -> None:
        """Note predictions that are about to be sent."""
        at = t.now()
        rows = [
            {
                "project": project,
                "task": p.task,
                "version": p.version,
                "result": list(p.result),
                "empty": not p.result,
                "score": p.score,
                "how": "pushed",
                "visible_from": at,
                "confirmed": False,
            }
            for p in predictions
        ]
        if rows:
            with self._write() as db:
                db.execute(t.shown.insert(), rows)
                log_sums.shows(db, project, [(p.task, p.version) for p in predictions])

    def confirm(self, project: str, predictions: Sequence[NewPrediction]) -> None:
        """Note that what was planned has arrived."""
        c = t.shown.c
        rows = [{"t": p.task, "v": p.version} for p in predictions]
        here = (c.project == project) & (c.task == bindparam("t")) & (c.version == bindparam("v"))
        here &= c.removed_at.is_(None)  # so it is found by all three, not among all of its version
        with self._write() as db:
            db.execute(t.shown.update().where(here).values(confirmed=True), rows)

    def believe(self, project: str, version: str, held: Iterable[int], first: int = 0) -> None:
        """Believe Label Studio about a version: `held` are the tasks, from `first` on, that have
        its prediction.

        What was planned and did not arrive is forgotten; what was there and is gone is removed.
        """
        c, there = t.shown.c, set(held)
        here = (c.project == project) & (c.version == version) & c.removed_at.is_(None)
        here &= c.task >= first
        this = c.seq == bindparam("s")
        with self._write() as db:
            rows = db.execute(select(c.seq, c.task, c.confirmed).where(here)).all()
            arrived = [{"s": r.seq} for r in rows if r.task in there and not r.confirmed]
            lost = [{"s": r.seq} for r in rows if r.task not in there and not r.confirmed]
            gone = [{"s": r.seq} for r in rows if r.task not in there and r.confirmed]
            if arrived:
                db.execute(t.shown.update().where(this).values(confirmed=True), arrived)
            if lost:
                db.execute(t.shown.delete().where(this), lost)
            if gone:
                db.execute(t.shown.update().where(this).values(removed_at=t.now()), gone)
            log_sums.hold(db, project, version, first)

    def removed(self, project: str, version: str) -> None:
        """Note that Label Studio no longer holds this version's predictions."""
        c = t.shown.c
        here = (c.project == project) & (c.version == version) & c.removed_at.is_(None)
        with self._write() as db:
            db.execute(t.shown.update().where(here).values(removed_at=t.now()))
            log_sums.hold(db, project, version)

    def standing_versions(self, project: str) -> list[str]:
        """Versions of which Label Studio still holds predictions, as far as the log knows."""
        c, found = t.shown.c, list[str]()
        here = (c.project == project) & c.removed_at.is_(None)
        with self._read() as db:  # from one to the next: they are few, their predictions many
            version = db.scalar(select(func.min(c.version)).where(here))
            while version is not None:
                found.append(version)
                version = db.scalar(select(func.min(c.version)).where(here, c.version > version))
        return sorted(found)

    def see_version(self, project: str, version: str) -> None:
        """Note that the project shows this version from now on; again: nothing changes."""
        if [v.version for v in self.versions(project)[-1:]] == [version]:
            return
        row = {"version": version, "visible_from": t.now()}
        with self._write() as db:
            db.execute(t.versions.insert().values(project=project, **row))

    def versions(self, project: str) -> list[VersionSince]:
        """Which version was shown from when on, oldest first."""
        c = t.versions.c
        query = select(c.version, c.visible_from).where(c.project == project).order_by(c.seq)
        with self._read() as db:
            return [VersionSince(r.version, r.visible_from) for r in db.execute(query)]


def remember_predictions(db: Connection, project: str, states: Sequence[TaskState]) -> int:
    """Note predictions found in Label Studio; one that we pushed gets its id, others a new row."""
    c = t.shown.c
    ids = [s.task.id for s in states if s.predictions]
    rows = db.execute(select(t.shown).where((c.project == project) & c.task.in_(ids))).all()
    known = {r.prediction for r in rows if r.prediction is not None}
    nameless = {(r.task, r.version): r.seq for r in rows if r.prediction is None}
    fresh: list[dict[str, Any]] = []
    for p in (p for s in states for p in s.predictions if p.id not in known):
        seq = nameless.pop((p.task, p.version), None)
        if seq is not None:
            this = t.shown.update().where(c.seq == seq)
            db.execute(this.values(prediction=p.id, confirmed=True))
            continue
        fresh.append(
            {
                "project": project,
                "task": p.task,
                "version": p.version,
                "prediction": p.id,
                "result": p.result,
                "empty": not p.result,
                "score": p.score,
                "how": "pulled",
                "visible_from": p.created_at,
                "confirmed": True,
            }
        )
    if fresh:
        db.execute(t.shown.insert(), fresh)
        log_sums.has(db, project, [(row["task"], row["version"]) for row in fresh])
    return len(fresh)


def _shown(row: Row[Any]) -> Shown:
    return Shown(
        task=row.task,
        version=row.version,
        prediction=row.prediction,
        result=row.result,
        empty=row.empty,
        score=row.score,
        pushed=row.how == "pushed",
        visible_from=row.visible_from,
        confirmed=row.confirmed,
        removed_at=row.removed_at,
    )
