"""What a replay's cells add up to is right, and bounds are called bounds."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import pytest
from PIL import Image

from sync.replay.chart import Line, draw
from sync.replay.play import Cell
from sync.replay.told import Mean, Told, counts_of, reached


def told(curves: Mapping[str, Sequence[Sequence[float]]], lead_s: float | None = None) -> Told:
    """By arm the scores of its seeds at 10, 20 and 40 answers."""
    counts = (10, 20, 40)
    cells = [
        _cell(arm, seed, n, value)
        for arm, seeds in curves.items()
        for seed, values in enumerate(seeds)
        for n, value in zip(counts, values, strict=False)
    ]
    full = {"mean": 0.8, "label": 0.8}
    return Told("made", "minilm", 60, 12, counts, cells, full, 0.75, lead_s, 0.2)


def _cell(arm: str, seed: int, n: int, value: float) -> Cell:
    scores = {"mean": value, "label": value}
    return Cell(arm, seed, n, 2, (), "v1", None, "", scores, {}, {"mean": 0.1}, 0, 1.0)


def test_the_goal_is_reached_between_two_counts() -> None:
    found = reached([(10, 0.4), (20, 0.5), (40, 0.7)], 0.6)
    assert (found.answers, found.within) == (30.0, True)


def test_what_fell_back_had_been_reached() -> None:
    assert reached([(10, 0.5), (20, 0.7), (40, 0.4)], 0.6).answers == 15.0


def test_a_fall_in_between_makes_the_way_no_shorter() -> None:
    """From the best so far, 0.5 at 10 answers, not from the dip at 20."""
    assert reached([(10, 0.5), (20, 0.1), (40, 0.7)], 0.6).answers == 25.0


def test_what_is_not_reached_counts_as_the_last_count() -> None:
    found = reached([(10, 0.4), (40, 0.5)], 0.6)
    assert (found.answers, found.within) == (40.0, False)


def test_reached_at_the_first_count_is_that_count() -> None:
    found = reached([(10, 0.9), (40, 0.9)], 0.6)
    assert (found.answers, found.first) == (10.0, True)
    assert not reached([(10, 0.4), (40, 0.9)], 0.6).first


def test_the_ratio_pairs_seeds_and_hours_follow_from_the_lead_time() -> None:
    found = told(
        {"random": [[0.2, 0.6, 0.7], [0.2, 0.4, 0.6]], "ours": [[0.6, 0.7, 0.8], [0.4, 0.6, 0.7]]},
        lead_s=36.0,
    ).against("ours", "mean")
    assert found is not None
    assert found["goal"] == 0.6
    assert found["ratio"]["value"] == pytest.approx((10 / 20 + 20 / 40) / 2)
    assert found["fewer"]["value"] == pytest.approx((10 + 20) / 2)
    assert found["hours"]["value"] == pytest.approx(0.15)
    assert (found["not_reached"], found["random_not_reached"]) == (0, 0)


def test_without_a_lead_time_no_hours_are_told() -> None:
    some = told({"random": [[0.2, 0.6, 0.7]], "ours": [[0.6, 0.7, 0.8]]})
    found = some.against("ours", "mean")
    assert found is not None and found["hours"] is None
    assert "nobody measured" in "\n".join(some.lines())


def test_a_random_order_that_never_gets_there_makes_the_ratio_a_bound() -> None:
    some = told({"random": [[0.2, 0.3, 0.4]], "ours": [[0.2, 0.6, 0.7]]})
    found = some.against("ours", "mean")
    assert found is not None
    assert (found["ratio"]["value"], found["random_not_reached"]) == (0.5, 1)
    assert "(at most: it never did in 1 of 1)" in "\n".join(some.lines())


def test_where_nobody_gets_there_no_ratio_is_told() -> None:
    some = told({"random": [[0.2, 0.3, 0.4]], "ours": [[0.2, 0.3, 0.5]]})
    found = some.against("ours", "mean")
    assert found is not None and found["ratio"] is None
    assert "is not reached within 40 answers" in "\n".join(some.lines())


def test_seeds_whose_ratio_says_less_are_counted() -> None:
    """By seed: known, neither there, ours never, random never, both at once, ours at the first."""
    late, never, first = [0.2, 0.4, 0.7], [0.2, 0.3, 0.4], [0.7, 0.7, 0.7]
    some = told(
        {
            "random": [late, never, late, never, first, never],
            "ours": [late, never, never, late, first, first],
        }
    )
    found = some.against("ours", "mean")
    assert found is not None
    assert [found[k] for k in ("seeds", "dropped", "bounded", "floored")] == [6, 1, 3, 2]
    words = "\n".join(some.lines())
    assert "(1 of 6 seeds left out: neither order came there)" in words
    assert "(2 of 6 seeds with one there at the first count: fewer answers may do)" in words


def test_a_run_under_way_is_in_no_mean() -> None:
    some = told({"random": [[0.2, 0.6, 0.7], [0.9, 0.9]]})
    assert list(some.curves("random", "mean")) == [0]


def test_an_interval_needs_two_seeds() -> None:
    one, two = Mean.of([0.5]), Mean.of([0.4, 0.6])
    assert one is not None and one.low is None
    assert two is not None and two.low is not None and two.high is not None
    assert (two.low, two.high) == pytest.approx((0.5 - 12.706 * 0.1, 0.5 + 12.706 * 0.1), abs=1e-3)


def test_counts_are_geometric_from_the_first_to_the_last() -> None:
    assert counts_of(25, 1000, 8) == [25, 42, 72, 121, 206, 349, 590, 1000]
    assert counts_of(25, 25, 8) == [25]
    assert counts_of(2, 4, 8)[-1] == 4


def test_the_figure_shows_its_curves() -> None:
    """A curve in the upper half colours pixels there and none below."""
    line = Line("ours", {10: (0.9, 0.85, 0.95), 100: (0.92, 0.9, 0.94)})
    low = Line("random", {10: (0.1, None, None), 100: (0.1, None, None)})
    picture = Image.open(io.BytesIO(draw("made", [low, line], {"goal": 0.5}))).convert("RGB")
    assert picture.size == (960, 560)
    colour = (0, 98, 177)
    near = [
        y
        for y in range(60, 490)
        for x in range(100, 920, 4)
        if all(abs(a - b) < 40 for a, b in zip(picture.getpixel((x, y)), colour, strict=True))
    ]
    assert near and max(near) < 250
