"""The slips and habits of people who type: what a text would look like from another keyboard.

Nothing is done more often than the project's own texts show it. What carries the label stays:
numbers, negations, names (any word with a capital inside a text) and the words of a written answer
are never misspelt or left out, nor is a span's text; casing, which does reach spans, moves them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields

from augment.sources import habits
from augment.sources.parents import answers_any, check_parents, keys_of
from augment.sources.tokens import carried
from augment.sources.typos import typos
from augment.spans import Edit, Range, edited, spans_in
from augment.values import Made
from label_config.controls import InvalidValue, Schema
from label_config.values import Example, Region, Written

Habit = Callable[[str, random.Random], list[Edit]]
_AUTHOR = re.compile(r"(?m)^[^\n:]{1,60}:[ ]")
_BARE = re.compile(r"\w+")


@dataclass(frozen=True)
class Rates:
    """How often a project's own texts show each habit, as shares in [0, 1]; by default none.

    `typos`: of words, the misspelt ones. `lower`, `upper`: of texts, those without a capital,
    without a small letter. `small_start`: of the others, those that begin with a small letter.
    `contracted`, `expanded`: of places where CONTRACTIONS could stand, those that are contracted,
    that are written out. `bare`: of contractions, those without the apostrophe. `abbreviated`: of
    the words in SHORT, those that are shortened. `terse`: of texts of five words and more, those
    without an article. `no_commas`: of texts of twelve words and more, those without a comma.
    `unended`: of texts, those that end in no mark.
    """

    typos: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    small_start: float = 0.0
    contracted: float = 0.0
    expanded: float = 0.0
    bare: float = 0.0
    abbreviated: float = 0.0
    terse: float = 0.0
    no_commas: float = 0.0
    unended: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            share = getattr(self, f.name)
            if not 0.0 <= share <= 1.0:
                raise InvalidValue(f"the rate {f.name} is {share}; a share in [0, 1] is needed")


def noise(
    example: Example,
    schema: Schema,
    rates: Rates,
    rng: random.Random,
    vocabulary: Collection[str] = frozenset(),
) -> Made | None:
    """A child that says the same from another keyboard: every answer is kept, spans are moved.

    `vocabulary`: the project's words in small letters; no typo makes another of them. None where
    the draw changes nothing (often, with small rates; a second draw would do more than the rates
    say), and for a comparison of two texts, which may turn on how well each is written.
    """
    check_parents([example])
    if answers_any(example, schema, "pair"):
        return None
    texts, answers = dict(example.texts), example.answers
    for key in keys_of(example, schema):
        for habit, cases in _habits(rates, vocabulary):
            kept = _kept(texts[key], answers, schema, key, cases)
            drawn = habit(texts[key], rng)
            edits = [e for e in drawn if not any(e.touches(*place) for place in kept)]
            done = edited(texts, answers, schema, key, edits)
            if done is None:
                return None
            texts, answers = done
        if carried(texts[key]) != carried(example.texts[key]):
            return None
    if texts == example.texts:
        return None
    return Made(example.id, texts, answers, "noise")


def _habits(rates: Rates, known: Collection[str]) -> list[tuple[Habit, bool]]:
    """In the order they happen, each with whether it changes casing alone."""
    r = rates
    return [
        (lambda text, rng: habits.terse(text, r.terse, rng), False),
        (lambda text, rng: habits.abbreviate(text, r.abbreviated, rng), False),
        (lambda text, rng: habits.contractions(text, r.contracted, r.expanded, rng), False),
        (lambda text, rng: habits.bare(text, r.bare, rng), False),
        (lambda text, rng: habits.no_commas(text, r.no_commas, rng), False),
        (lambda text, rng: habits.unended(text, r.unended, rng), False),
        (lambda text, rng: typos(text, r.typos, known, rng), False),
        (lambda text, rng: habits.casing(text, r.lower, r.upper, r.small_start, rng), True),
    ]


def _kept(
    text: str, answers: Sequence[Region], schema: Schema, key: str, cases: bool
) -> list[Range]:
    """The ranges that stay as they are: the authors of a dialogue's turns; but for casing the
    spans, too; where an answer is written, the words that it shares, in any case."""
    kept: list[Range] = []
    if schema.text_object(key).kind == "Paragraphs":
        kept += [m.span() for m in _AUTHOR.finditer(text)]
    if not cases:
        kept += [(s.start, s.end) for s in spans_in(answers, schema, key)]
    said = {w for r in answers if isinstance(r, Written) for w in _BARE.findall(r.text.lower())}
    return kept + [m.span() for m in _BARE.finditer(text) if m.group().lower() in said]
