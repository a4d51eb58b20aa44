"""`annotune augment`: what was done, what it brought, and what would be done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lora.expansions import Expansions
from settings import Augment
from sync.augmented import NothingToExpand, augmented
from sync.connect import connect
from sync.expand import run
from sync.loop import World, turn
from tests.sync.house import House

pytestmark = pytest.mark.model  # embeds with MiniLM: seconds


@pytest.fixture
def world(house: House, monkeypatch: pytest.MonkeyPatch) -> World:
    """A project with one judged round of six answers; sources that need no writer are on."""
    monkeypatch.setenv("ANNOTUNE_HOME", str(house.world.settings.home))
    monkeypatch.setenv("ANNOTUNE_AUGMENT_SOURCES", "substitute,noise")
    own = replace(house.world.settings, augment=Augment(sources="substitute,noise"))
    house.world = replace(house.world, settings=own)
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    house.judge(house.wanted())
    turn(house.world, "1")
    return house.world


def test_a_dry_run_shows_plan_and_funnel_and_writes_nothing(world: World) -> None:
    store = world.store.project("1")
    before = sorted(store.folder.rglob("*"))
    told = augmented(world, "1", dry=True)
    assert sorted(store.folder.rglob("*")) == before
    assert not list(world.settings.home.glob(".augment-*"))
    words = "\n".join(told.lines())
    assert "fewer than 100: synthesise" in words and "made " in words
    assert "without rewrite: not among those asked for" in words
    assert told.to_dict()["dry_run"] is True and told.to_dict()["funnel"]["made"] >= 0


def test_the_last_expansion_is_shown_with_what_it_brought(world: World) -> None:
    with pytest.raises(NothingToExpand, match="--dry-run shows what would be"):
        augmented(world, "1", dry=False)
    store = world.store.project("1")
    human = str(world.log.rounds("1")[-1]["snapshot"])
    record = run(store, human, world.settings)
    told = augmented(world, "1", dry=False)
    assert told.record["snapshot"] == human and told.gain is None
    assert f"kept {record['funnel']['kept']}" in "\n".join(told.lines())
    Expansions(store).put(human, {**record, "challenger": "c" * 64})
    gain = {"answers": 6, "difference": 0.05, "error": 0.02}
    store.put_verdict("c" * 64, {"promoted": True, "gain": gain, "at": "2026-01-01"})
    assert "it brought +0.050 ± 0.020" in augmented(world, "1", dry=False).lines()[-1]
