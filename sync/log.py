"""The annotation log: append-only, idempotent, and all that must last besides the store.

What Label Studio said last about an annotation is its highest revision; a skip, a deletion and an
edit are revisions too. Saying the same again changes nothing, so a pull may repeat as it likes.
No SQL outside this file and its parts (log_tables and log_*).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, func, select

from sync import log_sums
from sync import log_tables as t
from sync.groups import Place
from sync.log_audit import AuditLog
from sync.log_copy import CopyLog
from sync.log_counts import CountLog
from sync.log_engine import LogDown as LogDown
from sync.log_engine import join_at_once, open_engine, reader, transaction, writer
from sync.log_forget import ForgetLog
from sync.log_labels import LabelLog
from sync.log_reviews import ReviewLog
from sync.log_rounds import RoundLog
from sync.log_shown import ShownLog, remember_predictions
from sync.log_tabs import TabLog
from sync.log_tasks import TaskLog
from sync.log_upgrade import NewerLog as NewerLog
from sync.log_upgrade import upgrade
from sync.studio_values import SeenAnnotation, TaskState


@dataclass(frozen=True)
class Appended:
    """What one append added; all zero where everything was known already."""

    tasks: int = 0
    answers: int = 0
    edits: int = 0
    skips: int = 0
    deletions: int = 0
    predictions: int = 0
    texts: int = 0
    """Known tasks whose data is another now."""

    def __add__(self, other: Appended) -> Appended:
        pairs = zip(self._numbers(), other._numbers(), strict=True)
        return Appended(*(a + b for a, b in pairs))

    def _numbers(self) -> tuple[int, ...]:
        return tuple(vars(self).values())


class Log(
    TaskLog, CountLog, ShownLog, RoundLog, LabelLog, ReviewLog, TabLog, AuditLog, ForgetLog, CopyLog
):
    """One log database for all projects; opening it creates what is missing and brings
    an older one up to date (log_upgrade.py).

    Raises NewerLog when a later program wrote it, LogDown when the database does not answer (each
    method does, and may be called again), InvalidSetting for an address that is none.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._writer, self._reader = writer(self._engine), reader(self._engine)
        try:
            self._prepare()
        except BaseException:
            self._engine.dispose()
            raise

    def _prepare(self) -> None:
        with self._write() as db:
            upgrade(db)

    @property
    def server(self) -> str:
        """What keeps it, and of which release; empty for an SQLite file."""
        release = ".".join(map(str, self._engine.dialect.server_version_info or ()))
        return "" if self.is_file else f"PostgreSQL {release}"

    @contextmanager
    def alone(self, place: str) -> Iterator[bool]:
        """Hold a place that is shared by all hosts on this log; yields False where another has it.

        It goes with the connection of who is cut off. An SQLite file has one host, whose own locks
        in the home folder do: True.
        """
        if self.is_file:
            yield True
            return
        number = int.from_bytes(sha256(place.encode()).digest()[:8], "big", signed=True)
        with transaction(self._engine) as db:
            yield bool(db.scalar(select(func.pg_try_advisory_xact_lock(number))))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with transaction(self._writer) as db:
            yield db

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with transaction(self._reader) as db:
            yield db

    # ---- projects

    def connect(self, project: str, title: str) -> None:
        """Take a project into the loop; again: only its title may change."""
        with self._write() as db:
            c = t.projects.c
            if db.execute(select(c.project).where(c.project == project)).first():
                where = t.projects.update().where(c.project == project)
                db.execute(where.values(title=title))
            else:
                row = {"project": project, "title": title, "config": "", "connected_at": t.now()}
                db.execute(t.projects.insert().values(row))

    def connected(self) -> list[str]:
        """The projects in the loop, in the order they were connected."""
        with self._read() as db:
            return list(
                db.scalars(select(t.projects.c.project).order_by(t.projects.c.connected_at))
            )

    def title(self, project: str) -> str:
        return str(self._of(project, t.projects.c.title) or "")

    def config(self, project: str) -> str:
        """The labelling XML as it was at the last pull; empty before the first."""
        return str(self._of(project, t.projects.c.config) or "")

    def see_config(self, project: str, config: str) -> None:
        """Keep the project's labelling XML as it is now."""
        c = t.projects.c
        with self._write() as db:
            here = (c.project == project) & (c.config != config)
            db.execute(t.projects.update().where(here).values(config=config))

    def cursor(self, project: str) -> datetime | None:
        """The latest `updated_at` whose task is in the log; None before the first pull."""
        found: datetime | None = self._of(project, t.projects.c.cursor)
        return found

    def heard_until(self, project: str, at: datetime) -> None:
        """Move the cursor up to a moment before which nothing is missing; never back."""
        with self._write() as db:
            _move_cursor(db, project, at)

    def begin_again(self, project: str) -> None:
        """Forget how far the pull came: everything is heard again, and changes nothing known."""
        with self._write() as db:
            here = t.projects.c.project == project
            db.execute(t.projects.update().where(here).values(cursor=None))

    def _of(self, project: str, column: Column[Any]) -> Any:
        with self._read() as db:
            return db.scalar(select(column).where(t.projects.c.project == project))

    # ---- what humans decided

    def append(
        self,
        project: str,
        states: Sequence[TaskState],
        places: Mapping[int, Place],
        clock: datetime | None = None,
    ) -> Appended:
        """Take in the tasks' states and, in the same transaction, move the cursor behind them, but
        not behind `clock`, Label Studio's own: what changes next has a time from there on.

        `places`: of tasks not seen before; a known task keeps its own. An annotation that the
        log has and its task has no longer becomes a deletion.
        """
        at, total = t.now(), Appended()
        with self._write() as db:
            for part in t.chunks(states):
                total += _take_in(db, project, part, places, at)
            if states:
                last = max(s.updated_at for s in states)
                _move_cursor(db, project, min(last, clock) if clock else last)
        return total

    def bury(self, project: str, ids: Iterable[int]) -> int:
        """Note that tasks are gone, their annotations too; returns how many were known."""
        at, buried = t.now(), 0
        with self._write() as db:
            for part in t.chunks(sorted(ids)):
                c = t.tasks.c
                here = (c.project == project) & c.task.in_(part) & c.deleted_at.is_(None)
                found = list(db.scalars(select(c.task).where(here)))
                db.execute(t.tasks.update().where(here).values(deleted_at=at))
                heads = db.execute(_heads(project, found)).all()
                _insert(db, [_grave(h, at) for h in heads if h.state != "deleted"])
                log_sums.keep(db, project, found)
                buried += len(found)
        return buried

    def current_annotations(self, project: str) -> list[SeenAnnotation]:
        """The last revision of each annotation that is neither deleted nor skipped, by id."""
        with self._read() as db:
            join_at_once(db)
            rows = db.execute(_heads(project).order_by(t.revisions.c.annotation)).all()
        return [_annotation(r) for r in rows if r.state == "kept"]


def _move_cursor(db: Connection, project: str, to: datetime) -> None:
    c = t.projects.c
    where = (c.project == project) & (c.cursor.is_(None) | (c.cursor < to))
    db.execute(t.projects.update().where(where).values(cursor=to))


def _heads(project: str, ids: Sequence[int] | None = None) -> Select[Any]:
    """The last revision of every annotation (of these tasks)."""
    c = t.revisions.c
    heads = select(t.revisions).where(c.project == project, log_sums.is_last())
    return heads if ids is None else heads.where(c.task.in_(ids))


def _take_in(
    db: Connection,
    project: str,
    states: Sequence[TaskState],
    places: Mapping[int, Place],
    at: datetime,
) -> Appended:
    added, texts = _take_in_tasks(db, project, states, places, at)
    heads = {h.annotation: h for h in db.execute(_heads(project, [s.task.id for s in states]))}
    rows: list[dict[str, Any]] = []
    for state in states:
        for a in state.annotations:
            head = heads.pop(a.id, None)
            if not _says_the_same(head, a):
                rows.append(_revision(project, a, head, at))
    graves = [_grave(h, at) for h in heads.values() if h.state != "deleted"]
    _insert(db, rows + graves)
    log_sums.keep(db, project, [s.task.id for s in states])
    seen = remember_predictions(db, project, states)
    kinds = [(r["state"], r["n"]) for r in rows]
    return Appended(
        tasks=added,
        answers=sum(state == "kept" and n == 1 for state, n in kinds),
        edits=sum(state == "kept" and n > 1 for state, n in kinds),
        skips=sum(state == "cancelled" for state, n in kinds),
        deletions=len(graves),
        predictions=seen,
        texts=texts,
    )


def _take_in_tasks(
    db: Connection,
    project: str,
    states: Sequence[TaskState],
    places: Mapping[int, Place],
    at: datetime,
) -> tuple[int, int]:
    """How many tasks are new, and how many others have other data."""
    c, changed = t.tasks.c, 0
    here = (c.project == project) & c.task.in_([s.task.id for s in states])
    known = {r.task: r for r in db.execute(select(t.tasks).where(here))}
    fresh = []
    for s in states:
        row = known.get(s.task.id)
        if row is None:
            place = places[s.task.id]
            values = {"grp": place.group, "blind": place.blind, "first_seen": at}
            fresh.append(
                {"project": project, "task": s.task.id, "data": dict(s.task.data), **values}
            )
        elif row.data != s.task.data or row.deleted_at is not None:
            this = (c.project == project) & (c.task == s.task.id)
            new = {"data": dict(s.task.data), "deleted_at": None}
            db.execute(t.tasks.update().where(this).values(new))
            changed += row.data != s.task.data
    if fresh:
        db.execute(t.tasks.insert(), fresh)
    return len(fresh), changed


def _says_the_same(head: Row[Any] | None, a: SeenAnnotation) -> bool:
    if head is None or head.state == "deleted":
        return False
    return bool(head.content == a.content and head.updated_at == a.updated_at)


def _revision(
    project: str, a: SeenAnnotation, head: Row[Any] | None, at: datetime
) -> dict[str, Any]:
    # Label Studio forgets the parent once that prediction is removed; the log does not
    parent = a.parent_prediction or (head.parent_prediction if head else None)
    return {
        "project": project,
        "task": a.task,
        "annotation": a.id,
        "n": head.n + 1 if head else 1,
        "state": "cancelled" if a.cancelled else "kept",
        "content": a.content,
        "result": a.result,
        "author": a.author,
        "created_at": a.created_at,
        "updated_at": a.updated_at,
        "lead_time": a.lead_time,
        "ground_truth": a.ground_truth,
        "parent_prediction": parent,
        "seen_at": at,
    }


def _grave(head: Row[Any], at: datetime) -> dict[str, Any]:
    row = dict(head._mapping) | {"n": head.n + 1, "state": "deleted", "seen_at": at}
    del row["seq"]
    return row


def _insert(db: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        db.execute(t.revisions.insert(), rows)


def _annotation(row: Row[Any]) -> SeenAnnotation:
    return SeenAnnotation(
        id=row.annotation,
        task=row.task,
        result=row.result,
        author=row.author,
        created_at=row.created_at,
        updated_at=row.updated_at,
        lead_time=row.lead_time,
        ground_truth=row.ground_truth,
        cancelled=row.state == "cancelled",
        parent_prediction=row.parent_prediction,
    )
