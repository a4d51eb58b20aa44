"""Corrections: what a human kept, against the prediction they were shown.

Which one was shown is decided from the log alone: the parent prediction where Label Studio names
it, else what was visible when the task was opened (submit minus lead time), else it is unknown
and counts in no rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from label_config.values import Correction, Quantity, Region, Span, Written, answer_key
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
