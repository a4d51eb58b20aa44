"""Connecting a project beside the loop, which may be at work on the same project."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync.connect import BeingConnected, connect
from sync.log import Appended
from sync.loop import HeardElsewhere, Turn, turn
from sync.service import Service
from sync.studio_values import WebhookInfo
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import House


class Meanwhile(FakeStudio):
    """A Label Studio where something happens between a list of webhooks and its use."""

    happens: Callable[[], object] | None = None

    def webhooks(self, project: str) -> list[WebhookInfo]:
        listed = super().webhooks(project)
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        return listed


@pytest.fixture
def meanwhile(house: House) -> Meanwhile:
    studio = Meanwhile(house.studio.config)
    studio.tasks, studio._ids = house.studio.tasks, house.studio._ids
    house.world, house.studio = replace(house.world, studio=studio), studio
    return studio


def test_the_loop_leaves_webhooks_and_titles_to_who_connects(
    house: House, meanwhile: Meanwhile
) -> None:
    done: list[Turn] = []
    meanwhile.happens = lambda: done.append(turn(house.world, "1", sweep=True))
    connect(house.world, "1")
    assert [h.url for h in meanwhile.hooks] == [f"{house.world.settings.sync.url}/webhook"]
    assert [(t.mended, t.pushed, t.problems) for t in done] == [(None, None, [])]
    after = turn(house.world, "1", sweep=True)
    assert after.mended is None and after.pushed and after.pushed.shown


@pytest.mark.parametrize("seed", range(5))
def test_while_a_project_is_being_connected_nobody_else_reads_its_tasks_into_the_log(
    house: House, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Two that draw sides at once do not see each other's tasks: near-duplicates part, and a
    text stands on both sides."""
    monkeypatch.setattr("sync.pull.PART", 5)
    monkeypatch.setattr("sync.loop.HEAR_S", 0.0)
    service, log = Service(house.world), house.world.log
    at, real, told = random.Random(seed).randrange(5), log.append, []

    def append(*args: Any, **more: Any) -> Appended:
        if len(told) == at:
            known, told_before = log.sides("1"), len(told)
            meanwhile.add_task("came while the first are read")
            service.turn("1")
            assert len(told) == told_before and log.sides("1") == known
            assert "is being read by another process" in str(
                service.health()["projects"]["1"]["problem"]
            )
        told.append(1)
        return real(*args, **more)

    monkeypatch.setattr(log, "append", append)
    connect(house.world, "1")
    assert len(told) > at
    service.turn("1")
    assert service.health()["status"] == "UP"
    assert set(log.sides("1")) == set(meanwhile.tasks)


def test_who_connects_waits_for_a_turn_that_reads_and_then_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.connect.PATIENCE_S", 0.0)
    store = house.world.store.project("1")
    with store.hearing(0.0) as free, pytest.raises(HeardElsewhere, match="project 1 is being read"):
        assert free
        connect(house.world, "1")
    assert house.studio.mine == house.studio.hooks == []
    connect(house.world, "1")
    assert len(house.studio.mine) == len(house.studio.hooks) == 1


def test_a_second_connection_waits_for_the_first_and_says_so(
    house: House, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.connect.PATIENCE_S", 0.0)

    def again() -> None:
        with pytest.raises(BeingConnected, match="project 1 is being connected"):
            connect(house.world, "1")

    meanwhile.happens = again
    connect(house.world, "1")
    assert len(meanwhile.hooks) == len(meanwhile.mine) == 1
    connect(house.world, "1")
    assert len(meanwhile.hooks) == len(meanwhile.mine) == 1
