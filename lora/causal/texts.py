"""A task's texts as a prompt holds them: whole, shortened in the middle, or window by window."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

MOST_WINDOWS = 24  # of one text; what lies behind is not read
GAP = " ... "

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BREAK = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SIGN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def quotable(text: str) -> str:
    """A text as spans quote it: each line break and control character is one space, so that a
    piece stays on one line and offsets stay; a lone surrogate is an unknown sign."""
    return _SURROGATE.sub("\ufffd", _SIGN.sub(" ", text))


def readable(text: str) -> str:
    """A text as the prompt shows it: with its lines, without control characters."""
    return _CONTROL.sub(" ", _BREAK.sub("\n", text)).strip()


def shortened(texts: Mapping[str, str], room: int) -> dict[str, str]:
    """Texts that have `room` code points together; long ones lose their middle, all at one size."""
    sizes = sorted(len(t) for t in texts.values())
    each, left = room, room
    for i, size in enumerate(sizes):
        each = left // (len(sizes) - i)
        if size > each:
            break
        left -= size
    else:
        return dict(texts)
    return {key: _middle_out(text, each) for key, text in texts.items()}


def _middle_out(text: str, room: int) -> str:
    """Two thirds from the beginning and a third from the end."""
    if len(text) <= room:
        return text
    tail = max(0, room - len(GAP)) // 3
    head = max(1, room - len(GAP) - tail)
    return text[:head].rstrip() + GAP + (text[-tail:].lstrip() if tail else "")


def windows(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    """Where a text's windows begin and end: at space where there is some, each a little into the
    one before, so that a span cut by one is whole in the other."""
    found: list[tuple[int, int]] = []
    start = 0
    while len(found) < MOST_WINDOWS:
        end = min(len(text), start + size)
        if end < len(text):
            end = _after_space(text, start + size // 2, end) or _apart(text, start + 1, end)
        if text[start:end].strip():
            found.append((start, end))
        if end >= len(text):
            break
        back = max(start + 1, end - overlap)
        start = _first_word(text, back, end) or _apart(text, start + 1, back)
    return found


def _after_space(text: str, low: int, high: int) -> int | None:
    """The last place in `(low, high]` that follows a line break, else any space."""
    at = text.rfind("\n", low, high)
    if at < 0:
        at = next((i for i in range(high - 1, low - 1, -1) if text[i].isspace()), -1)
    return at + 1 if at >= 0 else None


def _first_word(text: str, low: int, high: int) -> int | None:
    """The first place in `(low, high]` that follows a space."""
    return next((i + 1 for i in range(low, high) if text[i].isspace()), None)


def _apart(text: str, low: int, at: int) -> int:
    """A place no later than `at` that parts no sign from the marks on it."""
    while at > low and (unicodedata.category(text[at])[0] == "M" or text[at] in "\u200d\ufe0f"):
        at -= 1
    return at
