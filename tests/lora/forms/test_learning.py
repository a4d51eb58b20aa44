"""Every form trains on a small task in seconds and gets better than its cold start."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from label_config.controls import Control, Label, Schema
from label_config.values import Choice, Example, Quantity, Region, Span
from lora.base import Base
from lora.fit import fit, write_adapter
from lora.judge import judge_all
from settings import Train

VERBS = ("play", "buy", "paint")
COLOURS = ("red", "green", "blue")
THINGS = ("song", "coat", "wall", "boat", "house", "album")
FAST = Train(steps=80, rank=4)


def texts(count: int) -> list[tuple[str, str, str]]:
    """Verb, colour and thing of each text, drawn evenly."""
    draw = random.Random(0)
    made = [(v, c, t) for v in VERBS for c in COLOURS for t in THINGS]
    draw.shuffle(made)
    return made[:count]


def task(schema: Schema, answers_of: dict[str, object], count: int = 48) -> list[Example]:
    """Examples whose answers follow from their words: three in four to learn from."""
    rows: list[Example] = []
    for i, words in enumerate(texts(count)):
        by_key, options, answers = {"text": "the " + " ".join(words)}, {}, []
        for control in schema.controls:
            says = answers_of[control.name]
            assert callable(says)
            extra = says(control, words, by_key, options)
            answers += extra
        side = "holdout" if i % 4 == 3 else "train"
        rows.append(
            Example(f"e{i:03d}", i, f"g{i}", side, by_key, tuple(answers), options=options)  # type: ignore[arg-type]
        )
    return rows


def labels(*values: str) -> tuple[Label, ...]:
    return tuple(Label(v, v) for v in values)


Words = tuple[str, str, str]
Texts = dict[str, str]
Options = dict[str, tuple[Label, ...]]


def verb(c: Control, w: Words, t: Texts, o: Options) -> list[Region]:
    return [Choice(c.name, c.to_name, (f"x{VERBS.index(w[0])}",))]


def path(c: Control, w: Words, t: Texts, o: Options) -> list[Region]:
    kind = "left" if w[0] == "play" else "right"
    return [Choice(c.name, c.to_name, (f"{kind} / x{COLOURS.index(w[1])}",))]


def several(c: Control, w: Words, t: Texts, o: Options) -> list[Region]:
    picked = {"play": ("x",), "buy": ("x", "y"), "paint": ("y", "z")}[w[0]]
    return [Choice(c.name, c.to_name, picked)]


def rating(c: Control, w: Words, t: Texts, o: Options) -> list[Region]:
    return [Choice(c.name, c.to_name, (str(1 + COLOURS.index(w[1]) * 2),))]


def number(c: Control, w: Words, t: Texts, o: Options) -> list[Region]:
    return [Quantity(c.name, c.to_name, 10.0 + 20 * VERBS.index(w[0]))]


def better(c: Control, w: Words, t: Texts, o: Options) -> list[Region]:
    other = random.Random(w[0] + w[1] + w[2]).choice([x for x in COLOURS if x != w[1]])
    t["b"] = f"the {other} {w[2]} now"
    won = COLOURS.index(w[1]) > COLOURS.index(other)
    return [Choice(c.name, c.to_name, ("left" if won else "right",))]


def spans(c: Control, w: Words, t: Texts, o: Options) -> list[Region]:
    """The whole phrase, and inside it the colour: two labels that overlap."""
    start = t["text"].index(w[1])
    phrase = f"{w[1]} {w[2]}"
    return [
        Span(c.name, c.to_name, start, start + len(phrase), phrase, ("phrase",)),
        Span(c.name, c.to_name, start, start + len(w[1]), w[1], ("colour",)),
    ]


def own(c: Control, w: Words, t: Texts, o: Options) -> list[Region]:
    """Codes that say nothing, two of three offered."""
    right = VERBS.index(w[0])
    o[c.name] = labels(f"x{right}", f"x{(right + 1 + len(w[2]) % 2) % 3}")
    return [Choice(c.name, c.to_name, (f"x{right}",))]


TREE = tuple(
    Label(f"{side} / x{i}", f"x{i}", path=(side, f"x{i}"))
    for side in ("left", "right")
    for i in range(3)
)
ONE = Control("one", "Choices", "t", "text", labels("x0", "x1", "x2"))
CASES = {
    "one": (ONE, verb),
    "many": (
        Control("c", "Choices", "t", "text", labels("x", "y", "z"), True),
        several,
    ),
    "tree": (Control("c", "Taxonomy", "t", "text", TREE), path),
    "ordinal": (Control("c", "Rating", "t", "text", labels("1", "2", "3", "4", "5")), rating),
    "number": (Control("c", "Number", "t", "text", low=0.0, step=10.0), number),
    "pair": (Control("c", "Pairwise", "t", "text", labels("left", "right"), right_key="b"), better),
    "spans": (Control("c", "Labels", "t", "text", labels("phrase", "colour")), spans),
    "options": (Control("c", "Choices", "t", "text", options="options"), own),
}
BARS = dict.fromkeys(CASES, 0.8) | {"tree": 0.5, "many": 0.6}


@pytest.mark.model  # trains: seconds
@pytest.mark.parametrize("name", CASES)
def test_a_form_learns_beyond_its_cold_start(name: str, tiny: Base, tmp_path: Path) -> None:
    control, says = CASES[name]
    schema = Schema((control,))
    rows = task(schema, {control.name: says})
    write_adapter(tmp_path, fit(tiny, schema, [e for e in rows if e.side == "train"], [], FAST))
    holdout = [e for e in rows if e.side == "holdout"]
    scores = judge_all(tiny, schema, holdout, candidate=tmp_path, champion=None, notes=[])
    candidate, cold = scores["candidate"]["mean"], scores["cold"]["mean"]
    assert candidate > cold and candidate >= BARS[name], (candidate, cold)


@pytest.mark.model  # trains: seconds
def test_all_forms_learn_side_by_side(tiny: Base, tmp_path: Path) -> None:
    named = {n: (replace(c, name=n), says) for n, (c, says) in CASES.items()}
    schema = Schema(tuple(c for c, _ in named.values()))
    rows = task(schema, {n: says for n, (_, says) in named.items()})
    write_adapter(tmp_path, fit(tiny, schema, [e for e in rows if e.side == "train"], [], FAST))
    holdout = [e for e in rows if e.side == "holdout"]
    scores = judge_all(tiny, schema, holdout, candidate=tmp_path, champion=None, notes=[])
    assert scores["candidate"]["controls"].keys() == CASES.keys()
    assert scores["candidate"]["mean"] > scores["cold"]["mean"] + 0.3
