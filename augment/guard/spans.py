"""Span integrity: every span covers what it says, cuts no letter, and none was lost on the way."""

from __future__ import annotations

import unicodedata
from collections import Counter

from augment.guard.habits import cuts_word, overlaps, spans_of
from augment.guard.values import RESTATING, Context, Thresholds, family
from augment.values import Made

JOINERS = frozenset("\u200d\ufe0e\ufe0f")
ENOUGH = 20  # original spans, from which on what never happens among them is not done


def spans(made: Made, context: Context, _: Thresholds) -> str | None:
    """Why one of its spans is not where it says, or cannot be."""
    own = spans_of(made.answers)
    for span in own:
        control = context.schema.control(span.from_name)
        text = made.texts.get(control.key, "") if control else ""
        if span.end > len(text) or text[span.start : span.end] != span.text:
            return f"a span at {span.start}:{span.end} of {len(text)} covers not what it says"
        if span.text != span.text.strip() and not _habit(context, "edge"):
            return f"a span at {span.start}:{span.end} begins or ends in white space"
        for at in (span.start, span.end):
            if cuts_letter(text, at):
                return f"a span at {span.start}:{span.end} cuts a letter in two at {at}"
            if cuts_word(text, at) and not _habit(context, "word"):
                return f"a span at {span.start}:{span.end} cuts a word in two at {at}"
    places = Counter((s.from_name, s.start, s.end, tuple(sorted(s.labels))) for s in own)
    twice = sum(n - 1 for n in places.values())
    if twice:
        return f"{twice} span(s) are there twice"
    met = overlaps(own)
    if met and not _habit(context, "overlap"):
        return f"{met} pair(s) of spans overlap, and no originals' do"
    return _lost(made, context) if family(made.transform) in RESTATING else None


def _lost(made: Made, context: Context) -> str | None:
    parent = context.parents[made.parent]
    asked, found = (
        Counter((s.from_name, tuple(sorted(s.labels))) for s in spans_of(answers))
        for answers in (parent.answers, made.answers)
    )
    lost, more = sum((asked - found).values()), sum((found - asked).values())
    return f"it lost {lost} span(s) of its parent's and has {more} more" if lost or more else None


def cuts_letter(text: str, at: int) -> bool:
    """Whether the place lies inside what a reader sees as one letter: before a combining mark, at
    a joiner or skin tone of an emoji, inside a flag or a line end."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if unicodedata.category(after)[0] == "M" or before == "\u200d" or after in JOINERS:
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or before + after == "\r\n":
        return True
    flags = 0
    while flags < at and "\U0001f1e6" <= text[at - 1 - flags] <= "\U0001f1ff":
        flags += 1
    return flags % 2 == 1 and "\U0001f1e6" <= after <= "\U0001f1ff"


def _habit(context: Context, what: str) -> bool:
    """Whether people here do this too, or too few spans are known to say."""
    return context.span_habits["spans"] < ENOUGH or context.span_habits[what] > 0
