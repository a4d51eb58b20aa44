"""The log's sums: what stands of each task and of each project, kept in step with every append.

Each turn asks how many answers there are and who is waited for; counted anew, that would cost more
the larger the project. So whoever changes tasks, annotations or predictions says here, in the same
transaction, which tasks were touched. Nothing is kept here that is not in the other tables: `fill`
makes all of it of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    select,
)

from sync import log_tables as t

SUMS = ("tasks", "blind_tasks", "answers", "blind", "skips", "waiting")


def keep(db: Connection, project: str, ids: Iterable[int]) -> None:
    """Set right what stands of these tasks, and the project's sums by as much."""
    of = t.projects.c.project
    db.execute(select(of).where(of == project).with_for_update())  # of two writers, one waits
    for part in t.chunks(sorted(set(ids))):
        _keep(db, project, part)


def _keep(db: Connection, project: str, part: Sequence[int]) -> None:
    c = t.standing.c
    here = (c.project == project) & c.task.in_(part)
    before = {r.task: r for r in db.execute(select(t.standing).where(here))}
    now = {r.task: r for r in db.execute(_stands().where(t.tasks.c.project == project, _of(part)))}
    gone = [{"its": task} for task in before.keys() - now.keys()]
    fresh = [{**r._asdict(), "version": ""} for task, r in now.items() if task not in before]
    other = [
        {"its": task, "is_blind": r.blind, "kept": r.answers, "skipped": r.skips}
        for task, r in now.items()
        if task in before and _worth(r) != _worth(before[task])
    ]
    this = (c.project == project) & (c.task == bindparam("its"))
    if gone:
        db.execute(t.standing.delete().where(this), gone)
    if fresh:
        db.execute(t.standing.insert(), fresh)
    if other:
        new = {"blind": "is_blind", "answers": "kept", "skips": "skipped"}
        values: dict[str, Any] = {column: bindparam(given) for column, given in new.items()}
        db.execute(t.standing.update().where(this).values(values), other)
    _add(db, project, list(before.values()), list(now.values()))


def _add(db: Connection, project: str, before: Sequence[Row[Any]], now: Sequence[Row[Any]]) -> None:
    more: Counter[str] = Counter()
    for rows, sign in ((before, -1), (now, 1)):
        for row in rows:
            for name, worth in zip(SUMS, _worth(row), strict=True):
                more[name] += sign * worth
    more["drawn"] = int({r.task for r in before if r.blind} != {r.task for r in now if r.blind})
    if not any(more.values()):
        return
    c = t.sums.c
    sums = t.sums.update().where(c.project == project)
    if not db.execute(sums.values({name: c[name] + n for name, n in more.items()})).rowcount:
        db.execute(t.sums.insert().values(project=project, **more))


def _worth(row: Row[Any]) -> tuple[int, ...]:
    """What a live task adds to each of SUMS."""
    answered, open_ = row.answers > 0, not row.answers and not row.blind
    return (1, int(row.blind), row.answers, int(row.blind and answered), row.skips, int(open_))


def _of(part: Sequence[int]) -> Any:
    return t.tasks.c.task.in_(part)


def is_last() -> ColumnElement[bool]:
    """That a revision is its annotation's last: one look at an index for each. The highest number
    of each annotation would be found by reading all of a project's."""
    c, later = t.revisions.c, t.revisions.alias()
    newer = (later.c.project == c.project) & (later.c.annotation == c.annotation)
    return ~exists().where(newer & (later.c.n > c.n)).correlate(t.revisions)


def _stands() -> Select[Any]:
    """Every live task's side, and how many of its annotations are kept and are skips, which each
    one's last revision says."""
    c, r = t.tasks.c, t.revisions.c
    theirs = and_(r.project == c.project, r.task == c.task, is_last())
    joined = t.tasks.outerjoin(t.revisions, theirs)
    kept = func.count(case((r.state == "kept", 1))).label("answers")
    skips = func.count(case((r.state == "cancelled", 1))).label("skips")
    wanted = select(c.project, c.task, c.blind, kept, skips).select_from(joined)
    return wanted.where(c.deleted_at.is_(None)).group_by(c.project, c.task, c.blind)


# ---- predictions: a version that is there, or on its way, on each task


def shows(db: Connection, project: str, shown: Iterable[tuple[int, str]]) -> None:
    """Tasks, each with a version that it got a prediction of just now."""
    _name(db, project, shown, known=True)


def has(db: Connection, project: str, found: Iterable[tuple[int, str]]) -> None:
    """Tasks, each with a version that was found on it; one that another is known of keeps it."""
    _name(db, project, found, known=False)


def _name(db: Connection, project: str, named: Iterable[tuple[int, str]], known: bool) -> None:
    c, rows = t.standing.c, [{"its": task, "named": version} for task, version in named]
    this = (c.project == project) & (c.task == bindparam("its"))
    if not known:
        this &= c.version == ""
    if rows:
        db.execute(t.standing.update().where(this).values(version=bindparam("named")), rows)


def hold(db: Connection, project: str, version: str, first: int = 0) -> None:
    """Name this version where a prediction of it stands; else none, where it was named. Of tasks
    from `first` on."""
    c, s = t.standing.c, t.shown.c
    there = (s.version == version) & s.removed_at.is_(None)
    own = (c.project == project) & (c.task >= first)
    same = exists().where((s.project == c.project) & (s.task == c.task) & there)
    wrong = own & (c.version == version) & ~same  # not NOT IN: PostgreSQL takes for ever with many
    db.execute(t.standing.update().where(wrong).values(version=""))
    held = select(s.task).where(s.project == project, s.task >= first, there)
    lacks = own & (c.version != version) & c.task.in_(held)
    db.execute(t.standing.update().where(lacks).values(version=version))


# ---- all of it at once


def fill(db: Connection) -> None:
    """Make what stands, and the sums, of a log that has none yet."""
    names = ["project", "task", "blind", "answers", "skips", "version"]
    stands = _stands().add_columns(literal("").label("version"))
    db.execute(insert(t.standing).from_select(names, stands))
    c = t.standing.c
    open_ = (c.answers == 0) & ~c.blind
    answered = (c.answers > 0) & c.blind
    summed = [func.count(), _where(c.blind), func.sum(c.answers), _where(answered)]
    summed += [func.sum(c.skips), _where(open_), literal(1)]
    of = select(c.project, *summed).group_by(c.project)
    db.execute(insert(t.sums).from_select(["project", *SUMS, "drawn"], of))
    v, newest = t.versions.c, dict[str, str]()
    for row in db.execute(select(v.project, v.version).order_by(v.seq)):
        newest[row.project] = row.version
    for project, version in newest.items():
        hold(db, project, version)


def _where(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0))
