"""Texts that experts typed beside their answer: each a human row of its own, with that answer.

Derived at every freeze and stored nowhere else, so a deleted annotation takes its variants along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from label_config.controls import Schema
from label_config.values import Example, Region, Span
from sync.groups import Groups, Place, alike

BLIND = "variant: typed on a blind task, whose answer judges; another row of it would judge twice"
SEVERAL = "variant: not the one text that is read"
AGAIN = "variant: its task's text again, or typed twice"
UNMARKED = "variant: a marked piece does not stand in it just once, apart from the others"
NOTHING = "variant: the answer holds nothing that its text could have"
JUDGES = "variant: a blind task has this text"


@dataclass(frozen=True)
class Typed:
    """The rows made of the texts typed beside one answer, and why the others were left out."""

    examples: tuple[Example, ...] = ()
    left_out: tuple[str, ...] = ()


def typed_variants(
    schema: Schema, parent: Example, typed: Mapping[str, Sequence[str]], limit: int
) -> Typed:
    """The variants of one human row, in its group and on its side, numbered as they were typed.

    `typed`: as Read has it; `limit`: code points kept of each text, as of every other.
    """
    notes = [n for n in schema.notes if n.role == "variant"]
    texts = [(n.key, text[:limit]) for n in notes for text in typed.get(n.name, ())]
    made: list[Example] = []
    left_out: list[str] = []
    for number, (key, text) in enumerate(texts, 1):
        said = [parent.texts.get(key, ""), *(e.texts[key] for e in made if key in e.texts)]
        if parent.side == "holdout":
            left_out.append(BLIND)
        elif schema.keys != (key,):
            left_out.append(SEVERAL)
        elif any(alike(text, other) for other in said):
            left_out.append(AGAIN)
        else:
            row = _variant(schema, parent, key, text, number)
            if isinstance(row, str):
                left_out.append(row)
            else:
                made.append(row)
    return Typed(tuple(made), tuple(left_out))


def said_of(schema: Schema, typed: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What the expert wrote as context, each sentence once."""
    notes = (n for n in schema.notes if n.role == "context")
    return tuple(dict.fromkeys(text for n in notes for text in typed.get(n.name, ())))


def apart_from(blind: Iterable[str], project: str, rows: Sequence[Example]) -> Typed:
    """The rows without those whose text is that of a blind task, which no training may see."""
    if not rows:
        return Typed()
    known = Groups(project, 0.0)
    for text in blind:
        known.remember(text, Place("blind", True))
    kept = tuple(e for e in rows if not any(known.like(text) for text in e.texts.values()))
    return Typed(kept, (JUDGES,) * (len(rows) - len(kept)))


def _variant(schema: Schema, parent: Example, key: str, text: str, number: int) -> Example | str:
    answers = _moved(parent, key, text)
    if answers is None:
        return UNMARKED
    marked = {(r.from_name, v) for r in answers if isinstance(r, Span) for v in r.labels}
    spans = [c for c in schema.controls if c.form == "spans"]
    # nobody marked this text: that a label's mark is missing says nothing
    unasked = {c.name: tuple(v for v in c.values if (c.name, v) not in marked) for c in spans}
    if not answers:
        return NOTHING
    return replace(
        parent,
        id=f"{parent.id}-variant-{number}",
        texts={key: text},
        answers=answers,
        unasked={name: values for name, values in unasked.items() if values},
        context=(),
    )


def _moved(parent: Example, key: str, text: str) -> tuple[Region, ...] | None:
    """The answers with each mark on the same words of another text; None where these do not stand
    there just once, or would run into each other."""
    pairs: list[tuple[Span, Span]] = []
    answers: list[Region] = []
    for region in parent.answers:
        if not isinstance(region, Span):
            answers.append(region)
            continue
        at = _only_place(region, parent.texts[key], text)
        if at is None:
            return None
        moved = replace(region, start=at, end=at + len(region.text))
        pairs.append((region, moved))
        answers.append(moved)
    for i, (before, after) in enumerate(pairs):
        for other, there in pairs[:i]:
            if _overlap(before, other) != _overlap(after, there):
                return None
    return tuple(answers)


def _only_place(span: Span, source: str, text: str) -> int | None:
    """Where the span's words stand in a text; a piece of a longer word is not them, unless the
    span itself cut one."""
    at = text.find(span.text)
    if at < 0 or text.find(span.text, at + 1) >= 0:
        return None
    end = at + len(span.text)
    cut = _in_word(text, at) > _in_word(source, span.start)
    return None if cut or _in_word(text, end) > _in_word(source, span.end) else at


def _in_word(text: str, at: int) -> bool:
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end
