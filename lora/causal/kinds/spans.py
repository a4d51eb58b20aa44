"""Labelled pieces of a text (Labels, HyperTextLabels, ParagraphLabels), quoted line by line.

An answer has a line `label: piece` for each span, in the order of the text, or `none`. A piece that
occurs several times means the next mention that fits (`_Reading.place`); where the span is another
one, the writer adds its number among all occurrences, `label~2: piece`. So every span can be said
but for the space around it, and whatever a model says, a span is a piece that is there.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice, takewhile
from typing import Literal

from label_config.controls import Control
from label_config.values import Inputs, Region, Span
from lora.causal.ask import Ask, Option
from lora.causal.kinds.kind import Kind, own
from lora.causal.kinds.words import Listing, any_of, as_options, find, listed, literal, nothing

MOST_LINES = 100  # spans of one answer; a model that repeats itself ends here
MOST_QUOTED = 32_000  # code points whose pieces a grammar can hold: llguidance has a limit
MOST_TRIED = 64  # occurrences of a piece that are weighed against each other
MOST_NUMBER = 99_999  # of an occurrence that can be named
MOST_COLONS = 8  # of a line that may part its label from its piece

_NUMBERED = re.compile(r"(.+)~([1-9][0-9]{0,4})")
_LETTER = re.compile(r"\w")


class Spans(Kind):
    """Any number of spans."""

    way: Literal["score", "decode"] = "decode"

    def describe(self, control: Control, listing: Listing = "hints") -> str:
        none = nothing(as_options(control.labels))
        return f"pieces of the text, one a line as `label: piece`, or {none}; with" + (
            listed(control.labels, listing)
        )

    def options(self, control: Control, inputs: Inputs) -> tuple[Option, ...]:
        return as_options(control.labels)

    def write(self, ask: Ask, answers: Sequence[Region]) -> str:
        """Spans that reach beyond the window are left out."""
        order = {o.value: i for i, o in enumerate(ask.options)}
        gold = sorted(
            {
                (*place, order[value])
                for r in own(ask, answers)
                if isinstance(r, Span) and (place := _inside(ask, r))
                for value in r.labels
                if value in order
            },
            key=lambda g: (g[0], -g[1], g[2]),
        )
        reading, lines = _Reading(ask), list[str]()
        for start, end, k in gold[:MOST_LINES]:
            option, piece = ask.options[k], ask.shown[start:end]
            mark = ""
            if reading.place(option, piece) != start:
                number = _number(ask.shown, piece, start)
                if number > MOST_NUMBER:
                    continue
                mark = f"~{number}"
            lines.append(f"{option.words}{mark}: {piece}")
            reading.take(option, start, end)
        return "\n".join(lines) or nothing(ask.options)

    def grammar(self, ask: Ask) -> str | None:
        none = literal(nothing(ask.options))
        if not ask.shown.strip():
            return f"start: {none}\n"
        within = f'PART: %regex {{"substring_chars": {json.dumps(ask.shown)}}}\nPIECE: PART & '
        if len(ask.shown) > MOST_QUOTED:
            within = "PIECE: "
        # A label and what follows it are one terminal, since a lexer does not go back: after "a"
        # it would take the ":" of "a: x" for that of another label "a:b". No space before the
        # number: an untrained base likes to go on with one.
        return (
            f'start: {none} | line ("\\n" line){{0,{MOST_LINES - 1}}}\n'
            "line: HEAD PIECE\n"
            f"LABEL: {any_of([o.words for o in ask.options])}\n"
            f'HEAD: LABEL ("~" /[1-9][0-9]{{0,{_digits(ask.shown) - 1}}}/)? ": "\n'
            f"{within}/[^ \\n](.*[^ \\n])?/\n"
        )

    def read(self, ask: Ask, answer: str, score: float) -> list[Region]:
        reading = _Reading(ask)
        for line in answer.split("\n")[:MOST_LINES]:
            reading.hear(ask, line)
        c = ask.control
        return [
            Span(
                c.name,
                c.to_name,
                ask.offset + start,
                ask.offset + end,
                ask.text[start:end],
                values,
                score,
            )
            for start, end, values in reading.found(c.multiple)
        ]

    def idle(self, ask: Ask) -> Callable[[str], bool]:
        """A line again means the next mention; where there is none left, a model repeats itself."""
        reading, heard = _Reading(ask), set[str]()

        def again(line: str) -> bool:
            before = line in heard
            heard.add(line)
            return not reading.hear(ask, line) and before

        return again

    def most_tokens(self, ask: Ask) -> int:
        return min(1024, 32 + len(ask.shown.encode()))


class _Reading:
    """The spans so far, which decide where the next piece is looked for."""

    def __init__(self, ask: Ask) -> None:
        self._text = ask.shown
        self._several = ask.control.multiple
        self._taken: list[tuple[int, int, str]] = []

    def take(self, option: Option, start: int, end: int) -> None:
        self._taken.append((start, end, option.value))

    def hear(self, ask: Ask, line: str) -> bool:
        """Take the span that a line says; whether there is one."""
        for option, number, piece in _parsed(ask, line):
            start = self.place(option, piece, number)
            if start is not None:
                self.take(option, start, start + len(piece))
                return True
        return False

    def place(self, option: Option, piece: str, number: int | None = None) -> int | None:
        """Where a piece stands; None where it does not occur (any more).

        With a number, that occurrence. Else of those that this label does not have yet the best:
        not before the last span, not across others, a whole word, and then the first.
        """
        own = {(s, e) for s, e, value in self._taken if value == option.value}
        found = _occurrences(self._text, piece, 0)
        if number is not None:
            at = next(islice(found, number - 1, None), None)
            return at if at is not None and (at, at + len(piece)) not in own else None
        last = self._taken[-1][0] if self._taken else 0
        at = self._best(_occurrences(self._text, piece, last), len(piece), own)
        return self._best(found, len(piece), own) if at is None else at

    def _best(
        self, starts: Iterator[int], size: int, own: Collection[tuple[int, int]]
    ) -> int | None:
        open_ = (s for s in islice(starts, MOST_TRIED) if (s, s + size) not in own)
        return min(open_, key=lambda s: self._cost(s, s + size), default=None)

    def _cost(self, start: int, end: int) -> tuple[bool, bool, int]:
        if self._several and self._taken and self._taken[-1][:2] == (start, end):
            return False, False, -1  # one more label of the span before
        across = any(s < end and start < e for s, e, _ in self._taken)
        return across, not _is_whole(self._text, start, end), start

    def found(self, several: bool) -> list[tuple[int, int, tuple[str, ...]]]:
        """Spans in the order of the text; labels of one place together where a span may have
        `several`."""
        by_place: dict[tuple[int, int, str], list[str]] = {}
        for start, end, value in self._taken:
            by_place.setdefault((start, end, "" if several else value), []).append(value)
        return sorted((s, e, tuple(values)) for (s, e, _), values in by_place.items())


def _parsed(ask: Ask, line: str) -> Iterator[tuple[Option, int | None, str]]:
    """What a line may say, as we write it first: no label holds a `: `."""
    for mark in (": ", ":"):
        for found in islice(re.finditer(mark, line), MOST_COLONS):
            piece, said = line[found.end() :].strip(), line[: found.start()].strip()
            numbered = _NUMBERED.fullmatch(said)
            if piece and (option := find(ask, said)):
                yield option, None, piece
            elif piece and numbered and (option := find(ask, numbered[1])):
                yield option, int(numbered[2]), piece
                yield option, None, piece  # it has no such occurrence


def _inside(ask: Ask, span: Span) -> tuple[int, int] | None:
    """A span's place in the ask's text without the space around it; None where it is not in it."""
    start, end = span.start - ask.offset, span.end - ask.offset
    if not 0 <= start < end <= len(ask.shown):
        return None
    piece = ask.shown[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    return (start, end) if start < end else None


def _occurrences(text: str, piece: str, first: int) -> Iterator[int]:
    """Where a piece begins, from `first` on; occurrences may overlap."""
    at = text.find(piece, first)
    while at >= 0:
        yield at
        at = text.find(piece, at + 1)


def _number(text: str, piece: str, start: int) -> int:
    """Which of its occurrences stands at `start`, counted from 1."""
    return 1 + sum(1 for _ in takewhile(lambda at: at < start, _occurrences(text, piece, 0)))


def _digits(text: str) -> int:
    """How many digits the number of an occurrence may have here."""
    return len(str(min(MOST_NUMBER, max(Counter(text).values(), default=1))))


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a piece neither begins nor ends amid a word."""
    before = start > 0 and _LETTER.match(text[start - 1]) and _LETTER.match(text[start])
    after = end < len(text) and _LETTER.match(text[end - 1]) and _LETTER.match(text[end])
    return not before and not after
