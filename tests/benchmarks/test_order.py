"""The orders that are compared pick what they say they pick, and a curve is read rightly."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.order import reached, summarise
from benchmarks.order_ways import WAYS, State, in_front, spread, typical, walk
from lora.start import Floats

RNG = np.random.default_rng(0)
CENTRES = np.eye(8)[:4] * 10
VECTORS: Floats = np.concatenate(
    [c + RNG.normal(0, 0.5, (n, 8)) for c, n in zip(CENTRES, (30, 20, 10, 5), strict=True)]
)
CLUSTER = np.repeat(range(4), (30, 20, 10, 5))


def state(chances: Floats | None = None, taken: tuple[int, ...] = (), cold: bool = False) -> State:
    given = np.full((65, 4), 0.25) if chances is None else chances
    return State(VECTORS, given, taken, cold, 4, 0)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("cold", [True, False])
def test_every_order_gives_as_many_new_tasks_as_asked_for(name: str, cold: bool) -> None:
    chances = RNG.dirichlet(np.ones(4), 65)
    picked = WAYS[name](state(chances, (0, 1, 2), cold), 12)
    assert len(set(picked)) == 12 and not {0, 1, 2} & set(picked)


def test_typical_tasks_come_from_every_cluster_and_its_middle() -> None:
    picked = typical(state(), 4)
    assert sorted(CLUSTER[picked]) == [0, 1, 2, 3]
    (first,) = (i for i in picked if CLUSTER[i] == 0)  # of the others some neighbours are strangers
    far = np.linalg.norm(VECTORS[CLUSTER == 0] - CENTRES[0], axis=1)
    assert np.linalg.norm(VECTORS[first] - CENTRES[0]) < np.median(far)


def test_a_cluster_with_an_answer_waits() -> None:
    first = int(np.flatnonzero(CLUSTER == 0)[0])
    assert 0 not in CLUSTER[typical(state(taken=(first,)), 3)]


def test_the_least_sure_are_spread_over_clusters() -> None:
    """The least sure are all of one cluster; the others' least sure are taken too."""
    chances = np.tile([0.7, 0.1, 0.1, 0.1], (65, 1))
    chances[CLUSTER == 0] = [0.4, 0.3, 0.2, 0.1]
    picked = spread(state(chances), 13)
    assert len(set(CLUSTER[picked])) > 1


def test_a_front_is_no_more_than_its_size() -> None:
    seen: list[int] = []

    def spy(part: State, count: int) -> list[int]:
        seen.append(len(part.left))
        return part.left[:count]

    picked = in_front(spy, 20)(state(taken=(5, 6)), 3)
    assert seen == [20] and not {5, 6} & set(picked)


def test_a_walk_asks_anew_after_each_count() -> None:
    asked: list[int] = []

    def answer(taken: object) -> tuple[Floats, float]:
        asked.append(len(taken))  # type: ignore[arg-type]
        return np.full((65, 4), 0.25), len(taken) / 65  # type: ignore[arg-type]

    assert walk(WAYS["random"], answer, VECTORS, [5, 13], 4, 0) == [5 / 65, 13 / 65]
    assert asked == [0, 5, 13]


def test_the_goal_is_reached_between_counts_or_not_at_all() -> None:
    assert reached([20, 40], [0.4, 0.6], 0.5) == 30
    assert reached([20, 40], [0.4, 0.6], 0.7) is None


def test_ratios_and_gains_pair_seeds_with_random() -> None:
    base = {"rules": 1, "set": "snips", "counts": [20, 40], "full": None}
    cells = [
        {**base, "seed": 0, "way": "random", "accuracy": [0.3, 0.9], "full": 1.0},
        {**base, "seed": 0, "way": "turns (ours)", "accuracy": [0.9, 0.9]},
    ]
    found = summarise(cells)["turns (ours)"]
    assert found["ratio"]["snips"] == [0.5]
    assert found["to 200"]["sets"]["snips"].startswith("+0.300")
