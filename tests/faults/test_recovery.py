"""What was killed comes back by itself, and soon: a training within a minute (rq alone would give
it up after ten)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.connect import connect
from sync.loop import turn
from sync.processes import LONGEST_WAIT_S
from tests.sync.house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        connect(made.world, "1")
        made.answer(6)
        turn(made.world, "1")
        yield made


def test_a_training_whose_worker_was_killed_is_queued_again_within_a_minute(house: House) -> None:
    """Redis goes on believing that it runs; the lock says that it does not. What is left of the
    minute is for the worker to be started again and for the loop to come round."""
    late = 60 - LONGEST_WAIT_S - house.world.settings.sync.poll_s
    house.jobs.all_are("started", late)
    turn(house.world, "1")
    assert len(house.jobs.queued) == 2


def test_a_training_whose_trainer_was_killed_is_queued_again_at_once(house: House) -> None:
    house.jobs.all_are("ended")
    turn(house.world, "1")
    assert len(house.jobs.queued) == 2


def test_a_training_that_a_wiped_queue_forgot_is_queued_again_at_once(house: House) -> None:
    house.jobs.states.clear()
    turn(house.world, "1")
    assert len(house.jobs.queued) == 2
