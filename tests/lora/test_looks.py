"""One-sided looks: exact where they can be, right about luck everywhere."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom  # type: ignore[import-untyped]

from lora.looks import Look, among, look, mcnemar, rows_of
from lora.paired import Marks

ACCURACY, SPANS = {"c": "accuracy"}, {"s": "f1"}


def rows(right: Sequence[float]) -> dict[str, dict[str, list[float]]]:
    return {f"e{i:03d}": {"c": [float(mark)]} for i, mark in enumerate(right)}


def looked(one: Marks, other: Marks, metrics: dict[str, str]) -> Look:
    found = rows_of([one, other], metrics, {row: row for row in one})
    assert found is not None
    return look(found, "other")


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemars_p_is_the_exact_ones_middle(won: int, lost: int) -> None:
    p = mcnemar(won, lost)
    above, at = binom.sf(won, won + lost, 0.5), binom.pmf(won, won + lost, 0.5)
    assert p == pytest.approx(above + at / 2, abs=1e-12)
    assert p + mcnemar(lost, won) == pytest.approx(1)


def test_many_coins_fall_as_the_bell_curve_says() -> None:
    assert mcnemar(530, 469) == pytest.approx(mcnemar(531, 470), abs=0.002)


def test_one_control_of_right_and_wrong_is_mcnemars() -> None:
    found = looked(rows([1, 1, 1, 1, 0, 1]), rows([0, 0, 0, 1, 0, 1]), ACCURACY)
    assert (found.test, found.won, found.lost, found.p) == ("McNemar", 3, 0, 1 / 16)
    assert found.value == 0.5 and found.low >= 0


def test_swaps_agree_with_mcnemar_where_both_can_judge() -> None:
    one, other = rows([1] * 14 + [0] * 26), rows([0] * 8 + [1] * 10 + [0] * 22)
    exact = looked(one, other, ACCURACY)
    near = looked(one, other, {"c": "closeness"})
    assert near.test == "swaps" and near.p == pytest.approx(exact.p, abs=0.02)


def test_spans_are_judged_by_their_counts_over_all_rows() -> None:
    good = {f"e{i}": {"s": [2.0, 0.0, 0.0]} for i in range(12)}
    none = {f"e{i}": {"s": [0.0, 0.0, 2.0]} for i in range(12)}
    found = looked(good, none, SPANS)
    assert found.value == 1.0 and found.p < 0.001 and (found.won, found.lost) == (12, 0)
    assert looked(none, good, SPANS).p > 0.999
    assert looked(good, good, SPANS).p == pytest.approx(0.5)


def test_alike_contestants_pass_as_often_as_they_may() -> None:
    draw, passed = random.Random(3), 0
    for _ in range(120):
        one, other = (
            {f"e{i}": {"s": [float(draw.random() < 0.7), 0.0, 1.0]} for i in range(25)}
            for _ in range(2)
        )
        passed += looked(one, other, SPANS).p <= 0.1
    assert 3 <= passed <= 25  # of 120, 12 expected


def test_a_second_look_pays_for_the_first() -> None:
    one, first, base = rows([1] * 30 + [0] * 10), rows([1] * 23 + [0] * 17), rows([1] * 40)
    three = rows_of([one, first, base], ACCURACY, {row: row for row in one})
    assert three is not None
    alone = look(three, "human")
    shared = among(three, alone, 0.0125)
    assert shared.test == "max-T" and (shared.value, shared.won) == (alone.value, alone.won)
    assert alone.p < shared.p < alone.p + 0.03


def test_rows_that_both_were_not_judged_on_do_not_count() -> None:
    assert (
        rows_of([rows([1, 0]), {"x": {"c": [1.0]}}], ACCURACY, {"e000": "a", "e001": "b"}) is None
    )
