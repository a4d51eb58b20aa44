"""How far people agree: over all, by label and by annotator, on blind tasks and on shown ones.

Only independent answers are compared, in pairs of two people on one task: two who left the same
prediction as it was agree with the model, not with each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from label_config import Schema
from label_config.values import Choice, Span
from sync.consensus import SINGLE, crowds_of, label_of, likeness, voter_of
from sync.readings import Reading

Answers = Mapping[int, Sequence[Reading]]


@dataclass(frozen=True)
class Together:
    """`pairs` of answers to `tasks`, and the mean of how far they say the same; None: no pair."""

    tasks: int
    pairs: int
    same: float | None


def independent(answers: Answers, blind: bool | None = None) -> dict[int, list[Reading]]:
    """The independent answers to tasks that have several (on one side)."""
    own = {
        task: [r for r in rs if r.independent and (r.alone or not r.blind_task)]
        for task, rs in answers.items()
        if blind is None or rs[0].blind_task == blind
    }
    return {task: rs for task, rs in own.items() if len(rs) > 1}


def together(schema: Schema, answers: Answers, blind: bool | None = None) -> Together:
    """How far people agree; spans and several labels by F1, all else wholly or not."""
    several = independent(answers, blind)
    alike = [value for pair in _pairs(several) if (value := _alike(schema, *pair)) is not None]
    return Together(len(several), len(alike), sum(alike) / len(alike) if alike else None)


def _pairs(several: Answers) -> Iterator[tuple[Reading, Reading]]:
    for rs in several.values():
        yield from combinations(rs, 2)


def _alike(schema: Schema, one: Reading, other: Reading) -> float | None:
    """The mean over controls that either answered."""
    found = [v for c in schema.controls if (v := likeness(c.name, one, other)) is not None]
    return sum(found) / len(found) if found else None


def alpha(control: str, several: Answers) -> float | None:
    """Krippendorff's alpha (nominal) of a control with one label: 1 is agreement, 0 is chance."""
    units = [
        [label for r in rs if (label := label_of(control, r)) is not None]
        for rs in several.values()
    ]
    units = [labels for labels in units if len(labels) > 1]
    total = Counter(label for labels in units for label in labels)
    n = sum(total.values())
    if n < 2 or len(total) < 2:
        return None
    apart = sum(
        sum(a != b for a, b in combinations(labels, 2)) * 2 / (len(labels) - 1) for labels in units
    )
    by_chance = (n * n - sum(k * k for k in total.values())) / (n - 1)
    return 1 - apart / by_chance


def by_label(schema: Schema, several: Answers) -> list[dict[str, Any]]:
    """Of each label, how often one who gave it was joined by the other (F1 of the pair), the least
    agreed ones first; labels of a task's own are left out."""
    known = {(c.name, v) for c in schema.controls if c.options is None for v in c.values}
    both, uses = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one, other in _pairs(several):
        mine, theirs = _marks(one), _marks(other)
        for where, *_ in mine & theirs:
            both[where] += 2
        for where, *_ in (*mine, *theirs):
            uses[where] += 1
    rows = [
        {"control": c, "label": label, "same": both[c, label] / count, "uses": count}
        for (c, label), count in uses.items()
        if (c, label) in known
    ]
    return sorted(rows, key=lambda r: (r["same"], -r["uses"], r["control"], r["label"]))


def _marks(reading: Reading) -> set[tuple[Any, ...]]:
    """Each label that an answer gives, with where it gives it."""
    found: set[tuple[Any, ...]] = set()
    for r in reading.regions:
        if isinstance(r, (Choice, Span)):
            place = (r.start, r.end) if isinstance(r, Span) else ()
            found |= {((r.from_name, label), *place) for label in r.labels}
    return found


def by_annotator(schema: Schema, answers: Answers, several: Answers) -> dict[int, dict[str, Any]]:
    """Of each annotator how far others agree with them, and how reliable Dawid and Skene find
    them, where they can tell: over both sides, since nothing is decided by it."""
    alike: defaultdict[int, list[float]] = defaultdict(list)
    for one, other in _pairs(several):
        value = _alike(schema, one, other)
        if value is not None:
            for r in (one, other):
                alike[voter_of(r)].append(value)
    crowds = crowds_of(schema, several)
    found: dict[int, dict[str, Any]] = {}
    for who in sorted({voter_of(r) for rs in answers.values() for r in rs}):
        known = [c.reliable[who] for c in crowds.values() if who in c.reliable]
        own = alike.get(who, [])
        found[who] = {
            "pairs": len(own),
            "same": sum(own) / len(own) if own else None,
            "reliable": sum(known) / len(known) if known else None,
        }
    return found


def agreement(schema: Schema, answers: Answers) -> dict[str, Any]:
    """All of it as plain values; `answers`: of each task, one of each author."""
    several = independent(answers)
    alphas = {c.name: alpha(c.name, several) for c in schema.controls if c.form in SINGLE}
    return {
        "all": vars(together(schema, answers)),
        "blind": vars(together(schema, answers, blind=True)),
        "shown": vars(together(schema, answers, blind=False)),
        "alpha": {name: value for name, value in alphas.items() if value is not None},
        "labels": by_label(schema, several),
        "annotators": by_annotator(schema, answers, several),
    }
