"""What the gate may get wrong is shared by all looks, and comes back with new blind labels only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora.store import ProjectStore, Store
from sync.budget import ERROR, Look, left, next_look, read_looks, take


@pytest.fixture
def store(tmp_path: Path) -> ProjectStore:
    return Store(tmp_path).project("1")


def looks(*blind: int) -> list[Look]:
    """A round each at so many blind labels."""
    made: list[Look] = []
    for i, count in enumerate(blind):
        made.append(next_look(made, f"s{i}", f"r{i}", None, count))
    return made


def test_a_new_project_has_the_whole_budget_and_a_round_takes_half() -> None:
    assert left([], 12) == ERROR
    assert looks(12)[0].stake.own == ERROR / 2


@given(st.integers(1, 400), st.integers(1, 60))
def test_any_number_of_looks_at_the_same_labels_costs_at_most_the_budget(n: int, k: int) -> None:
    spent = sum(look.own for look in looks(*[n] * k))
    assert spent <= ERROR + 1e-12


@given(st.lists(st.integers(0, 500), min_size=1, max_size=40))
def test_a_look_never_takes_more_than_half_and_labels_that_went_bring_nothing(
    blind: list[int],
) -> None:
    made = looks(*blind)
    assert all(0 <= look.own <= ERROR / 2 for look in made)
    assert left(made, 0) <= ERROR and left(made, max(blind)) == left(made, min(blind))


def test_new_blind_labels_bring_it_back() -> None:
    spent = looks(*[100] * 6)
    assert left(spent, 100) < 0.001
    assert left(spent, 110) == pytest.approx(left(spent, 100) + ERROR * 5 * 10 / 110)
    assert left(spent, 125) == ERROR


def test_a_challenger_shares_the_level_of_its_round() -> None:
    human = next_look([], "s", "human", None, 50, more=True)
    assert (human.own, human.level) == (ERROR / 4, ERROR / 2)
    second = next_look([human], "s", "synthetic", "v1-00000000", 50)
    assert (second.level, second.earlier, second.own) == (ERROR / 2, ERROR / 4, ERROR / 4)
    third = next_look([human, second], "s", "again", None, 50)
    assert third.earlier == 0 and third.level == pytest.approx(ERROR / 4)


def test_the_same_look_again_costs_nothing(store: ProjectStore) -> None:
    for _ in range(3):
        found = next_look(read_looks(store), "s", "r", None, 40)
        take(store, found)
    assert read_looks(store) == (found,)
    other = next_look(read_looks(store), "s", "r", "v1-00000000", 40)
    assert other.own < found.own, "against another version it is another look"
