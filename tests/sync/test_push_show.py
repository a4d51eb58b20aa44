"""Showing a version: in an order in which no task opens empty."""

from __future__ import annotations

from typing import Any

import pytest

from label_config.fetch import NotFetched
from sync.connect import connect
from sync.loop import turn
from sync.push import OURS
from sync.terms import Terms
from tests.sync.house import House

Calls = list[str]


@pytest.fixture
def calls(house: House, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What Label Studio is told about versions, in order."""
    made: Calls = []
    rename, show = house.studio.rename_backend, house.studio.set_model_version

    def renamed(project: str, backend: int, url: str, title: str, *more: Any) -> Any:
        made.append(f"title {title}")
        return rename(project, backend, url, title, *more)

    def shown(project: str, version: str) -> None:
        made.append(f"project {version}")
        show(project, version)

    connect(house.world, "1")
    monkeypatch.setattr(house.studio, "rename_backend", renamed)
    monkeypatch.setattr(house.studio, "set_model_version", shown)
    return made


def test_the_project_names_a_version_before_the_old_title_goes(house: House, calls: Calls) -> None:
    house.backend.version = "v1-11111111"
    assert turn(house.world, "1").pushed is not None
    assert calls == ["project v1-11111111", "title v1-11111111"]


def test_without_a_prediction_of_it_the_title_has_to_go_first(house: House, calls: Calls) -> None:
    house.studio.tasks.clear()
    house.backend.version = "v1-11111111"
    turn(house.world, "1")
    assert calls == ["title v1-11111111", "project v1-11111111"]


@pytest.mark.parametrize(
    ("version", "ours"),
    [
        ("cold-0123abcd", True),
        ("cold-0123abcd-9f00", True),
        ("v12-0123abcd", True),
        ("v12-0123abcd+0123abcd", True),
        ("cold-0123abcd-9f00-1", False),
        ("gpt-imported", False),
        ("undefined", False),
    ],
)
def test_only_our_own_versions_are_ever_removed(version: str, ours: bool) -> None:
    assert bool(OURS.match(version)) is ours


def test_a_task_whose_text_cannot_be_fetched_is_shown_empty(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(self: Terms, data: dict[str, str]) -> dict[str, str]:
        if data["text"].startswith("oak"):
            raise NotFetched("the host does not answer")
        return data

    monkeypatch.setattr(Terms, "fetched", fetched)
    connect(house.world, "1")
    turn(house.world, "1")
    blind = house.world.store.project("1").blind()
    house.backend.version = "v1-11111111"
    assert turn(house.world, "1").problems == []
    for task, state in house.studio.tasks.items():
        away = str(state.task.data["text"]).startswith("oak")
        if task not in blind:
            assert bool(state.predictions[-1].result) is not away
