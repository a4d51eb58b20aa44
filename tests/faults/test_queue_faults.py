"""A queue that dies, forgets and is poisoned, webhooks that get lost, come twice, late and in any
order, two sync services: nothing is lost or done twice. Each by seeds that always draw the same."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.cli import _only_sync
from sync.connect import connect
from sync.loop import turn
from sync.operate import Impossible
from sync.receiver import SECRET_HEADER, create_app
from sync.service import Service
from sync.status import status
from tests.faults.seeds import seeds
from tests.faults.test_studio_faults import check, people_work
from tests.sync.house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        connect(made.world, "1")
        yield made


@pytest.mark.parametrize("seed", seeds(5))
def test_a_redis_that_is_wiped_restarted_or_away_at_any_turn_costs_only_time(
    house: House, seed: int
) -> None:
    drawn, jobs, log = random.Random(f"redis {seed}"), house.jobs, house.world.log
    for n in range(40):
        house.studio.add_task(f"more {n:b} {n * 7919}")
    for _ in range(10):
        house.answer(drawn.randrange(4))
        jobs.down = False
        happens = drawn.choice(["away", "wiped", "restarted", "nothing", "judged"])
        if happens == "away":
            jobs.down = True
        if happens in {"wiped", "restarted"}:
            jobs.states.clear()
        if happens == "restarted":  # what was queued before is run by nobody
            jobs.queued.clear()
        wanted = log.wanted("1")
        if happens == "judged" and wanted:
            house.judge(wanted.snapshot)
        done = turn(house.world, "1")
        assert ("the queue's Redis does not answer" in done.problems) <= (happens == "away")
        wanted = log.wanted("1")
        if wanted and happens != "away":
            assert jobs.queued[-1][-1] == wanted.snapshot, "who is wanted is queued"
    jobs.down = False
    house.answer(6)
    turn(house.world, "1")
    while wanted := log.wanted("1"):
        house.judge(wanted.snapshot)
        turn(house.world, "1")
    rounds = [r["snapshot"] for r in log.rounds("1")]
    assert rounds and len(rounds) == len(set(rounds))
    assert status(house.world, "1")["problems"] == []
    check(house)


@pytest.mark.parametrize("attempts", range(1, 6))
def test_a_job_that_ends_without_a_verdict_each_time_is_parked(house: House, attempts: int) -> None:
    own = replace(house.world.settings.sync, attempts=attempts)
    house.world = replace(house.world, settings=replace(house.world.settings, sync=own))
    house.answer(6)
    for tried in range(1, attempts + 1):
        turn(house.world, "1")
        assert len(house.jobs.queued) == tried and house.world.log.wanted("1")
        house.jobs.all_are("ended")
    turn(house.world, "1")
    assert len(house.jobs.queued) == attempts and house.world.log.wanted("1") is None
    told = status(house.world, "1")["last_verdict"]["reason"]
    assert f"{attempts} trainings ended without a verdict" in told
    house.answer(6)
    assert turn(house.world, "1").decision.train and len(house.jobs.queued) == attempts + 1


@pytest.mark.parametrize("seed", seeds(5))
def test_webhooks_lost_doubled_late_and_in_any_order_lose_nothing(house: House, seed: int) -> None:
    """Of ten, three are lost and two come twice; the others come when they like."""
    drawn, service = random.Random(f"webhooks {seed}"), Service(house.world)
    service.turn("1")
    client = create_app("s3cret", service.nudge, service.health).test_client()
    late: list[dict[str, Any]] = []
    for _ in range(6):
        people_work(house)
        late += _events(house) * drawn.choice((0, 0, 0, 1, 1, 1, 1, 1, 2, 2))
        drawn.shuffle(late)
        for _ in range(drawn.randint(0, len(late))):
            body = late.pop()
            got = client.post("/webhook", json=body, headers={SECRET_HEADER: "s3cret"})
            assert (got.status_code, got.json) == (200, {"status": "ok"})
        if service._nudged:
            service.turn("1")
            check(house)  # a nudge, of whatever it was, brings all that is there
    service.turn("1")  # and the poll what no webhook told
    check(house)
    assert service.health()["status"] == "UP"
    rounds = [r["snapshot"] for r in house.world.log.rounds("1")]
    assert len(rounds) == len(set(rounds))


def _events(house: House) -> list[dict[str, Any]]:
    """As Label Studio tells of a piece of work; the ids may be gone when they come."""
    told = ["ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_DELETED"]
    some = list(house.studio.tasks)[:2]
    return [
        {"action": action, "project": {"id": 1}, "task": {"id": some[0]}, "annotations": some}
        for action in [*told, "TASKS_CREATED"]
    ]


HOLD = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); print(1, flush=True); "
HOLD += "sys.stdin.read()"


@pytest.mark.parametrize("seed", seeds(2))
def test_a_second_sync_is_refused_and_one_that_was_killed_is_in_nobodys_way(
    house: House, seed: int
) -> None:
    settings, drawn = house.world.settings, random.Random(f"second {seed}")
    argv = [sys.executable, "-c", HOLD, str(settings.home / "sync.lock")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout and first.stdout.readline()
        for _ in range(drawn.randint(1, 4)):
            with pytest.raises(Impossible, match="a sync service already runs"):
                with _only_sync(settings):
                    pass
        first.send_signal(drawn.choice([signal.SIGKILL, signal.SIGTERM]))
        first.wait(10)
        with _only_sync(settings):
            turn(house.world, "1")
