"""What sync's /metrics says: of each project, of the queue, of the last verdict."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sync import metrics
from sync.connect import connect
from sync.log import LogDown
from sync.loop import turn
from sync.metrics import OF_PROJECT, SyncMetrics
from sync.receiver import SECRET_HEADER, create_app
from tests.sync.house import House


def read(text: str) -> dict[str, dict[str, float]]:
    """Values by name and the labels' values."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for s in family.samples:
            found.setdefault(s.name, {})[",".join(s.labels.values())] = s.value
    return found


def told(house: House, **seen: Any) -> dict[str, dict[str, float]]:
    made = SyncMetrics(house.world, lambda: {"projects": {"1": seen}})
    return read(made.text().decode())


def test_a_project_in_numbers_after_a_round(house: House) -> None:
    connect(house.world, "1")
    turn(house.world, "1", sweep=True)
    house.answer(8)
    turn(house.world, "1")
    snapshot = house.wanted()
    look = {"look": {"against": "champion", "value": 0.04}, "passed": True}
    verdict = {"promoted": True, "reason": "because", "version": "v1-00000000"}
    house.world.store.project("1").put_verdict(snapshot, {**verdict, "gate": {"looks": [look]}})
    house.studio.annotate(max(house.studio.tasks), [])
    turn(house.world, "1")
    said = told(house, ok_at=time.time() - 5, problem=None)
    names = {f"annotune_{name}" for name in OF_PROJECT}
    missing = names - set(said)
    assert missing <= {"annotune_acceptance_rate"}, missing  # nothing was shown by the fake
    values = {name: said[name]["1"] for name in names - missing}
    counts = house.world.log.counts("1")
    assert values["annotune_tasks"] == 30 and values["annotune_answers"] == counts.answers
    assert values["annotune_unsynced_corrections"] == counts.new == 1
    assert values["annotune_gate_margin"] == 0.04 and values["annotune_gate_promoted"] == 1
    assert 4 < values["annotune_lag_seconds"] < 60 and values["annotune_problem"] == 0
    assert said["annotune_wanted_version_info"] == {"1,cold": 1}
    assert said["annotune_workers"] == {"idle": 1, "busy": 0}
    assert said["annotune_redis_up"] == {"": 1}


def test_the_share_of_accepted_answers_is_read_once_a_minute(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(house.world, "1")
    asked = []

    class Half:
        value = 0.25

    monkeypatch.setattr(metrics, "read_answers", lambda *given: asked.append(given))
    monkeypatch.setattr(metrics, "rate_of", lambda readings: Half)
    made = SyncMetrics(house.world, lambda: {"projects": {}})
    for _ in range(3):
        assert read(made.text().decode())["annotune_acceptance_rate"] == {"1": 0.75}
    assert len(asked) == 1


def test_a_redis_that_is_down_costs_its_own_numbers_alone(house: House) -> None:
    connect(house.world, "1")
    house.jobs.down = True
    said = told(house, problem="the disk is full")
    assert said["annotune_redis_up"] == {"": 0} and "annotune_jobs" not in said
    assert said["annotune_problem"] == {"1": 1} and said["annotune_tasks"] == {"1": 30}


def test_a_log_that_does_not_answer_costs_its_own_numbers_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(house.world, "1")

    def gone() -> list[str]:
        raise LogDown("the log at db does not answer")

    assert told(house)["annotune_log_up"] == {"": 1}
    monkeypatch.setattr(house.world.log, "connected", gone)
    said = told(house)
    assert said["annotune_log_up"] == {"": 0} and "annotune_tasks" not in said
    assert said["annotune_redis_up"] == {"": 1}


def test_the_secret_opens_them_as_a_header_and_as_a_bearer() -> None:
    client = create_app("s3cret", lambda *_: True, lambda: {"status": "UP"}).test_client()
    for good in ({SECRET_HEADER: "s3cret"}, {"Authorization": "Bearer s3cret"}):
        assert client.get("/metrics", headers=good).status_code == 200
    for bad in ({}, {"Authorization": "Bearer no"}, {"Authorization": "Basic czNjcmV0"}):
        assert client.get("/metrics", headers=bad).status_code == 401
    bearer = {"Authorization": "Bearer s3cret"}  # of the other routes the header alone
    assert client.post("/webhook", json={"project": {"id": 1}}, headers=bearer).status_code == 401
