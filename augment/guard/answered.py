"""Answered instead of rewritten: what a model says about, after or in place of the text.

A phrase counts as a model's only where none of the project's own texts uses it: "I'm sorry" opens
support mails as well as refusals.
"""

from __future__ import annotations

from bisect import bisect_left

from augment.guard.phrases import OPENERS, residue_in
from augment.guard.texts import fold, weight
from augment.guard.values import LIGHT, RESTATING, Context, Thresholds, family
from augment.values import Made

LEAST_SOURCE = 12  # Latin letters of a source from which on it is known again inside a text
MORE = 1.5  # times the source's length, from which on what surrounds it is more than manners
ENOUGH = 20  # own texts, from which on their openings say how people here begin


def answered(made: Made, context: Context, _: Thresholds) -> str | None:
    """Why a model seems to speak here and not one of the project's people."""
    kind = family(made.transform)
    if kind in LIGHT:
        return None
    parent = context.parents[made.parent].texts
    for key, text in sorted(made.texts.items()):
        if text == parent[key]:
            continue
        why = _opener(text, context) or _residue(text, context) or _echo(text, parent[key])
        if why is None and kind in RESTATING:
            why = _reply(text, parent[key], context)
        if why is not None:
            return why
    return None


def _opener(text: str, context: Context) -> str | None:
    start = f"{fold(text[:200])} "
    wide = start[:1] > "\u2e80"  # no space ends a word there
    for phrase in OPENERS:
        if start.startswith(phrase if wide else f"{phrase} ") and not _begins(phrase, context):
            return f"it opens with {phrase!r}, as 0 of {len(context.own_texts)} own texts do"
    return None


def _begins(phrase: str, context: Context) -> bool:
    starts = context.openings.starts
    at = bisect_left(starts, phrase)
    return at < len(starts) and starts[at].startswith(phrase)


def _residue(text: str, context: Context) -> str | None:
    found = residue_in([text]) - context.residue
    if not found:
        return None
    return f"it holds {len(found)} kind(s) of prompt residue that 0 own texts hold"


def _echo(text: str, source: str) -> str | None:
    said, asked = fold(text), fold(source)
    if weight(asked) < LEAST_SOURCE or asked not in said or len(said) < MORE * len(asked):
        return None
    return f"it holds its whole source and is {len(said) / len(asked):.2f} times as long"


def _reply(text: str, source: str, context: Context) -> str | None:
    """A statement in place of a question, which no statement of the project's begins like."""
    openings = context.openings
    if len(context.own_texts) < ENOUGH or not openings.asks(source) or openings.asks(text):
        return None
    if openings.states(text):
        return None
    count = sum(openings.others.values())
    return f"its source asks and it does not, and opens like 0 of {count} own statements"
