"""Judges never saw what they judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from label_config import Example, read_schema
from label_config.values import Choice, Inputs
from lora.base import Base
from lora.crossfit import FOLDS, Embedder, crossfit

SCHEMA = read_schema(
    '<View><Text name="t" value="$text"/><Choices name="c" toName="t">'
    '<Choice value="music"/><Choice value="paint"/><Choice value="never"/></Choices></View>'
)
TEXTS = {"music": "play the song number {}", "paint": "paint it red now {}"}


def rows(count: int = 20) -> list[Example]:
    made: list[Example] = []
    for n in range(count):
        label = ("music", "paint")[n % 2]
        text = {
            "text": TEXTS[label].format("one two three four five".split()[n % 5] * (n // 5 + 1))
        }
        answer = (Choice("c", "t", (label,)),)
        made.append(Example(f"e{n}", n, f"g{n // 2}", "train", text, answer))
    return made


@pytest.fixture(scope="module")
def embed(tiny: Base) -> Embedder:
    return Embedder(tiny)


def test_a_group_is_never_judged_by_who_saw_any_of_it(embed: Embedder) -> None:
    examples = rows()
    found = crossfit(embed, SCHEMA, examples, seed=1)
    assert len(found.judges) == FOLDS and set(found.fold.values()) == set(range(FOLDS))
    for one, other in zip(examples[::2], examples[1::2], strict=True):
        assert one.group == other.group and found.fold[one.id] == found.fold[other.id]


def test_what_a_judge_says_of_its_own_fold_does_not_depend_on_the_answers_there(
    embed: Embedder,
) -> None:
    examples = rows()
    found = crossfit(embed, SCHEMA, examples, seed=1)
    turned = [
        replace(e, answers=(Choice("c", "t", ("never",)),)) if found.fold[e.id] == 2 else e
        for e in examples
    ]
    again = crossfit(embed, SCHEMA, turned, seed=1)
    for e in examples:
        same = found.out_of_fold[e.id] == again.out_of_fold[e.id]
        assert same == (found.fold[e.id] == 2), "only the others saw the change"


def test_judges_say_probabilities_of_every_label_also_of_those_they_never_saw(
    embed: Embedder,
) -> None:
    found = crossfit(embed, SCHEMA, rows(), seed=1)
    (odds,) = found.judges[0]([Inputs({"text": "paint the house"})])
    assert list(odds["c"]) == ["music", "paint", "never"]
    assert sum(odds["c"].values()) == pytest.approx(1.0) and odds["c"]["never"] > 0
    assert found.judges[0]([Inputs({"text": " "})]) == [{}]


def test_what_was_answered_with_one_label_only_is_not_judged(embed: Embedder) -> None:
    alone = [e for e in rows() if e.answers[0].labels == ("music",)]  # type: ignore[union-attr]
    texts = [replace(e, texts={"text": ""}) for e in alone]
    found = crossfit(embed, SCHEMA, texts, seed=1)
    assert all(odds == {} for odds in found.out_of_fold.values())


def test_a_scales_marks_are_judged_like_labels_and_spans_are_not(embed: Embedder) -> None:
    schema = read_schema(
        '<View><Text name="t" value="$text"/><Rating name="r" toName="t" maxRating="3"/>'
        '<Labels name="s" toName="t"><Label value="x"/></Labels></View>'
    )
    stars = {"music": "3", "paint": "1"}
    examples = [
        replace(e, answers=(Choice("r", "t", (stars[e.answers[0].labels[0]],)),))  # type: ignore[union-attr]
        for e in rows()
    ]
    found = crossfit(embed, schema, examples, seed=1)
    assert set(found.out_of_fold) == {e.id for e in examples}
    for odds in found.out_of_fold.values():
        assert set(odds) == {"r"} and list(odds["r"]) == ["1", "2", "3"]
        assert sum(odds["r"].values()) == pytest.approx(1.0)


def test_each_text_is_embedded_once_as_a_unit_vector(embed: Embedder) -> None:
    vectors = embed(["play the song", "paint it", "play the song"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert np.array_equal(vectors[0], vectors[2]) and not np.array_equal(vectors[0], vectors[1])
    assert embed([]).shape == (0, vectors.shape[1])
