"""Probabilities are worth what they come true."""

from __future__ import annotations

import random

import pytest

from lora.ece import Said, calibration_error, luck


def alone(said: Said) -> dict[str, str]:
    return {row: row for row in said}


def test_the_error_is_the_distance_within_the_bins_by_their_answers() -> None:
    said = {f"a{i}": (0.95, float(i < 6)) for i in range(10)}  # 0.95 said, 0.6 true
    said |= {f"b{i}": (0.5, float(i < 15)) for i in range(30)}  # as said
    found = calibration_error(said, alone(said))
    assert found is not None and (found.metric, found.n) == ("ece", 40)
    assert found.value == pytest.approx(0.35 * 10 / 40)
    assert found.low < found.value < found.high


def test_what_is_said_and_true_has_little_error_and_too_sure_has_much() -> None:
    draw = random.Random(4)
    chances = [draw.uniform(0.2, 1.0) for _ in range(3000)]
    honest = {f"r{i}": (c, float(draw.random() < c)) for i, c in enumerate(chances)}
    boasting = {row: (min(1.0, c + 0.2), right) for row, (c, right) in honest.items()}
    good, bad = (calibration_error(s, alone(s)) for s in (honest, boasting))
    assert good is not None and good.high < 0.05
    assert bad is not None and bad.low > 0.1


def test_certainty_has_a_bin_and_near_duplicates_widen_the_interval() -> None:
    said = {f"r{i:02}": (1.0, float(i % 2)) for i in range(20)}
    found = calibration_error(said, alone(said))
    together = calibration_error(said, {row: str(i % 2) for i, row in enumerate(said)})
    assert found is not None and found.value == pytest.approx(0.5)
    assert together is not None and together.high - together.low > found.high - found.low
    assert calibration_error({}, {}) is None


def test_luck_is_what_true_probabilities_show_and_is_seldom_as_far_as_boasting() -> None:
    draw = random.Random(5)
    chances = [draw.uniform(0.2, 0.8) for _ in range(400)]
    honest = {f"r{i}": (c, float(draw.random() < c)) for i, c in enumerate(chances)}
    boasting = {row: (c + 0.15, right) for row, (c, right) in honest.items()}
    found, seen = luck(honest), calibration_error(honest, alone(honest))
    assert seen is not None and 0.03 < found["mean"] < 0.07  # 400 rows cannot show less
    assert 0.02 < found["as_far"] < 0.98 and luck(boasting)["as_far"] == 0.0
    fewer = luck({row: honest[row] for row in list(honest)[:100]})
    assert fewer["mean"] > 1.5 * found["mean"]
    assert luck({}) == {"mean": 0.0, "as_far": 1.0}
