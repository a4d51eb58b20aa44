"""Two contestants are told apart by their answers to the same rows, or not at all."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from lora.paired import Marks, difference, estimate, wilson

ACCURACY = {"what": "accuracy"}


def alone(*names: str) -> dict[str, str]:
    """Every row a group of its own."""
    return {name: name for name in names}


def rows(right: Sequence[float], control: str = "what") -> dict[str, dict[str, list[float]]]:
    return {f"e{i:03d}": {control: [float(mark)]} for i, mark in enumerate(right)}


def test_a_share_of_all_right_has_an_interval_and_known_ends() -> None:
    low, high = wilson(1.0, 10)
    assert (round(low, 3), high) == (0.722, 1.0)  # 1 / (1 + 1.96^2 / 10)
    assert [round(end, 3) for end in wilson(0.5, 20)] == [0.299, 0.701]


def test_an_estimate_is_the_score_of_its_metric() -> None:
    marks: Marks = {
        "a": {"parts": [2.0, 1.0, 0.0], "what": [1.0], "note": [0.25]},
        "b": {"parts": [1.0, 0.0, 2.0], "note": [0.75]},
    }
    groups = alone("a", "b")
    found = estimate([marks], "parts", "f1", groups)
    assert found is not None and found.n == 2
    assert found.value == pytest.approx(2 * 3 / (2 * 3 + 1 + 2))
    assert found.low == pytest.approx(0.5) and found.high == pytest.approx(0.8)
    written = estimate([marks], "note", "chrf", groups)
    assert written is not None and (written.value, written.n) == (0.5, 2)
    assert estimate([marks], "gone", "chrf", groups) is None


def test_seeds_are_averaged_and_their_luck_is_in_the_interval() -> None:
    good, bad = rows([0.9] * 40), rows([0.1] * 40)
    groups = alone(*good)
    sure = estimate([good, good], "what", "chrf", groups)
    unsure = estimate([good, bad], "what", "chrf", groups)
    assert sure is not None and unsure is not None
    assert sure.value == pytest.approx(0.9) and unsure.value == pytest.approx(0.5)
    assert sure.high - sure.low < 1e-9
    assert (unsure.low, unsure.high) == pytest.approx((0.1, 0.9))


def test_rows_that_differ_one_way_tell_two_apart() -> None:
    better, worse = rows([1] * 36 + [0] * 4), rows([1] * 24 + [0] * 16)
    found = difference([better], [worse], ACCURACY, alone(*better))
    assert found is not None and found.real()
    assert found.value == pytest.approx(0.3) and found.low > 0.1 and found.p < 0.01
    back = difference([worse], [better], ACCURACY, alone(*better))
    assert back is not None and back.value == pytest.approx(-0.3) and back.real()


def test_as_many_rows_that_differ_both_ways_do_not() -> None:
    one, other = rows([1] * 20 + [0] * 20), rows([0] * 20 + [1] * 20)
    found = difference([one], [other], ACCURACY, alone(*one))
    assert found is not None and not found.real() and found.p > 0.5


def test_a_few_rows_are_never_enough() -> None:
    one, other = rows([1] * 4), rows([0] * 4)
    found = difference([one], [other], ACCURACY, alone(*one))
    assert found is not None and found.low > 0, "the interval alone would say so"
    assert not found.real() and found.p == pytest.approx(2 / 16, abs=0.02)


def test_near_duplicates_count_once() -> None:
    one, other = rows([1] * 40), rows([0] * 36 + [1] * 4)
    together = {name: "same" if i < 36 else name for i, name in enumerate(one)}
    apart = difference([one], [other], ACCURACY, alone(*one))
    grouped = difference([one], [other], ACCURACY, together)
    assert apart is not None and apart.real()
    assert grouped is not None and not grouped.real() and grouped.p > 0.9


def test_only_what_both_were_judged_on_counts() -> None:
    one = {"a": {"what": [1.0], "note": [1.0]}, "b": {"what": [1.0]}, "c": {"what": [0.0]}}
    other = {"a": {"what": [1.0]}, "b": {"what": [0.0]}, "d": {"what": [0.0]}}
    metrics = {"what": "accuracy", "note": "chrf"}
    found = difference([one], [other], metrics, alone(*"abcd"))
    assert found is not None
    assert (found.value, found.n, found.controls) == (0.5, 2, ("what",))
    assert difference([one], [{"a": {"else": [1.0]}}], metrics, alone(*"abcd")) is None


def test_equal_contestants_are_rarely_told_apart() -> None:
    draw = random.Random(5)
    told = 0
    for _ in range(60):
        one, other = (rows([draw.random() < 0.8 for _ in range(30)]) for _ in range(2))
        found = difference([one], [other], ACCURACY, alone(*one))
        told += found is not None and found.real()
    assert told <= 6


def test_the_same_rows_give_the_same_numbers() -> None:
    one, other = rows([1, 0, 1, 1, 0, 1]), rows([0, 0, 1, 1, 0, 1])
    first, again = (difference([one], [other], ACCURACY, alone(*one)) for _ in range(2))
    assert first == again
