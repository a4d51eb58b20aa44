"""Corrections: what a human kept, against the prediction they were shown.

Which one was shown is decided from the log alone: the parent prediction where Label Studio names
it, else what was visible when the task was opened (submit minus lead time), else it is unknown
and counts in no rate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from label_config import Schema
from label_config.values import Correction, Quantity, Region, Span, Written, answer_key
from label_config.wire import read_result
from sync.log import Log
from sync.log_shown import Shown, VersionSince
from sync.studio_values import SeenAnnotation


def compare(shown: Sequence[Region], kept: Sequence[Region]) -> Correction:
    """What became of each shown region. Order, scores and the order of labels do not matter.

    Changed: the same control's other answer, or a span of the same control that overlaps but has
    another label or other offsets. Overlapping spans of the same labels are paired first (spans of
    different labels may lie on one piece of text), then those that overlap most.
    """
    left, right = list(shown), list(kept)
    same: list[Region] = []
    for region in tuple(left):
        twin = next((r for r in right if answer_key(r) == answer_key(region)), None)
        if twin is not None:
            left.remove(region)
            right.remove(twin)
            same.append(twin)
    pairs = sorted(
        ((_likeness(a, b), i, j) for i, a in enumerate(left) for j, b in enumerate(right)),
        key=lambda pair: (-pair[0][0], -pair[0][1], pair[1], pair[2]),
    )
    changed, used_left, used_right = [], set[int](), set[int]()
    for likeness, i, j in pairs:
        if any(likeness) and i not in used_left and j not in used_right:
            changed.append((i, (left[i], right[j])))
            used_left.add(i)
            used_right.add(j)
    return Correction(
        kept=tuple(same),
        changed=tuple(pair for _, pair in sorted(changed, key=lambda c: c[0])),
        added=tuple(r for j, r in enumerate(right) if j not in used_right),
        removed=tuple(r for i, r in enumerate(left) if i not in used_left),
    )


def _likeness(a: Region, b: Region) -> tuple[int, int]:
    """Whether two overlapping spans have the same labels, and by how much they overlap; of other
    answers, whether one may stand for the other at all. (0, 0): they have nothing in common."""
    if (a.from_name, type(a)) != (b.from_name, type(b)):
        return 0, 0
    if isinstance(a, (Quantity, Written)) or isinstance(b, (Quantity, Written)):
        return 0, 1
    same = int(set(a.labels) == set(b.labels))
    if isinstance(a, Span) and isinstance(b, Span):
        overlap = max(0, min(a.end, b.end) - max(a.start, b.start))
        return (same, overlap) if overlap else (0, 0)
    return same, 1


def opened_at(annotation: SeenAnnotation) -> datetime:
    """When the annotator opened the task, as far as Label Studio tells."""
    return annotation.created_at - timedelta(seconds=annotation.lead_time or 0.0)


def shown_to(
    annotation: SeenAnnotation, on_task: Sequence[Shown], versions: Sequence[VersionSince]
) -> Shown | None:
    """The prediction this annotation started from, or None where the log cannot tell.

    Without a parent: the project showed a version at that moment; a later version's prediction
    that was there already wins, for Label Studio shows what the live backend answers.
    """
    for row in on_task:
        if row.prediction is not None and row.prediction == annotation.parent_prediction:
            return row
    opened = opened_at(annotation)
    since = [v for v in versions if v.visible_from <= opened]
    if not since:
        return None
    there = [
        row
        for row in on_task
        if row.visible_from <= opened and not (row.removed_at and row.removed_at <= opened)
    ]
    earlier = {v.version for v in since}
    later = [r for r in there if r.visible_from > since[-1].visible_from]
    later = [r for r in later if r.version not in earlier]
    if later:
        return max(later, key=lambda row: row.visible_from)
    return next((row for row in reversed(there) if row.version == since[-1].version), None)


def was_blind(annotation: SeenAnnotation, on_task: Iterable[Shown]) -> bool:
    """True when the log knows of no prediction with an answer, visible until the last edit.

    Strict on purpose: whichever version it was, and whether or not it was confirmed.
    """
    return not any(
        not row.empty
        and row.visible_from <= annotation.updated_at
        and not (row.removed_at and row.removed_at <= opened_at(annotation))
        for row in on_task
    )


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
    """The rate over current answers on tasks that are not blind (submitted after a moment).

    Nothing is fetched for it: a span in a text that lies elsewhere makes its answer unknown.
    """
    if not schema.controls:
        return Rate(0, 0, 0, 0)
    elsewhere = any(o.url for o in schema.objects)
    annotations = log.current_annotations(project)
    tasks = {task.id: task for task in log.tasks(project, {a.task for a in annotations})}
    rows: dict[int, list[Shown]] = defaultdict(list)
    for row in log.shown(project, tasks=tasks):
        rows[row.task].append(row)
    versions = log.versions(project)
    counted = {"shown": 0, "changed": 0, "unknown": 0, "blind": 0}
    for a in annotations:
        task = tasks.get(a.task)
        if task is None or (after and a.created_at <= after):
            continue
        if task.place.blind:
            counted["blind"] += 1
            continue
        seen = shown_to(a, rows[a.task], versions)
        if seen is None:
            counted["unknown"] += 1
            continue
        before = read_result(schema, task.data, seen.result)
        kept = read_result(schema, task.data, a.result)
        if elsewhere and (before.dropped or kept.dropped):
            counted["unknown"] += 1
            continue
        counted["shown"] += 1
        counted["changed"] += not compare(before.regions, kept.regions).accepted
    return Rate(**counted)
