"""Answers read against what was in view: alone, or beside a prediction that was kept or changed.

What counts as independent: an answer given with no prediction in view, or one that changed what
was. Somebody who leaves a prediction as it is may have read it carefully or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from label_config import Schema
from label_config.values import Region
from label_config.wire import read_result
from sync.corrections import compare, shown_to, was_blind
from sync.log import Log
from sync.log_shown import Shown
from sync.studio_values import SeenAnnotation


@dataclass(frozen=True)
class Reading:
    """One current answer. `blind_task`: of the holdout; `alone`: no answer of a model could be
    seen; `seen`: the regions that were in view, None where nothing was or nobody can tell;
    `readable`: nothing of it, or of what was seen, lies in a text elsewhere."""

    annotation: SeenAnnotation
    blind_task: bool
    alone: bool
    regions: tuple[Region, ...]
    seen: tuple[Region, ...] | None = None
    version: str | None = None
    readable: bool = True

    @property
    def changed(self) -> bool:
        """Whether it says anything else than what was in view."""
        return self.seen is not None and not compare(self.seen, self.regions).accepted

    @property
    def accepted(self) -> bool:
        """Whether it says exactly what a model said in view."""
        return not self.alone and self.seen is not None and not self.changed

    @property
    def independent(self) -> bool:
        """Whether it is evidence of its own; where nobody can tell it is not."""
        return self.alone or self.changed


def read_answers(
    log: Log,
    project: str,
    schema: Schema,
    after: datetime | None = None,
    tasks: Collection[int] | None = None,
) -> list[Reading]:
    """Every current answer (submitted after a moment, to these tasks) to a task that is there,
    oldest first.

    Nothing is fetched for it: of a text that lies elsewhere only what needs no text is read.
    """
    if not schema.controls:
        return []
    elsewhere = any(o.url for o in schema.objects)
    annotations = [
        a
        for a in log.current_annotations(project)
        if (after is None or a.created_at > after) and (tasks is None or a.task in tasks)
    ]
    there = {task.id: task for task in log.tasks(project, {a.task for a in annotations})}
    rows: dict[int, list[Shown]] = defaultdict(list)
    for row in log.shown(project, tasks=there):
        rows[row.task].append(row)
    versions = log.versions(project)
    found: list[Reading] = []
    for a in sorted(annotations, key=lambda a: (a.created_at, a.id)):
        task = there.get(a.task)
        if task is None:
            continue
        kept = read_result(schema, task.data, a.result)
        blind, alone = task.place.blind, was_blind(a, rows[a.task])
        shown = None if blind else shown_to(a, rows[a.task], versions)
        if shown is None:
            whole = not (elsewhere and kept.dropped)
            found.append(Reading(a, blind, alone, kept.regions, readable=whole))
            continue
        before = read_result(schema, task.data, shown.result)
        whole = not (elsewhere and (before.dropped or kept.dropped))
        found.append(Reading(a, blind, alone, kept.regions, before.regions, shown.version, whole))
    return found


def by_task(readings: Sequence[Reading]) -> dict[int, list[Reading]]:
    """The answers of each task, one of each author: the latest; one without an author is one's
    own."""
    last: dict[tuple[int, int], Reading] = {}
    for r in sorted(readings, key=lambda r: (r.annotation.updated_at, r.annotation.id)):
        author = r.annotation.author
        last[(r.annotation.task, -r.annotation.id if author is None else author)] = r
    found: dict[int, list[Reading]] = defaultdict(list)
    for (task, _), r in last.items():
        found[task].append(r)
    return dict(found)


@dataclass(frozen=True)
class Rate:
    """How many shown answers were changed; `unknown`: what was shown cannot be told."""

    shown: int
    changed: int
    unknown: int
    blind: int

    @property
    def value(self) -> float | None:
        """Changed / shown; None where nothing was shown."""
        return self.changed / self.shown if self.shown else None


def correction_rate(log: Log, project: str, schema: Schema, after: datetime | None = None) -> Rate:
    """The rate over current answers on tasks that are not blind (submitted after a moment)."""
    return rate_of(read_answers(log, project, schema, after))


def rate_of(readings: Sequence[Reading]) -> Rate:
    """The same of these answers."""
    open_ = [r for r in readings if not r.blind_task]
    shown = [r for r in open_ if r.seen is not None and r.readable]
    return Rate(
        shown=len(shown),
        changed=sum(r.changed for r in shown),
        unknown=len(open_) - len(shown),
        blind=len(readings) - len(open_),
    )
