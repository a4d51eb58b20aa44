"""The log's half that counts: a project in numbers, and who is waited for.

Each turn asks for these, so the database does the adding up: of a project of 100,000 tasks no more
rows come out of it than of one of 1,000, and no answer is decoded.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Subquery, and_, case, distinct, func, select

from sync import log_tables as t


@dataclass(frozen=True)
class Counts:
    """A project in numbers. `answers` are live and not skipped, `blind` of them on blind tasks;
    `new` ones are in no snapshot yet; one that was only saved again as it was is not new."""

    tasks: int
    blind_tasks: int
    answers: int
    blind: int
    skips: int
    rounds: int
    new: int
    oldest_new_s: float
    """Age of the oldest new answer in seconds, by when it was first seen; 0 without one."""


class CountLog:
    """Methods of the Log that count; the Log supplies the transactions."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def counts(self, project: str) -> Counts:
        """Numbers for decisions and for `status`."""
        with self._read() as db:
            tasks, blind_tasks = db.execute(_sides(project)).one()
            by_state = {r.state: r for r in db.execute(_states(project))}
            c = t.rounds.c
            last = select(func.max(c.upto), func.count()).where(c.project == project)
            upto, rounds = db.execute(last).one()
            late = db.execute(_late(project, upto or 0)).all()
            before = _contents(db, project, [h.annotation for h in late if h.n > 1], upto or 0)
        kept = by_state.get("kept")
        fresh = [
            h.seen_at
            for h in late
            if h.state == "kept" and before.get(h.annotation) != h.content  # saved as it was
        ]
        return Counts(
            tasks=tasks,
            blind_tasks=blind_tasks or 0,
            answers=kept.number if kept else 0,
            blind=kept.blind if kept else 0,
            skips=by_state["cancelled"].number if "cancelled" in by_state else 0,
            rounds=rounds,
            new=len(fresh),
            oldest_new_s=(t.now() - min(fresh)).total_seconds() if fresh else 0.0,
        )

    def live_tasks(self, project: str) -> int:
        """How many tasks are not deleted, as far as the log knows."""
        with self._read() as db:
            return int(db.execute(_sides(project)).one()[0])

    def unanswered(self, project: str) -> dict[int, bool]:
        """The sides of live tasks that nobody has answered yet; a skipped one is among them."""
        with self._read() as db:
            return {r.task: r.blind for r in db.execute(_unanswered(project))}

    def lacking(self, project: str, version: str) -> dict[int, bool]:
        """Unanswered tasks without a standing prediction of this version, and whether blind."""
        c = t.shown.c
        has = (c.project == project) & (c.version == version) & c.removed_at.is_(None)
        lacks = _unanswered(project).where(t.tasks.c.task.not_in(select(c.task).where(has)))
        with self._read() as db:
            return {r.task: r.blind for r in db.execute(lacks)}

    def waiting(self, project: str) -> int:
        """How many unanswered tasks are not blind."""
        open_ = _unanswered(project).where(~t.tasks.c.blind).order_by(None).subquery()
        with self._read() as db:
            return db.scalar(select(func.count()).select_from(open_)) or 0

    def quiet_for(self, project: str) -> float:
        """Seconds since anything was answered; infinite where nothing ever was."""
        c = t.revisions.c
        with self._read() as db:
            last = db.scalar(select(func.max(c.seen_at)).where(c.project == project))
        return (t.now() - last).total_seconds() if last else float("inf")

    def last_revision(self, project: str) -> int:
        """How far the log reaches now; what is appended later has a higher number."""
        c = t.revisions.c
        with self._read() as db:
            return db.scalar(select(func.max(c.seq)).where(c.project == project)) or 0


def tops(project: str, ids: Sequence[int] | None = None) -> Subquery:
    """The number of the last revision of every annotation (of these tasks)."""
    c = t.revisions.c
    last = select(c.annotation, func.max(c.n).label("n")).where(c.project == project)
    if ids is not None:
        last = last.where(c.task.in_(ids))
    return last.group_by(c.annotation).subquery()


def is_top(project: str, top: Subquery) -> Any:
    """That a revision is one of these."""
    c = t.revisions.c
    return and_(c.annotation == top.c.annotation, c.n == top.c.n, c.project == project)


def _sides(project: str) -> Select[Any]:
    c = t.tasks.c
    here = (c.project == project) & c.deleted_at.is_(None)
    return select(func.count(), func.sum(case((c.blind, 1), else_=0))).where(here)


def _states(project: str) -> Select[Any]:
    """How many annotations stand in each state, and on how many blind tasks that are live."""
    c, tasks, top = t.revisions.c, t.tasks.c, tops(project)
    blind = case((and_(tasks.blind, tasks.deleted_at.is_(None)), c.task))
    joined = t.revisions.join(top, is_top(project, top)).join(
        t.tasks, and_(tasks.project == c.project, tasks.task == c.task)
    )
    counted = select(
        c.state, func.count().label("number"), func.count(distinct(blind)).label("blind")
    )
    return counted.select_from(joined).group_by(c.state)


def _late(project: str, upto: int) -> Select[Any]:
    """The last revisions that came after one; whose last is older has none of these."""
    c = t.revisions.c
    after = select(c.annotation, func.max(c.n).label("n"))
    after = after.where(c.project == project, c.seq > upto).group_by(c.annotation)
    top = after.subquery()
    columns = (c.annotation, c.n, c.state, c.content, c.seen_at)
    return select(*columns).join(top, is_top(project, top)).order_by(c.annotation)


def _unanswered(project: str) -> Select[Any]:
    c, tasks, top = t.revisions.c, t.tasks.c, tops(project)
    answered = select(c.task).join(top, is_top(project, top)).where(c.state == "kept")
    live = (tasks.project == project) & tasks.deleted_at.is_(None)
    wanted = select(tasks.task, tasks.blind).where(live, tasks.task.not_in(answered))
    return wanted.order_by(tasks.task)


def _contents(
    db: Connection, project: str, annotations: Sequence[int], upto: int
) -> dict[int, str]:
    """What these annotations said at a revision, as far as they stood then."""
    c, found = t.revisions.c, dict[int, str]()
    for part in t.chunks(annotations):
        query = select(c.annotation, c.content, c.state).order_by(c.seq)
        here = (c.project == project) & c.annotation.in_(part) & (c.seq <= upto)
        for r in db.execute(query.where(here)):
            found[r.annotation] = r.content if r.state == "kept" else ""
    return found
