"""The log's half that counts: a project in numbers, and who is waited for.

Each turn asks for these, so they are kept in step with every append (log_sums.py) and read here: of
a project of 100,000 tasks no more is read than of one of 1,000.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, distinct, exists, func, select, union_all

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
            of = t.sums.c.project == project
            sums = db.execute(select(t.sums).where(of)).first()
            c = t.rounds.c
            last = select(func.max(c.upto), func.count()).where(c.project == project)
            upto, rounds = db.execute(last).one()
            late = _late(db, project, upto or 0)
            before = _contents(db, project, [h.annotation for h in late if h.n > 1], upto or 0)
        fresh = [
            h.seen_at
            for h in late
            if h.state == "kept" and before.get(h.annotation) != h.content  # saved as it was
        ]
        return Counts(
            tasks=sums.tasks if sums else 0,
            blind_tasks=sums.blind_tasks if sums else 0,
            answers=sums.answers if sums else 0,
            blind=sums.blind if sums else 0,
            skips=sums.skips if sums else 0,
            rounds=rounds,
            new=len(fresh),
            oldest_new_s=(t.now() - min(fresh)).total_seconds() if fresh else 0.0,
        )

    def live_tasks(self, project: str) -> int:
        """How many tasks are not deleted, as far as the log knows."""
        return self._sum(project, t.sums.c.tasks)

    def waiting(self, project: str) -> int:
        """How many unanswered tasks are not blind."""
        return self._sum(project, t.sums.c.waiting)

    def drawn(self, project: str) -> int:
        """A number that grows whenever the list of blind tasks changes."""
        return self._sum(project, t.sums.c.drawn)

    def _sum(self, project: str, column: Column[Any]) -> int:
        with self._read() as db:
            return db.scalar(select(column).where(t.sums.c.project == project)) or 0

    def unanswered(self, project: str, tasks: Iterable[int] | None = None) -> dict[int, bool]:
        """The sides of live tasks (of these) that nobody has answered yet; a skipped one is among
        them."""
        c, found = t.standing.c, dict[int, bool]()
        open_ = select(c.task, c.blind).where(c.project == project, t.OPEN)
        parts = [open_] if tasks is None else [open_.where(c.task.in_(p)) for p in t.chunks(tasks)]
        with self._read() as db:
            for part in parts:
                found |= {r.task: r.blind for r in db.execute(part)}
        return dict(sorted(found.items()))  # in order already, the database would read all tasks

    def lacking(self, project: str, version: str) -> dict[int, bool]:
        """Unanswered tasks without a standing prediction of this version, and whether blind."""
        c, s = t.standing.c, t.shown.c
        same = (s.project == c.project) & (s.version == version) & (s.task == c.task)
        held = exists().where(same, s.removed_at.is_(None))
        open_ = select(c.task, c.blind).where(c.project == project, t.OPEN, ~held)
        # not !=, nor both in one: an index finds each
        lacks = union_all(open_.where(c.version < version), open_.where(c.version > version))
        with self._read() as db:
            return dict(sorted((r.task, r.blind) for r in db.execute(lacks)))

    def quiet_for(self, project: str) -> float:
        """Seconds since anything was answered; infinite where nothing ever was."""
        c = t.revisions.c
        with self._read() as db:
            newest = select(c.seen_at).where(c.project == project).order_by(c.seq.desc())
            last = db.scalar(newest.limit(1))
        return (t.now() - last).total_seconds() if last else float("inf")

    def last_revision(self, project: str) -> int:
        """How far the log reaches now; what is appended later has a higher number."""
        c = t.revisions.c
        with self._read() as db:
            return db.scalar(select(func.max(c.seq)).where(c.project == project)) or 0

    def touched(self, project: str, after: int) -> set[int]:
        """Tasks of which anything was said after this revision."""
        c = t.revisions.c
        with self._read() as db:
            return set(db.scalars(select(c.task).where(c.project == project, c.seq > after)))

    def several(self, project: str, tasks: Iterable[int]) -> set[int]:
        """Those of these tasks that ever had more than one annotation."""
        c, found = t.revisions.c, set[int]()
        with self._read() as db:
            for part in t.chunks(sorted(tasks)):
                of = select(c.task).where(c.project == project, c.task.in_(part))
                more = func.count(distinct(c.annotation)) > 1
                found |= set(db.scalars(of.group_by(c.task).having(more)))
        return found


def _late(db: Connection, project: str, upto: int) -> list[Row[Any]]:
    """The last revision of each annotation of which there is one after this."""
    c = t.revisions.c
    columns = (c.annotation, c.n, c.state, c.content, c.seen_at)
    query = select(*columns).where(c.project == project, c.seq > upto).order_by(c.seq)
    return list({r.annotation: r for r in db.execute(query)}.values())


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
