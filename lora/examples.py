"""Examples become what a fit can read: windows of pieces, and a target for each control.

Every window of a long text is a training row of its own: it keeps the text's choices and the spans
that lie in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from label_config.values import Choice, Control, Example, Schema, Span
from lora.base import Base
from lora.windows import Pieces, Window, cut, read_pieces

TRAIN_WINDOW = 128  # pieces, special ones included; half a window at serving, a third of its time
PER_TEXT = 4  # windows of one text that are trained on
IGNORE = -100


@dataclass(frozen=True)
class Row:
    """One training window. `choices`: control -> the labels' indices (absent: not answered).
    `tags`: control -> one tag per piece, O=0, B=2k+1, I=2k+2, or IGNORE."""

    window: Window
    choices: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    tags: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def rows_of_example(base: Base, schema: Schema, example: Example) -> list[Row]:
    """The training rows of an example, one text after another."""
    rows: list[Row] = []
    for key in schema.keys:
        text = example.texts.get(key, "")
        if not text.strip():
            continue
        pieces = read_pieces(base, text)
        controls = [c for c in schema.controls if c.key == key]
        choices = {c.name: picked for c in controls if (picked := chosen(c, example))}
        tags = {c.name: tag(c, example, pieces) for c in controls if c.kind == "Labels"}
        for w in cut(base, pieces, min(TRAIN_WINDOW, base.max_tokens))[:PER_TEXT]:
            rows.append(Row(w, choices, {n: t[w.first : w.last] for n, t in tags.items()}))
    return rows


def chosen(control: Control, example: Example) -> tuple[int, ...]:
    """The indices of the labels that a human chose; labels the config lost are left out."""
    if control.kind != "Choices":
        return ()
    for region in example.answers:
        if isinstance(region, Choice) and region.from_name == control.name:
            return tuple(control.values.index(v) for v in region.labels if v in control.values)
    return ()


def tag(control: Control, example: Example, pieces: Pieces) -> tuple[int, ...]:
    """One tag per piece. A piece that a span touches belongs to it, even where it covers only a
    part; of overlapping spans the longer one stays, of equal ones the first."""
    tags = [0] * len(pieces.ids)
    spans = [r for r in example.answers if isinstance(r, Span) and r.from_name == control.name]
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start)):
        known = [v for v in span.labels if v in control.values]
        touched = [i for i, (a, b) in enumerate(pieces.places) if a < span.end and b > span.start]
        if not known or any(tags[i] for i in touched):
            continue
        label = control.values.index(known[0])
        for n, i in enumerate(touched):
            tags[i] = 2 * label + (1 if n == 0 else 2)
    return tuple(tags)


def human_first(examples: Sequence[Example]) -> list[Example]:
    """In an order that depends on content only, so that equal snapshots train equally."""
    return sorted(examples, key=lambda e: (e.origin.kind != "human", e.id))
