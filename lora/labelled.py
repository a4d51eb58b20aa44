"""What of each label a contestant reads rightly on the blind rows, and what it takes it for.

Counts and names of labels only: no row, no text. The gate does not look at it; people do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from label_config.conditions import hidden_controls
from label_config.controls import Control, Schema
from label_config.values import Choice, Region, Span
from lora.evaluate import Unasked, right_by_label

MOST_CONFUSED = 20  # pairs of a control
Answers = Sequence[Region]


def by_label(
    schema: Schema,
    gold: Sequence[tuple[Region, ...]],
    got: Sequence[tuple[Region, ...]],
    unasked: Sequence[Unasked],
) -> dict[str, dict[str, Any]]:
    """By control `labels`: each label's rows that a human gave it in, and its true, false and
    missed answers; `confused`: the human's label, the model's, and how often, most often first."""
    counts: dict[str, dict[str, list[int]]] = {}
    pairs: dict[str, Counter[tuple[str, str]]] = {}
    for want, have, late in zip(gold, got, unasked, strict=True):
        for name, labels in right_by_label(schema, want, have, late).items():
            for label, (true, false, missed) in labels.items():
                own = counts.setdefault(name, {}).setdefault(label, [0, 0, 0, 0])
                for i, n in enumerate((true + missed > 0, true, false, missed)):
                    own[i] += int(n)
        hidden = hidden_controls(schema, want)
        for c in schema.controls:
            if c.name in counts and c.name not in hidden:
                pairs.setdefault(c.name, Counter()).update(_confused(c, want, have))
    return {
        name: {
            "labels": {label: labels[label] for label in sorted(labels)},
            "confused": [[*pair, n] for pair, n in _most(pairs.get(name, Counter()))],
        }
        for name, labels in counts.items()
    }


def _most(pairs: Mapping[tuple[str, str], int]) -> list[tuple[tuple[str, str], int]]:
    return sorted(pairs.items(), key=lambda p: (-p[1], p[0]))[:MOST_CONFUSED]


def _confused(c: Control, want: Answers, have: Answers) -> Iterator[tuple[str, str]]:
    """One label taken for another: of a choice of one, or of a span at the same place."""
    if c.form == "one":
        ours, theirs = (_picked(c, some) for some in (want, have))
        if len(ours) == len(theirs) == 1 and ours != theirs:
            yield ours[0], theirs[0]
    elif c.form == "spans":
        marked = {(s.start, s.end): s.labels for s in _spans(c, have)}
        for span in _spans(c, want):
            other = marked.get((span.start, span.end), ())
            if len(span.labels) == len(other) == 1 and span.labels != other:
                yield span.labels[0], other[0]


def _picked(c: Control, answers: Answers) -> tuple[str, ...]:
    found = (r.labels for r in answers if isinstance(r, Choice) and r.from_name == c.name)
    return next(found, ())


def _spans(c: Control, answers: Answers) -> Iterator[Span]:
    return (r for r in answers if isinstance(r, Span) and r.from_name == c.name)
