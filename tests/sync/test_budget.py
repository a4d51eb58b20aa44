"""What the gate may get wrong is shared by all looks, and comes back with new blind labels only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora.errors import BrokenFile
from lora.store import ProjectStore, Store
from sync.budget import ERROR, NAME, Look, left, next_look, read_looks, take


@pytest.fixture
def store(tmp_path: Path) -> ProjectStore:
    return Store(tmp_path).project("1")


def looks(*blind: tuple[int, int]) -> list[Look]:
    """A round each, at so many blind labels of which so many are new."""
    made: list[Look] = []
    for i, (count, fresh) in enumerate(blind):
        made.append(next_look(made, f"s{i}", f"r{i}", None, count, fresh))
    return made


def test_a_new_project_has_the_whole_budget_and_a_round_takes_half() -> None:
    assert left([], 12, 12) == ERROR
    assert looks((12, 12))[0].stake.own == ERROR / 2


@given(st.integers(1, 400), st.integers(1, 60))
def test_any_number_of_looks_at_the_same_labels_costs_at_most_the_budget(n: int, k: int) -> None:
    spent = sum(look.own for look in looks((n, n), *[(n, 0)] * k))
    assert spent <= ERROR + 1e-12


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=40))
def test_a_look_never_takes_more_than_half(blind: list[tuple[int, int]]) -> None:
    made = looks(*((max(pair), min(pair)) for pair in blind))
    assert all(0 <= look.own <= ERROR / 2 for look in made)


def test_new_blind_labels_bring_it_back() -> None:
    spent = looks((100, 100), *[(100, 0)] * 6)
    assert left(spent, 100, 0) < 0.001
    assert left(spent, 110, 10) == pytest.approx(left(spent, 100, 0) + ERROR * 5 * 10 / 110)
    assert left(spent, 125, 25) == ERROR
    assert left(spent, 60, 12) == ERROR, "though many others went"


def test_a_challenger_shares_the_level_of_its_round() -> None:
    human = next_look([], "s", "human", None, 50, 50, more=True)
    assert (human.own, human.level) == (ERROR / 4, ERROR / 2)
    second = next_look([human], "s", "synthetic", "v1-00000000", 50, 0)
    assert (second.level, second.earlier, second.own) == (ERROR / 2, ERROR / 4, ERROR / 4)
    third = next_look([human, second], "s", "again", None, 50, 0)
    assert third.earlier == 0 and third.level == pytest.approx(ERROR / 4)


def test_the_same_look_again_costs_nothing(store: ProjectStore) -> None:
    for _ in range(3):
        found = next_look(read_looks(store), "s", "r", None, 40, 40)
        take(store, found)
    assert read_looks(store) == (found,)
    other = next_look(read_looks(store), "s", "r", "v1-00000000", 40, 0)
    assert other.own < found.own, "against another version it is another look"


def test_looks_that_cannot_be_read_are_named(store: ProjectStore) -> None:
    take(store, looks((40, 40))[0])
    (store.folder / NAME).write_text("[{")
    with pytest.raises(BrokenFile, match=r"looks\.json holds no JSON"):
        read_looks(store)
