"""The house that tests of the loop share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from settings import Augment
from sync.connect import connect
from tests.sync.house import House, open_house
from tests.sync.reviewed import REGULATED, go, record_of


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
