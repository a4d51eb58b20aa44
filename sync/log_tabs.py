"""The log's part about tabs in the Data Manager: which are ours, what each was told to show, and
which tasks people were asked to look at again and have looked at since.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from sync import log_tables as t


@dataclass(frozen=True)
class KnownTab:
    """A tab of ours: its id in Label Studio, what it was last told to show and out of what that
    was drawn; `deleted`: by a person."""

    kind: str
    tab: int
    tasks: tuple[int, ...]
    stamp: str
    deleted: bool


@dataclass(frozen=True)
class Reread:
    """A listed task that somebody looked at since; `changed`: what it is answered is another."""

    kind: str
    task: int
    changed: bool


class TabLog:
    """Methods of the Log about tabs; the Log supplies the transactions."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    def tabs(self, project: str) -> dict[str, KnownTab]:
        """The tabs that were ever made, by kind."""
        c = t.tabs.c
        with self._read() as db:
            rows = db.execute(select(t.tabs).where(c.project == project)).all()
        return {
            r.kind: KnownTab(r.kind, r.tab, tuple(r.tasks), r.stamp, r.deleted_at is not None)
            for r in rows
        }

    def keep_tab(self, project: str, kind: str, tab: int, tasks: Sequence[int], stamp: str) -> None:
        """Note a tab that stands, and what it shows."""
        c = t.tabs.c
        here = (c.project == project) & (c.kind == kind)
        values = {"tab": tab, "tasks": list(tasks), "stamp": stamp, "deleted_at": None}
        with self._write() as db:
            if db.execute(select(c.tab).where(here)).first():
                db.execute(t.tabs.update().where(here).values(**values))
            else:
                db.execute(t.tabs.insert().values(project=project, kind=kind, **values))

    def lose_tab(self, project: str, kind: str) -> None:
        """Note that a person deleted a tab: it is not made again."""
        c = t.tabs.c
        here = (c.project == project) & (c.kind == kind)
        with self._write() as db:
            db.execute(t.tabs.update().where(here).values(deleted_at=t.now()))

    def restore_tabs(self, project: str) -> int:
        """Let tabs that people deleted be made again; returns how many."""
        c = t.tabs.c
        here = (c.project == project) & c.deleted_at.is_not(None)
        with self._write() as db:
            return int(db.execute(t.tabs.delete().where(here)).rowcount)

    # ---- what people were asked to look at again

    def list_tasks(self, project: str, kind: str, tasks: Iterable[int]) -> None:
        """Note that a tab shows these; one that it showed before keeps its date."""
        fresh = sorted(set(tasks) - self.listed(project, kind).keys())
        at = t.now()
        rows = [{"project": project, "kind": kind, "task": task, "since": at} for task in fresh]
        if rows:
            with self._write() as db:
                db.execute(t.listed.insert(), rows)

    def listed(self, project: str, kind: str) -> dict[int, datetime]:
        """Every task that a tab ever showed, and since when."""
        c = t.listed.c
        query = select(c.task, c.since).where(c.project == project, c.kind == kind)
        with self._read() as db:
            return {r.task: r.since for r in db.execute(query)}

    def last_looks(self, project: str) -> dict[int, tuple[int, datetime]]:
        """Of each task that anybody ever saved an answer to: the last revision, and when it was
        seen; saving an answer as it is counts."""
        c = t.revisions.c
        query = select(c.task, func.max(c.seq).label("seq"), func.max(c.seen_at).label("at"))
        query = query.where(c.project == project).group_by(c.task)
        with self._read() as db:
            return {r.task: (r.seq, r.at) for r in db.execute(query)}

    def reread(self, project: str) -> list[Reread]:
        """What became of listed tasks, as far as people looked at them again."""
        c, v = t.listed.c, t.revisions.c
        with self._read() as db:
            listed = db.execute(select(t.listed).where(c.project == project)).all()
            said: dict[int, list[tuple[datetime, int, str | None]]] = {}
            for part in t.chunks(sorted({r.task for r in listed})):
                query = select(v.task, v.annotation, v.seen_at, v.state, v.result)
                query = query.where(v.project == project, v.task.in_(part)).order_by(v.seq)
                for r in db.execute(query):
                    kept = json.dumps(r.result, sort_keys=True) if r.state == "kept" else None
                    said.setdefault(r.task, []).append((r.seen_at, r.annotation, kept))
        found: list[Reread] = []
        for row in sorted(listed, key=lambda r: (r.kind, r.task)):
            revisions = said.get(row.task, [])
            if any(at > row.since for at, _, _ in revisions):
                before = _standing(r for r in revisions if r[0] <= row.since)
                found.append(Reread(row.kind, row.task, before != _standing(revisions)))
        return found


def _standing(revisions: Iterable[tuple[datetime, int, str | None]]) -> set[str]:
    """The different answers that stood after these revisions."""
    last = {annotation: result for _, annotation, result in revisions}
    return {result for result in last.values() if result is not None}
