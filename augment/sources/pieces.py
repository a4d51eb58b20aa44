"""The pieces of a text that a rewrite has to keep: spans, those that overlap as one.

They are asked for word by word, or as placeholders ([1], [2]) where their words alone would not
tell which is meant; in the answer each is found again exactly once, or it is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from augment.spans import Edit, Range, apply, clusters
from label_config.values import Span

PLACEHOLDER = re.compile(r"\[(\d{1,2})\]")


@dataclass(frozen=True)
class Piece:
    """A stretch of the source with the spans in it. `joined`: whether it begins, ends, inside a
    word there."""

    start: int
    text: str
    spans: tuple[Span, ...]
    joined: tuple[bool, bool]

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def placed(self, line: str, at: int) -> list[tuple[Span, Span]]:
        """Each span as it was and as it stands in the line, where the piece begins at `at`."""
        moved = []
        for span in self.spans:
            start = at + span.start - self.start
            end = start + span.end - span.start
            moved.append((span, replace(span, start=start, end=end, text=line[start:end])))
        return moved


def pieces_of(text: str, spans: Sequence[Span]) -> list[Piece]:
    """The pieces in the order of the text."""
    return [
        Piece(start, text[start:end], tuple(inside), (_joined(text, start), _joined(text, end)))
        for (start, end), inside in clusters(spans)
    ]


def shown(text: str, pieces: Sequence[Piece]) -> str:
    """The source as the prompt shows it: with placeholders, unless its words tell all pieces."""
    if find(text, pieces) == [p.start for p in pieces]:
        return text
    edits = [Edit(p.start, p.end, f"[{i}]") for i, p in enumerate(pieces, 1)]
    return apply(text, edits)


def restored(line: str, source: str, pieces: Sequence[Piece]) -> tuple[str, list[int]] | None:
    """The line with each piece in it, and where each begins; None where one is lost, doubled or
    unknown."""
    marks = [] if PLACEHOLDER.search(source) else list(PLACEHOLDER.finditer(line))
    numbers = [int(m.group(1)) - 1 for m in marks]
    if not marks:
        told = shown(source, pieces) == source  # else words do not say which piece is meant
        places = find(line, pieces) if told else None
        return None if places is None else (line, places)
    if sorted(numbers) != list(range(len(pieces))):
        return None
    edits = [Edit(*m.span(), pieces[n].text) for m, n in zip(marks, numbers, strict=True)]
    starts, grown = [0] * len(pieces), 0
    for edit, n in zip(edits, numbers, strict=True):
        starts[n] = edit.start + grown
        grown += edit.growth
    return apply(line, edits), starts


def find(line: str, pieces: Sequence[Piece]) -> list[int] | None:
    """Where each piece begins, longest first and none inside another; in any case where it does
    not stand there as it was. None unless each is there exactly once."""
    starts, taken = [0] * len(pieces), list[Range]()
    for n in sorted(range(len(pieces)), key=lambda n: -len(pieces[n].text)):
        for flags in (re.RegexFlag(0), re.IGNORECASE):
            hits = [
                m.span()
                for m in _pattern(pieces[n], flags).finditer(line)
                if not any(m.start() < end and start < m.end() for start, end in taken)
            ]
            if hits:
                break
        if len(hits) != 1:
            return None
        starts[n] = hits[0][0]
        taken += hits
    return starts


def _pattern(piece: Piece, flags: re.RegexFlag) -> re.Pattern[str]:
    before, after = piece.joined
    alone = re.escape(piece.text)
    alone = alone if before else r"(?<!\w)" + alone
    return re.compile(alone if after else alone + r"(?!\w)", flags)


def _joined(text: str, at: int) -> bool:
    return re.fullmatch(r"\w\w", text[max(at - 1, 0) : at + 1]) is not None
