"""A job that kills its worker every time is parked, said, and the loop goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import Jobs
from sync.connect import connect
from sync.loop import turn
from sync.start.redis_server import RedisServer
from sync.status import status
from tests.sync.house import open_house

POISON = "tests.faults.poison.kill_worker"
WORK = "import sys; from jobs import Jobs; Jobs(sys.argv[1], sys.argv[2]).work([sys.argv[3]])"
ROOT = Path(__file__).parents[2]


@pytest.mark.real
def test_a_job_that_kills_its_worker_each_time_is_parked(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.loop.START_S", 0.0)
    monkeypatch.setattr("sync.loop.TRAIN", POISON)
    jobs, argv = Jobs(redis_server.url, "poisoned"), [sys.executable, "-c", WORK]
    with open_house(tmp_path) as house:
        house.world = replace(house.world, jobs=jobs)
        connect(house.world, "1")
        house.answer(6)
        turn(house.world, "1")
        snapshot, deaths = house.wanted(), 0
        while house.world.log.wanted("1") is not None:
            assert deaths < house.world.settings.sync.attempts, "it was not parked"
            worker = subprocess.run([*argv, jobs.url, jobs.name, POISON], cwd=ROOT, timeout=60)
            assert worker.returncode == -signal.SIGKILL
            deaths += 1
            turn(house.world, "1")
        assert deaths == house.world.settings.sync.attempts
        told = status(house.world, "1")
        assert [r["state"] for r in house.world.log.rounds("1")] == ["parked"]
        assert "ended without a verdict" in told["last_verdict"]["reason"]
        house.answer(6)
        assert turn(house.world, "1").decision.train and house.wanted() != snapshot
        assert jobs.depth() == 1
