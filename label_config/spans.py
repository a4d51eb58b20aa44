"""Where a span stands in its text, and how Label Studio 1.23.2 writes it for each kind of object.

Plain text: `start` and `end` in code points (the editor shows a line end as one <br> each, so a
CRLF counts twice; data that was edited elsewhere may count it once). HyperText: see hypertext.py;
Paragraphs: see dialogue.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from label_config.controls import TextObject
from label_config.dialogue import Dialogue, read_dialogue
from label_config.hypertext import Page, read_page

Place = tuple[int, int, str]
"""Start, end (code points, exclusive) and the text between."""
Source = str | Page | Dialogue


def read_source(shown: TextObject, value: object) -> Source | None:
    """What stands under a data key, read as its object shows it; None where nothing is."""
    if shown.kind == "Paragraphs":
        got = read_dialogue(value, shown.name_key, shown.text_key)
        return got if isinstance(got, Dialogue) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)  # a number is shown as its digits
    if not isinstance(value, str):
        return None
    return read_page(value, shown.inline) if shown.kind == "HyperText" else value


def source_text(source: Source) -> str:
    """The plain text that spans of this source count in."""
    return source if isinstance(source, str) else source.text


def read_place(source: Source | None, value: Mapping[str, Any]) -> Place | str:
    """Where the `value` of a stored span stands, or the reason why that is unknown."""
    if source is None:
        return "labels a text that the task does not hold"
    if isinstance(source, str):
        return _anchor(source, value)
    if isinstance(source, Page):
        return _read_page_span(source, value)
    return _read_turns(source, value)


def write_place(source: Source | None, start: int, end: int, text: str) -> dict[str, Any] | None:
    """The place of a span as the editor displays it; None where it holds nothing to display."""
    if isinstance(source, Page):
        return _write_page_span(source, start, end)
    if isinstance(source, Dialogue):
        return _write_turns(source, start, end)
    return {"start": start, "end": end, "text": text}


def _read_page_span(page: Page, value: Mapping[str, Any]) -> Place | str:
    """globalOffsets first, as they do not depend on the tree; XPaths where they are missing or do
    not fit the text that the span says it covers."""
    offsets = value.get("globalOffsets")
    offsets = offsets if isinstance(offsets, Mapping) else {}
    told = (offsets.get("start"), offsets.get("end"))
    paths = page.from_paths(
        value.get("start"), value.get("startOffset"), value.get("end"), value.get("endOffset")
    )
    if told == (None, None) and type(value.get("start")) is int:
        told = (value.get("start"), value.get("end"))  # the short form that imports may use
    places = [
        (place[0], place[1], page.text[place[0] : place[1]])
        for a, b in (told, paths or (None, None))
        if type(a) is int and type(b) is int and 0 <= a < b and (place := page.from_global(a, b))
    ]
    if not places:
        return "has neither offsets nor paths that lead to a text"
    said = value.get("text")
    fits = [p for p in places if not isinstance(said, str) or _bare(p[2]) == _bare(said)]
    if not fits and len(places) == 2 and places[0] == places[1]:
        fits = places  # both ways lead here; the browser shows some of it otherwise (CSS)
    return fits[0] if fits else "does not cover the text it names"


def _write_page_span(page: Page, start: int, end: int) -> dict[str, Any] | None:
    offsets = page.to_global(start, end)
    if offsets is None:
        return None
    # The editor falls back on globalOffsets where a path leads nowhere, as an empty one does.
    first, at, last, to = page.to_paths(*offsets) or ("", 0, "", 0)
    return {
        "start": first,
        "end": last,
        "startOffset": at,
        "endOffset": to,
        "globalOffsets": {"start": offsets[0], "end": offsets[1]},
        "text": page.text[start:end],
    }


def _read_turns(dialogue: Dialogue, value: Mapping[str, Any]) -> Place | str:
    numbers = [_whole(value.get(k)) for k in ("start", "end", "startOffset", "endOffset")]
    first, last, at, to = numbers
    if first is None or last is None or at is None or to is None:
        return "has no whole numbers as turns and offsets"
    place = dialogue.from_turns(first, last, at, to)
    clipped = dialogue.clip(*place) if place and place[0] < place[1] else None
    if clipped is None:
        return f"has turns {first}:{last} and offsets {at}:{to} outside the dialogue"
    start, end = clipped
    said, text = value.get("text"), dialogue.text[start:end]
    # Over several turns the editor's text leaves out what stands between them.
    if first == last and isinstance(said, str) and _bare(said) != _bare(text):
        return "does not cover the text it names"
    return start, end, text


def _write_turns(dialogue: Dialogue, start: int, end: int) -> dict[str, Any] | None:
    turns = dialogue.to_turns(start, end)
    if turns is None:
        return None
    first, last, at, to = turns
    said = (
        t.text[max(start - t.start, 0) : max(end - t.start, 0)]
        for t in dialogue.turns[first : last + 1]
    )
    return {
        "start": str(first),
        "end": str(last),
        "startOffset": at,
        "endOffset": to,
        "text": "\n".join(said),
    }


def _whole(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return int(value)
    return value if type(value) is int else None


def _bare(text: str) -> str:
    """A text without any space or line end, those written as backslash and n included."""
    return re.sub(r"(?:\\[nr]|\s)+", "", text)


def _anchor(text: str, value: Mapping[str, Any]) -> Place | str:
    """Offsets into the task's own text, checked against the text the region says it covers.

    Where the two disagree the editor counted a CRLF as one character, or the data changed: the
    offsets are then mapped back from the text with single line ends, else the span is left out.
    """
    start, end, said = value.get("start"), value.get("end"), value.get("text")
    if type(start) is not int or type(end) is not int:
        return f"has offsets {start!r}:{end!r}; whole numbers are needed"
    if 0 <= start < end <= len(text) and (said is None or said == text[start:end]):
        return start, end, text[start:end]
    places = [(start, end)]
    if "\r\n" in text:
        back = [i for i, c in enumerate(text) if not (c == "\r" and text[i : i + 2] == "\r\n")]
        if 0 <= start < end <= len(back):
            places.insert(0, (back[start], back[end - 1] + 1))
    inside = [(s, e, text[s:e]) for s, e in places if 0 <= s < e <= len(text)]
    if not inside:
        return f"has offsets {start}:{end} outside a text of {len(text)} code points"
    if isinstance(said, str):
        for form in (_one_line, _trimmed):
            for place in inside:
                if form(place[2]) == form(said):
                    return place
    return "does not cover the text it names"


def _one_line(text: str) -> str:
    """A text with its line ends and runs of spaces told apart no more.

    A span that a person draws over a line break says its text as the browser's selection had it,
    each line end written as the two characters backslash and n (captureSelection in 1.23.2).
    """
    return re.sub(r"(?:\\[nr]|\s)+", " ", text)


def _trimmed(text: str) -> str:
    return _one_line(text).strip()
