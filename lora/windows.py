"""Texts as word pieces with exact places, cut into windows that the encoder can take.

Offsets are Unicode code points of the text as it came. A text is read in windows of at most
`base.max_tokens` pieces, cut between words where possible, and at most WINDOWS of them: what lies
behind is not read, so it gets no span and does not count for a choice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lora.base import Base

WINDOWS = 8
PER_PIECE = 16  # code points a piece covers at most on average; bounds what is tokenised at all

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Pieces:
    """A text's word pieces: vocabulary ids, places `(start, end)`, and the word each belongs to."""

    ids: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    words: tuple[int, ...]


def read_pieces(base: Base, text: str) -> Pieces:
    """The word pieces of a text; a lone surrogate is read as an unknown sign in its place."""
    backend = base.tokenizer.backend_tokenizer
    limit = WINDOWS * base.max_tokens
    readable = _SURROGATE.sub("\ufffd", text[: limit * PER_PIECE])
    read = backend.encode(readable, add_special_tokens=False)
    places = [_whole(readable, start, end) for start, end in read.offsets[:limit]]
    return Pieces(tuple(read.ids[:limit]), tuple(places), _words(readable, places))


def _words(text: str, places: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The word of each piece. Many tokenizers keep a comma, or a whole Chinese sentence, in one
    "word"; here one ends at space, and where letters and signs meet, and a sign or a CJK character
    is a word of its own."""
    words: list[int] = []
    last, end = "", 0
    for a, b in places:
        kind = _kind(text[a]) if a < b else ""
        same = bool(words) and kind == last == "letters" and a == end
        words.append(words[-1] + (not same) if words else 0)
        last, end = (_kind(text[b - 1]), b) if a < b else ("", b)
    return tuple(words)


def _kind(sign: str) -> str:
    """ "letters" where one such sign goes on with the next; CJK is written without spaces."""
    code = ord(sign)
    if 0x2E80 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF:
        return "alone"
    return "letters" if unicodedata.category(sign)[0] in "LMN" else "alone"


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """A piece's place with the combining marks that follow it (a tokenizer may drop accents) and
    without the space around it (some count the space before a word in); a piece of space alone has
    an empty place."""
    while end < len(text) and unicodedata.category(text[end]) in {"Mn", "Me"}:
        end += 1
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


@lru_cache(maxsize=8)
def _frame(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special ids that open and close every window, such as [CLS] and [SEP]."""
    read = tokenizer.backend_tokenizer.encode("a", add_special_tokens=True)
    special = list(read.special_tokens_mask)
    first = special.index(0)
    last = len(special) - special[::-1].index(0)
    return tuple(read.ids[:first]), tuple(read.ids[last:])


@dataclass(frozen=True)
class Window:
    """One run of the encoder: ids with the special ones, and which pieces `[first, last)` it holds.
    `head` is how many special ids come before the first piece."""

    ids: tuple[int, ...]
    first: int
    last: int
    head: int


def cut(base: Base, pieces: Pieces, size: int | None = None) -> list[Window]:
    """The windows of a text, at least one (of special ids alone) and at most WINDOWS."""
    opening, closing = _frame(base.tokenizer)
    room = max(1, (size or base.max_tokens) - len(opening) - len(closing))
    return [
        Window((*opening, *pieces.ids[first:last], *closing), first, last, len(opening))
        for first, last in _runs(pieces.words, room)
    ][:WINDOWS]


def _runs(words: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    first = 0
    while True:
        last = min(first + room, len(words))
        if last < len(words):
            cutting = last
            while cutting > first and words[cutting] == words[cutting - 1]:
                cutting -= 1
            last = cutting if cutting > first else last  # one word longer than a window is cut
        yield first, last
        if last >= len(words):
            return
        first = last
