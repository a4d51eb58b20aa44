"""Moving spans through an edit of their text, so that each still covers what it covered.

Offsets are code points, as everywhere. A span is moved whole or the edit is refused: an edit that
crosses a span's border leaves no honest place for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from label_config.controls import InvalidValue, Schema
from label_config.values import Region, Span

Range = tuple[int, int]


@dataclass(frozen=True)
class Edit:
    """`text` in place of the code points from `start` to `end`; nothing is replaced where these
    are equal."""

    start: int
    end: int
    text: str

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise InvalidValue(f"an edit has offsets {self.start}:{self.end}; 0 <= start <= end")

    @property
    def growth(self) -> int:
        """By how many code points the text gets longer."""
        return len(self.text) - (self.end - self.start)

    def touches(self, start: int, end: int) -> bool:
        """Whether it changes anything from `start` to `end`; to insert at either end does not."""
        return self.start < end and start < self.end or start < self.start == self.end < end


def apply(text: str, edits: Sequence[Edit]) -> str:
    """The text after the edits; raises InvalidValue where two overlap or one lies outside."""
    parts, at = [], 0
    for e in sorted(edits, key=lambda e: (e.start, e.end)):
        if e.start < at or e.end > len(text):
            raise InvalidValue(
                f"an edit at {e.start}:{e.end} overlaps another or lies outside a text of "
                f"{len(text)} code points"
            )
        parts += [text[at : e.start], e.text]
        at = e.end
    return "".join([*parts, text[at:]])


def move(span: Span, edits: Sequence[Edit], text: str) -> Span | None:
    """The span in `text`, its text after the edits; None where one crosses the span's border or
    nothing is left of it."""
    start, length = span.start, span.end - span.start
    for e in edits:
        if e.start < span.start < e.end or e.start < span.end < e.end:
            return None
        if e.end <= span.start:
            start += e.growth
        elif e.touches(span.start, span.end):
            length += e.growth
    if length <= 0:
        return None
    return replace(span, start=start, end=start + length, text=text[start : start + length])


def spans_in(answers: Sequence[Region], schema: Schema, key: str) -> list[Span]:
    """The spans that lie in the text of a data key."""
    names = {c.name for c in schema.controls if c.form == "spans" and c.key == key}
    return [r for r in answers if isinstance(r, Span) and r.from_name in names]


def edited(
    texts: Mapping[str, str],
    answers: Sequence[Region],
    schema: Schema,
    key: str,
    edits: Sequence[Edit],
) -> tuple[dict[str, str], tuple[Region, ...]] | None:
    """Texts and answers after the edits of one text; None where a span of it cannot be moved, or
    does not cover the text it names."""
    before = texts[key]
    after = apply(before, edits)
    inside = spans_in(answers, schema, key)
    moved: list[Region] = []
    for region in answers:
        if isinstance(region, Span) and region in inside:
            if before[region.start : region.end] != region.text:
                return None
            place = move(region, edits, after)
            if place is None:
                return None
            region = place
        moved.append(region)
    return {**texts, key: after}, tuple(moved)


def clusters(spans: Sequence[Span]) -> list[tuple[Range, list[Span]]]:
    """Spans that overlap or nest, together, with the range they cover; in the text's order."""
    found: list[tuple[Range, list[Span]]] = []
    for span in sorted(spans, key=lambda s: (s.start, s.end)):
        if found and span.start < found[-1][0][1]:
            (start, end), members = found[-1]
            found[-1] = ((start, max(end, span.end)), [*members, span])
        else:
            found.append(((span.start, span.end), [span]))
    return found
