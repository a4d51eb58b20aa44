"""The house that tests of the loop share, and one worth a backup."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from settings import Augment, Settings
from sync.connect import connect
from sync.loop import turn
from tests.sync.backed_up import TEXT
from tests.sync.house import ANSWER, House, open_house
from tests.sync.reviewed import REGULATED, go, record_of
from tests.sync.versioned import committed


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        yield made


@pytest.fixture
def human(house: House) -> str:
    """A judged round of a regulated project; its expansion's record is written, nothing shown."""
    house.studio.change_config(REGULATED)
    own = replace(house.world.settings, augment=Augment(sources="noise"))
    house.world = replace(house.world, settings=own)
    connect(house.world, "1")
    house.answer(6)
    go(house)
    snapshot = house.wanted()
    house.judge(snapshot)
    go(house)
    record_of(house, snapshot)
    return snapshot


@pytest.fixture
def ours(house: House) -> Settings:
    """Two rounds' worth of answers, a version that serves, and one planted task."""
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    store = house.world.store.project("1")
    made = committed(store, 1, house.wanted())
    store.move_current(None, made, "gate", "better")
    house.judge(house.wanted())
    task = house.studio.add_task(TEXT)
    house.studio.annotate(task, ANSWER, author=2)
    turn(house.world, "1")
    return house.world.settings


@pytest.fixture
def elsewhere(ours: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of an empty home on another machine."""
    yield replace(ours, home=tmp_path_factory.mktemp("other") / "home")
