"""The log's part about forgetting: rows that go for good, and tombstones that keep a pull from
bringing them back.

What is left is written anew: SQLite's file, whose write-ahead log is emptied too, and PostgreSQL's
tables.
"""

from __future__ import annotations

import sqlite3
import time
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError

from label_config.wire import task_texts
from lora.forget import Lost
from lora.wishes import Wish
from sync import log_engine, log_sums
from sync import log_tables as t
from sync.studio_values import TaskState
from sync.terms import schema_of_groups

ERASED = "listed, revisions, shown, tasks, decisions, rounds"
BUSY_TRIES = 20
BUSY_S = 0.25


class ForgetLog:
    """Methods of the Log about forgetting; the Log supplies the transactions."""

    _engine: Engine

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def config(self, project: str) -> str: ...

    def lost(self, project: str, wish: Wish) -> Lost:
        """What a wish takes with it, as far as the log knows."""
        c, tasks = t.revisions.c, t.tasks.c
        if wish.kind == "annotation":
            return Lost(annotations=frozenset({wish.id}))
        with self._read() as db:
            if wish.kind == "annotator":
                own = (c.project == project) & (c.author == wish.id)
                theirs = set(db.scalars(select(c.annotation).where(own)))
                said = t.decisions.c  # in reviews; annotations are counted over all projects
                own = (said.project == project) & (said.author == wish.id)
                own &= said.annotation.is_not(None)
                theirs |= set(db.scalars(select(said.annotation).where(own)))
                return Lost(annotations=frozenset(theirs), approver=wish.id)
            own = (c.project == project) & (c.task == wish.id)
            ids = frozenset(db.scalars(select(c.annotation).where(own).distinct()))
            here = (tasks.project == project) & (tasks.task == wish.id)
            data = db.scalar(select(tasks.data).where(here)) or {}
        schema = schema_of_groups(self.config(project))
        texts = {v for v in data.values() if isinstance(v, str) and v.strip()}
        texts |= set(task_texts(schema, data).by_key.values())  # as pools have them: without HTML
        fetched = any(o.url for o in schema.objects)
        return Lost(frozenset({wish.id}), ids, frozenset(texts), any_pool=fetched)

    def knows(self, project: str, wish: Wish) -> bool:
        """Whether there is anything of the kind to forget."""
        c, tasks = t.revisions.c, t.tasks.c
        column = c.annotation if wish.kind == "annotation" else c.author
        query = select(c.seq).where((c.project == project) & (column == wish.id))
        if wish.kind == "task":
            query = select(tasks.task).where((tasks.project == project) & (tasks.task == wish.id))
        said = t.decisions.c
        with self._read() as db:
            if db.execute(query.limit(1)).first() is not None:
                return True
            own = (said.project == project) & (said.author == wish.id)
            approved = select(said.seq).where(own).limit(1)
            return wish.kind == "annotator" and db.execute(approved).first() is not None

    def erase(self, project: str, lost: Lost, snapshots: Iterable[str]) -> None:
        """Delete what is lost, and what was said of children of these snapshots, whose rounds are
        given up; leave tombstones."""
        with self._write() as db:
            c, touched = t.revisions.c, set(lost.tasks)
            for part in t.chunks(sorted(lost.annotations)):
                these = (c.project == project) & c.annotation.in_(part)
                touched |= set(db.scalars(select(c.task).where(these)))
                db.execute(t.revisions.delete().where(these))
            for part in t.chunks(sorted(lost.tasks)):
                for table in (t.listed, t.revisions, t.shown, t.tasks):
                    own = (table.c.project == project) & table.c.task.in_(part)
                    db.execute(table.delete().where(own))
            log_sums.keep(db, project, touched)
            said = t.decisions.c
            for digests in t.chunks(sorted(snapshots)):
                own = (said.project == project) & said.snapshot.in_(digests)
                db.execute(t.decisions.delete().where(own))
                rounds = t.rounds.c
                of = (rounds.project == project) & rounds.snapshot.in_(digests)
                of &= rounds.state != "parked"
                given_up = {"reason": "it held what was to be forgotten", "promoted": False}
                values: dict[str, Any] = {"state": "parked", "settled_at": t.now()}
                values["verdict"] = given_up | {"version": None}
                db.execute(t.rounds.update().where(of).values(**values))
            if lost.approver is not None:
                own = (said.project == project) & (said.author == lost.approver)
                db.execute(t.decisions.delete().where(own))
            self._bury(db, project, lost)

    def _bury(self, db: Connection, project: str, lost: Lost) -> None:
        tasks, annotations = self._tombstones(db, project)
        rows = [("task", i) for i in sorted(lost.tasks - tasks)]
        rows += [("annotation", i) for i in sorted(lost.annotations - annotations)]
        if rows:
            at = t.now()
            values = [{"project": project, "kind": k, "id": i, "at": at} for k, i in rows]
            db.execute(t.tombstones.insert(), values)

    def tombstones(self, project: str) -> tuple[set[int], set[int]]:
        """Ids of tasks and of annotations that were forgotten."""
        with self._read() as db:
            return self._tombstones(db, project)

    def _tombstones(self, db: Connection, project: str) -> tuple[set[int], set[int]]:
        c = t.tombstones.c
        rows = db.execute(select(c.kind, c.id).where(c.project == project)).all()
        tasks, annotations = ({r.id for r in rows if r.kind == k} for k in ("task", "annotation"))
        return tasks, annotations

    def unforgotten(self, project: str, states: Sequence[TaskState]) -> list[TaskState]:
        """The states without what was forgotten."""
        tasks, annotations = self.tombstones(project)
        if not tasks and not annotations:
            return list(states)
        return [
            replace(s, annotations=tuple(a for a in s.annotations if a.id not in annotations))
            for s in states
            if s.task.id not in tasks
        ]

    def scrub(self) -> str | None:
        """Leave nothing of deleted rows in the database's files; returns why that is not done yet.

        Copies that PostgreSQL's owner keeps (its archive of the write-ahead log, replicas, dumps)
        are theirs to let go.
        """
        if self._engine.dialect.name != "sqlite":
            return self._vacuumed()
        why = "somebody else reads it"
        for _ in range(BUSY_TRIES):
            try:
                if self._scrubbed():
                    return None
            except sqlite3.OperationalError as error:  # locked, or no room on the disk
                why = str(error)
            time.sleep(BUSY_S)
        return f"the log's file could not be written anew: {why}"

    def _vacuumed(self) -> str | None:
        alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        try:
            with alone.connect() as db:
                db.exec_driver_sql("SET statement_timeout = 0")  # it takes as long as it takes
                try:
                    db.exec_driver_sql(f"VACUUM (FULL) {ERASED}")
                finally:
                    db.exec_driver_sql("RESET statement_timeout")
        except DBAPIError as error:
            return f"the log's tables could not be written anew: {log_engine.words(error)}"
        return None

    def _scrubbed(self) -> bool:
        raw = self._engine.raw_connection()
        try:
            raw.cursor().execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")
            raw.cursor().execute("VACUUM")
            row = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return bool(row is None or row[0] == 0)
        finally:
            raw.cursor().execute(f"PRAGMA busy_timeout = {log_engine.BUSY_S * 1000}")
            raw.close()
