"""A line with its spans marked in it, `[Binance](exchange)`: written for prompts, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from augment.spans import spans_in
from label_config.controls import Control, Schema
from label_config.values import Example, Span

_MARK = re.compile(r"\[([^\[\]()]+)\]\(([^\[\]()]+)\)")
_SIGNS = frozenset("[]()")


def names_of(
    controls: Sequence[Control], unasked: Mapping[str, Sequence[str]]
) -> dict[str, tuple[Control, str]] | None:
    """What each label is called in a line: its value, after its control's name where two have it.
    None where one holds a bracket, which would end the mark, or there is none that was asked."""
    asked = [(c, v) for c in controls for v in c.values if v not in unasked.get(c.name, ())]
    values = [v for _, v in asked]
    names = {v if values.count(v) == 1 else f"{c.name}: {v}": (c, v) for c, v in asked}
    return names if names and not any(_SIGNS & set(n) for n in names) else None


def write_marked(
    example: Example, schema: Schema, key: str, names: Mapping[str, tuple[Control, str]]
) -> str | None:
    """The text with its spans marked; None where two overlap, one has several labels or another
    one than `names` knows, or the text has brackets of its own next to each other."""
    text = example.texts[key]
    called = {(c.name, v): n for n, (c, v) in names.items()}
    parts, at = [], 0
    for span in sorted(spans_in(example.answers, schema, key), key=lambda s: s.start):
        name = called.get((span.from_name, span.labels[0]))
        if span.start < at or len(span.labels) > 1 or name is None or _SIGNS & set(span.text):
            return None
        parts += [text[at : span.start], f"[{span.text}]({name})"]
        at = span.end
    plain = "".join(parts[::2]) + text[at:]
    return None if "[" in plain or "]" in plain else "".join([*parts, text[at:]])


def read_marked(
    line: str, names: Mapping[str, tuple[Control, str]]
) -> tuple[str, tuple[Span, ...]] | None:
    """The plain line and its spans; None where a bracket is left over, a label is unknown, or a
    span holds nothing or spaces at its ends."""
    parts, spans, at, length = [], [], 0, 0
    for m in _MARK.finditer(line):
        words, name = m.group(1), m.group(2).strip()
        if name not in names or words != words.strip():
            return None
        parts.append(line[at : m.start()])
        length += len(parts[-1])
        control, value = names[name]
        end = length + len(words)
        spans.append(Span(control.name, control.to_name, length, end, words, (value,)))
        parts.append(words)
        at, length = m.end(), end
    text = "".join([*parts, line[at:]])
    return None if "[" in text or "]" in text else (text, tuple(spans))


def unmarked(text: str) -> str:
    """Any text without its marks."""
    return _MARK.sub(r"\1", text)
