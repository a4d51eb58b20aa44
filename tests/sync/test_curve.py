"""The learning curve: its points are the rounds', its look ahead is wide enough, or it says why it
says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_config.values import Task
from sync.curve import AHEAD, Curve, comparable, curve, fitted, groups_of
from sync.groups import Place
from sync.log import Log
from sync.studio_values import SeenAnnotation, TaskState
from tests.sync.judged import scored


def round_of(
    labels: int, right: Sequence[float], state: str = "settled", base: str = "minilm", **report: Any
) -> dict[str, Any]:
    """A round of the log whose candidate had these blind rows right."""
    scores = {"candidate": scored(right), "holdout": len(right)}
    verdict = {"labels": labels, "version": f"v{labels}", "promoted": True, "scores": scores}
    return {"state": state, "verdict": verdict, "report": {"base": base, **report}}


def rounds(shares: Sequence[float], blind: int = 100, step: int = 25) -> list[dict[str, Any]]:
    marks = [[float(i < share * blind) for i in range(blind)] for share in shares]
    return [round_of(step * (i + 1), right) for i, right in enumerate(marks)]


def told(shares: Sequence[float], blind: int = 100, step: int = 25) -> Curve:
    return curve("1", rounds(shares, blind, step), {})


RISING = [0.50, 0.64, 0.70, 0.74, 0.77, 0.79, 0.80, 0.81]


def test_each_round_is_a_point_with_an_interval_around_its_score() -> None:
    points = told(RISING).points
    assert [p.labels for p in points] == [25, 50, 75, 100, 125, 150, 175, 200]
    assert [p.value for p in points] == pytest.approx(RISING)
    assert all(p.low < p.value < p.high for p in points)
    wide, narrow = told(RISING, blind=50).points[0], told(RISING, blind=400).points[0]
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_rising_curve_goes_on_to_rise_more_slowly() -> None:
    found = told(RISING)
    assert found.ahead is not None and found.ahead.labels == AHEAD
    assert 0.01 < found.ahead.gain < 0.07
    assert found.ahead.low <= found.ahead.gain <= found.ahead.high
    assert "100 more would bring about +" in found.sentence


def test_all_right_on_few_rows_is_not_sure_to_stay_so() -> None:
    point = told([0.5, 1.0], blind=12).points[1]
    assert point.value == point.high == 1.0
    assert 0.7 < point.low < 0.8


def test_a_flat_curve_promises_next_to_nothing() -> None:
    found = told([0.8, 0.81, 0.79, 0.8, 0.8, 0.81, 0.79, 0.8], blind=200)
    assert found.ahead is not None and found.ahead.gain < 0.005


def test_nothing_is_promised_above_all_right() -> None:
    found = told([0.6, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 1.0])
    assert found.ahead is not None and found.ahead.score <= 1.0


@pytest.mark.parametrize(
    ("some", "why"),
    [
        ([], "no round was judged on 10 blind answers yet"),
        (rounds(RISING, blind=9), "no round was judged on 10 blind answers yet"),
        (rounds(RISING[:4]), "4 rounds were judged, 5 are needed"),
        ([round_of(100 + n, [1.0, 0.0] * 20) for n in range(6)], "from 100 to 105 answers"),
        (rounds([0.1, 0.4, 0.3, 0.6, 0.5], blind=10), "too wide to say anything"),
    ],
)
def test_where_rounds_say_too_little_it_cannot_be_told_and_why(
    some: list[dict[str, Any]], why: str
) -> None:
    found = curve("1", some, {})
    assert found.ahead is None
    assert why in found.sentence


def test_challengers_rounds_under_way_and_other_bases_are_no_points() -> None:
    some = rounds(RISING)
    beside = [
        round_of(60, [1.0] * 20, human="abc"),
        round_of(70, [1.0] * 20, state="wanted"),
        round_of(80, [1.0] * 20, base="other"),
        {"state": "parked", "verdict": {"reason": "gave up"}, "report": {}},
        {"state": "settled", "verdict": {"reason": "forgotten"}, "report": {}},
    ]
    assert comparable([*beside, *some]) == some


def test_of_two_rounds_of_the_same_answers_the_last_counts() -> None:
    some = rounds(RISING)
    again = round_of(200, [1.0] * 100)
    assert comparable([*some, again])[-1] is again


def test_near_duplicates_stand_or_fall_together() -> None:
    some = rounds(RISING)
    pairs = {f"r{i:04d}": f"g{i // 10}" for i in range(100)}
    alone, together = curve("1", some, {}).points[3], curve("1", some, pairs).points[3]
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_the_log_knows_which_rows_are_near_duplicates(tmp_path: Path) -> None:
    log = Log(f"sqlite:///{tmp_path / 'log.db'}")
    log.connect("1", "any")
    at = datetime(2026, 11, 23, tzinfo=timezone.utc)
    for n in (1, 2, 3):
        said = SeenAnnotation(70 + n, n, [], 1, at, at)
        state = TaskState(Task(n, "1", {"text": "x"}), at, (said,))
        log.append("1", [state], {n: Place("g1" if n < 3 else "g2", True)})
    found = groups_of(log, "1", {"annotation-71", "annotation-72", "annotation-73", "annotation-9"})
    log.close()
    assert found == {"annotation-71": "g1", "annotation-72": "g1", "annotation-73": "g2"}


def test_the_law_is_found_again() -> None:
    at = np.array([25.0, 50, 100, 200, 400, 800])
    (law,) = fitted(at, (0.9 - 1.5 * at**-0.6)[None], np.ones(6))
    assert tuple(law) == pytest.approx((0.9, 1.5, 0.6))


def test_bounds_are_held_where_the_best_law_is_beyond_them() -> None:
    at = np.array([10.0, 20, 40, 80])
    falling, above = np.array([0.9, 0.8, 0.7, 0.6]), np.array([0.4, 0.7, 0.9, 1.0])
    for a, b, _ in fitted(at, np.stack([falling, above]), np.ones(4)):
        assert a <= 1 + 1e-9 and b >= 0


def test_what_came_lies_within_the_interval_as_often_as_it_says() -> None:
    """Simulated projects whose law is known: blind rows that grow with the answers, and trainings
    with luck of their own. 95 % is promised; 54 of 60 leave no doubt that it is not far off."""
    rng = np.random.default_rng(3)
    inside = said = 0
    for _ in range(60):
        a, c = rng.uniform(0.75, 0.97), rng.uniform(0.3, 1.0)
        b = rng.uniform(0.3, 0.6) * 25**c

        def law(n: float, a: float = a, b: float = b, c: float = c) -> float:
            return float(a - b * n**-c)

        luck = rng.uniform(size=60)  # a row that is hard is hard in every round
        some = []
        for i in range(8):
            n = 25 * (i + 1)
            share = min(1.0, max(0.0, law(n) + rng.normal(0, 0.01)))
            blind = 12 + 6 * i
            mixed = 0.7 * luck[:blind] + 0.3 * rng.uniform(size=blind)
            bar = np.quantile(0.7 * rng.uniform(size=4000) + 0.3 * rng.uniform(size=4000), share)
            some.append(round_of(n, [float(m < bar) for m in mixed]))
        found = curve("1", some, {})
        if found.ahead:
            said += 1
            inside += found.ahead.low <= law(300) - law(200) <= found.ahead.high
    assert said >= 40
    assert inside >= 0.9 * said
