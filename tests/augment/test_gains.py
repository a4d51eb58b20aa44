import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.gains import Gain, read_trend
from label_config.controls import InvalidValue


def gains(*differences: float, answers: int = 100) -> list[Gain]:
    return [Gain(answers, d, 0.01) for d in differences]


@pytest.mark.parametrize(
    ("past", "factor"),
    [
        ((), 1.0),
        ((0.05,), 1.0),
        ((0.05, 0.045), 1.0),  # lower by less than its error
        ((0.05, 0.03), 0.5),  # fell
        ((0.09, 0.06, 0.03), 0.25),  # fell twice
        ((0.09, 0.06, 0.09), 1.0),  # and rose again
        ((0.005,), 0.5),  # no gain: within its error
        ((0.09, 0.06, 0.0), 0.25),
        ((0.0, 0.05), 1.0),  # a gain after none
    ],
)
def test_the_ratio_is_halved_for_each_round_in_which_the_gain_fades(
    past: tuple[float, ...], factor: float
) -> None:
    trend = read_trend(gains(*past), 120)
    assert (trend.factor, trend.stopped) == (factor, False)


@pytest.mark.parametrize("past", [(0.0, 0.0), (0.05, 0.01, -0.02), (0.0, 0.0, 0.0)])
def test_two_rounds_without_a_gain_stop_it_and_half_as_many_answers_wake_it(
    past: tuple[float, ...],
) -> None:
    still = read_trend(gains(*past), 149)
    assert still.stopped
    assert "tries again at 150 answers, not at 149" in still.words
    assert f"{past[-1]:+.3f} ± 0.010" in still.words
    awake = read_trend(gains(*past), 150)
    assert (awake.stopped, awake.factor) == (False, 0.5)


def test_woken_in_vain_it_sleeps_until_half_as_many_answers_again() -> None:
    past = [*gains(0.0, 0.0), *gains(0.0, answers=150)]
    assert read_trend(past, 224).stopped
    assert not read_trend(past, 225).stopped


def test_woken_with_a_gain_it_goes_on_in_full() -> None:
    assert read_trend([*gains(0.0, 0.0), *gains(0.05, answers=150)], 160).factor == 1.0


@pytest.mark.parametrize(("difference", "error"), [(math.nan, 0.1), (0.1, -0.1), (0.1, math.inf)])
def test_a_gain_is_a_number_with_an_error(difference: float, error: float) -> None:
    with pytest.raises(InvalidValue, match="finite numbers are needed"):
        Gain(10, difference, error)


@given(
    st.lists(st.tuples(st.integers(1, 900), st.floats(-1, 1), st.floats(0, 0.2)), max_size=6),
    st.integers(0, 2000),
)
def test_a_trend_never_raises_the_ratio(
    rounds: list[tuple[int, float, float]], answers: int
) -> None:
    trend = read_trend([Gain(*r) for r in rounds], answers)
    assert 0.0 <= trend.factor <= 1.0
    assert trend.stopped == (trend.factor == 0.0)
