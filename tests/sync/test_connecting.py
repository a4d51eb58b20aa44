"""Connecting a project beside the loop, which may be at work on the same project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sync.connect import BeingConnected, connect
from sync.loop import Turn, turn
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
