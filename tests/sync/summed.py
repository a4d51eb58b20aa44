"""What the log keeps in step with every append, held against the same counted anew."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from sync import log_tables as t
from sync.log import Log
from sync.log_sums import SUMS, fill


def as_counted_anew(log: Log) -> None:
    """Whoever changed the log last kept its sums; a version that is named is there."""
    with log._writer.connect() as db:  # never committed
        kept = _rows(db)
        named = {(r.project, r.task, r.version) for r in db.execute(select(t.standing))}
        c = t.shown.c
        there = select(c.project, c.task, c.version).where(c.removed_at.is_(None))
        assert {n for n in named if n[2]} <= {tuple(r) for r in db.execute(there)}
        for table in (t.standing, t.sums):
            db.execute(table.delete())
        fill(db)
        assert kept == _rows(db)


def _rows(db: Connection) -> tuple[list[Any], list[Any]]:
    c = t.standing.c
    stands = select(c.project, c.task, c.blind, c.answers, c.skips).order_by(c.project, c.task)
    sums = select(t.sums.c.project, *(t.sums.c[name] for name in SUMS)).order_by("project")
    told = [tuple(r) for r in db.execute(sums) if any(r[1:])]
    return [tuple(r) for r in db.execute(stands)], told
