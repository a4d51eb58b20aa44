"""A dialogue as one text: a line for each turn, `author: text`.

Label Studio's <Paragraphs> stores a span as the turns it starts and ends in (`start`, `end`, as
strings) and UTF-16 offsets inside their texts (its HtxParagraphs.jsx measures Range strings). The
author's name is shown beside a turn and is no part of its text, so no span begins or ends there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from label_config.units import from_utf16, to_utf16


@dataclass(frozen=True)
class Turn:
    """One turn: where its text starts in the dialogue's text, and that text."""

    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True)
class Dialogue:
    """All turns in one text; offsets are code points of `text`."""

    text: str
    turns: tuple[Turn, ...]

    def clip(self, start: int, end: int) -> tuple[int, int] | None:
        """A span without the author's name at either end; None where nothing else is in it."""
        said = [t for t in self.turns if t.text and t.start < end and start < t.end]
        if not said:
            return None
        return max(start, said[0].start), min(end, said[-1].end)

    def to_turns(self, start: int, end: int) -> tuple[int, int, int, int] | None:
        """(first turn, last turn, UTF-16 offset in the first, in the last) of a span."""
        clipped = self.clip(start, end)
        if clipped is None:
            return None
        start, end = clipped
        first = next(i for i, t in enumerate(self.turns) if t.start <= start < t.end)
        last = next(i for i, t in enumerate(self.turns) if t.start < end <= t.end)
        at, to = self.turns[first], self.turns[last]
        return first, last, to_utf16(at.text, start - at.start), to_utf16(to.text, end - to.start)

    def from_turns(self, first: int, last: int, at: int, to: int) -> tuple[int, int] | None:
        """A span from what the editor wrote; None where the dialogue has no such place."""
        if not (0 <= first < len(self.turns) and 0 <= last < len(self.turns)):
            return None
        start = from_utf16(self.turns[first].text, at)
        end = from_utf16(self.turns[last].text, to)
        if start is None or end is None:
            return None
        return self.turns[first].start + start, self.turns[last].start + end


def read_dialogue(value: object, name_key: str, text_key: str) -> Dialogue | str:
    """A task's list of turns as one text, or the reason why it is none.

    A turn is an object with a text and, where there is one, an author; a plain string is a turn
    without an author. A turn that says nothing keeps its place, because turns are counted.
    """
    if not isinstance(value, list):
        return f"is {'absent' if value is None else type(value).__name__}, not a list of turns"
    parts: list[str] = []
    turns: list[Turn] = []
    at = 0
    for i, raw in enumerate(value):
        said = raw.get(text_key) if isinstance(raw, Mapping) else raw
        if said is not None and not isinstance(said, (str, int, float)):
            return f"has a turn {i} whose {text_key!r} is a {type(said).__name__}, not a text"
        author = raw.get(name_key) if isinstance(raw, Mapping) else None
        lead = ("\n" if i else "") + (f"{author}: " if author not in (None, "") else "")
        text = "" if said is None else str(said)
        parts += [lead, text]
        turns.append(Turn(at + len(lead), text))
        at += len(lead) + len(text)
    if not any(t.text.strip() for t in turns):
        return "is empty"
    return Dialogue("".join(parts), tuple(turns))
