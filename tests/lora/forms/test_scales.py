"""Ratings keep their order, numbers their bounds, pairs their symmetry; all from the start on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.controls import Control, Label
from label_config.values import Choice, Quantity
from lora.forms import form_of
from lora.forms.form import Given, Head
from lora.forms.number import fitted, within
from lora.forms.ordinal import as_stored, thresholds
from lora.forms.spans import Mark
from lora.forms.starts import start_number, start_ordinal, start_pair, start_spans
from lora.heads import NEVER
from lora.network import Encoded
from lora.windows import Pieces

HIDDEN, NUMBERS = 8, st.floats(-20, 20, allow_nan=False)
STARS = Control("s", "Rating", "t", "text", tuple(Label(str(i), str(i)) for i in range(1, 6)))
PRICE = Control("n", "Number", "t", "text", low=0.0, high=10.0, step=0.5)
PAIR = Control("p", "Pairwise", "a", "a", (Label("left", "A"), Label("right", "B")), right_key="b")
FACTS = {"mean": 5.0, "scale": 2.0, "spread": 1.0, "low": 0.0, "high": 10.0}


def seen(vector: torch.Tensor, other: torch.Tensor | None = None) -> Given:
    pieces = Pieces((), (), ())
    right = None if other is None else Encoded(pieces, other, None)
    return Given("x", Encoded(pieces, vector, None), right)


def line(count: int = 80) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Vectors, and how far each lies along a hidden direction, in [0, 1]."""
    draw = np.random.default_rng(0)
    along = draw.random(count)
    vectors = 0.05 * draw.standard_normal((count, HIDDEN))
    vectors[:, 0] += along
    vectors[:, 1] += 1 - along
    return vectors, along


@given(bias=st.lists(NUMBERS, min_size=1, max_size=9))
@settings(max_examples=50)
def test_thresholds_fall_whatever_training_makes_of_them(bias: list[float]) -> None:
    levels = thresholds(torch.tensor(bias))
    assert bool((levels[1:] <= levels[:-1]).all())


def test_thresholds_come_back_as_they_were_stored() -> None:
    levels = torch.tensor([3.0, 1.0, 0.5, -4.0])
    assert torch.allclose(thresholds(as_stored(levels)), levels, atol=1e-4)


@given(bias=st.lists(NUMBERS, min_size=4, max_size=4), logit=NUMBERS)
@settings(max_examples=50)
def test_the_rating_is_the_median_and_its_score_its_probability(
    bias: list[float], logit: float
) -> None:
    head = Head(STARS, torch.full((1, 1), logit), torch.tensor(bias), True)
    ((regions, score),) = form_of(STARS).read(head, [seen(torch.ones(1))], _none)
    above = torch.sigmoid(head.logits(torch.ones(1, 1)))[0].tolist()
    chances = [a - b for a, b in zip([1.0, *above], [*above, 0.0], strict=True)]
    (region,) = regions
    assert isinstance(region, Choice)
    place = int(region.labels[0]) - 1
    assert sum(chances[: place + 1]) >= 0.5 - 1e-6 and sum(chances[place:]) >= 0.5 - 1e-6
    assert score == pytest.approx(chances[place], abs=1e-6)


def test_a_rating_of_one_star_only_is_that_one() -> None:
    one = Control("s", "Rating", "t", "text", (Label("1", "1"),))
    head = start_ordinal(one, np.zeros((3, HIDDEN)), [0, 0, 0])
    ((regions, score),) = form_of(one).read(head, [seen(torch.zeros(HIDDEN))], _none)
    assert [r.labels for r in regions if isinstance(r, Choice)] == [("1",)] and score == 1.0


def test_ratings_are_learned_in_order_from_frozen_vectors() -> None:
    vectors, along = line(200)
    places = np.minimum((along * 5).astype(int), 4).tolist()
    head = start_ordinal(STARS, vectors, places)
    rows = [seen(torch.tensor(v, dtype=torch.float32)) for v in vectors]
    said = form_of(STARS).read(head, rows, _none)
    got = [int(r.labels[0]) - 1 for (r,), _ in said if isinstance(r, Choice)]
    off = np.abs(np.array(got) - places).mean()
    assert off < np.abs(np.array(places) - 2).mean() * 0.7


@given(value=st.floats(-1e6, 1e6))
@settings(max_examples=50)
def test_a_number_lies_on_a_step_within_the_bounds(value: float) -> None:
    got = fitted(PRICE, value)
    assert 0 <= got <= 10 and got * 2 == round(got * 2)
    assert abs(got - min(10.0, max(0.0, value))) <= 0.25


def test_a_number_without_bounds_is_left_alone() -> None:
    assert fitted(Control("n", "Number", "t", "text"), -3.25) == -3.25


def test_a_numbers_score_falls_with_its_error() -> None:
    def score(spread: float) -> float:
        head = Head(PRICE, torch.zeros(1, 2), torch.zeros(1), True, {**FACTS, "spread": spread})
        return within(head)

    assert score(0.0) == 1.0
    assert score(1.0) == pytest.approx(0.6827, abs=1e-3)  # one standard deviation
    assert score(5.0) < 0.2


def test_a_numbers_target_is_in_units_of_the_train_answers_spread() -> None:
    head, form = Head(PRICE, torch.zeros(1, 2), torch.zeros(1), True, FACTS), form_of(PRICE)
    target = torch.tensor([form.target(head, 9.0, ()), form.target(head, None, ())])
    outputs = torch.tensor([[2.0], [99.0]])
    assert float(form.loss(PRICE, outputs, target, torch.ones(2))) == 0.0
    assert float(form.loss(PRICE, outputs + 1, target, torch.ones(2))) == 0.5


def test_numbers_are_learned_from_frozen_vectors_with_an_honest_spread() -> None:
    vectors, along = line()
    head = start_number(PRICE, vectors, (10 * along).tolist())
    rows = [seen(torch.tensor(v, dtype=torch.float32)) for v in vectors]
    said = form_of(PRICE).read(head, rows, _none)
    got = [r.value for (r,), _ in said if isinstance(r, Quantity)]
    error = float(np.sqrt(np.mean((np.array(got) - 10 * along) ** 2)))
    assert error < 0.5 * float((10 * along).std())
    assert error * 0.8 < head.facts["spread"] < 3 * error


@pytest.mark.parametrize("numbers", [[3.0], [3.0, 3.0, 3.0]])
def test_equal_numbers_are_answered_as_they_are(numbers: list[float]) -> None:
    head = start_number(PRICE, np.eye(3, HIDDEN)[: len(numbers)], numbers)
    ((regions, score),) = form_of(PRICE).read(head, [seen(torch.zeros(HIDDEN))], _none)
    assert [r.value for r in regions if isinstance(r, Quantity)] == [3.0]
    assert 0 <= score <= 1 and math.isfinite(score)


@given(values=st.lists(NUMBERS, min_size=2 * HIDDEN, max_size=2 * HIDDEN), seed=st.integers(0, 9))
@settings(max_examples=50)
def test_a_pair_is_antisymmetric(values: list[float], seed: int) -> None:
    left, right = torch.tensor(values).reshape(2, HIDDEN)
    draw = torch.Generator().manual_seed(seed)
    head = Head(PAIR, torch.randn(1, HIDDEN, generator=draw), torch.zeros(0), True)
    rows = [seen(left, right), seen(right, left)]
    (one, sure), (two, also) = (form_of(PAIR).read(head, [r], _none)[0] for r in rows)
    assert sure == also
    labels = {r.labels[0] for r in (*one, *two) if isinstance(r, Choice)}
    assert labels == {"left", "right"} or not (one or two)


def test_pairs_are_learned_from_frozen_vectors_whatever_the_side() -> None:
    vectors, along = line()
    left, right = vectors[::2], vectors[1::2]
    sides = ["left" if a > b else "right" for a, b in zip(along[::2], along[1::2], strict=True)]
    head = start_pair(PAIR, left - right, sides)
    rows = torch.tensor(left - right, dtype=torch.float32)
    got = ["left" if x > 0 else "right" for x in head.logits(rows)[:, 0].tolist()]
    assert np.mean([a == b for a, b in zip(got, sides, strict=True)]) > 0.9
    assert start_pair(PAIR, left, ["left"] * len(left)).weight.shape == (1, HIDDEN)


def test_tags_start_at_their_share_and_unused_ones_silent() -> None:
    control = Control("l", "Labels", "t", "text", tuple(Label(v, v) for v in "abc"))
    head = start_spans(control, HIDDEN, [[Mark(0, 3, 0)], [Mark(4, 5, 1)]], 100)
    expected = [math.log(0.01), math.log(0.02), math.log(0.01), NEVER, NEVER, NEVER]
    assert head.bias.tolist() == pytest.approx(expected) and head.trained
    assert not head.weight.any()


def _none(texts: object) -> torch.Tensor:
    raise AssertionError("nothing is embedded for these forms")


def test_the_highest_step_may_lie_below_the_highest_number() -> None:
    assert fitted(Control("n", "Number", "t", "text", low=0.0, high=10.0, step=3.0), 11.0) == 9.0
