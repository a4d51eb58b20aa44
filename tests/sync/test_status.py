"""What `annotune status` says of a project, with fakes beside the log and the store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import waitress

from sync.connect import connect
from sync.loop import turn
from sync.receiver import create_app
from sync.service_client import SyncClient
from sync.status import status
from tests.served import served
from tests.sync.house import House


def test_status_says_where_a_project_stands(house: House) -> None:
    connect(house.world, "1")
    house.answer(4)
    turn(house.world, "1")
    state = status(house.world, "1")
    expected: dict[str, Any] = {
        "labels": 4,
        "new_answers": 4,
        "version": None,
        "serving": house.backend.version,
        "training": False,
        "rounds": 0,
        "last_verdict": None,
        "problems": [],
    }
    assert {k: state[k] for k in expected} == expected


def test_status_says_what_the_backend_refused(house: House) -> None:
    connect(house.world, "1")
    nothing = {"requests": 0, "why": {}, "last": None, "rows": 0, "controls": {}}
    assert status(house.world, "1")["refused"] == nothing  # an older backend says less
    house.backend.health = {
        "refused": {"requests": 3, "why": {"overloaded": 3}, "last": "full"},
        "bases": {"minilm": {"queue": 0}, "smollm": {"refused": 2}, "gone": {"error": "x"}},
        "projects": {"1": {"refused": {"intent": "no likelihoods"}}, "2": {"refused": {"a": "b"}}},
    }
    assert status(house.world, "1")["refused"] == {
        "requests": 3,
        "why": {"overloaded": 3},
        "last": "full",
        "rows": 2,
        "controls": {"intent": "no likelihoods"},
    }


def test_status_says_that_nothing_runs(house: House) -> None:
    connect(house.world, "1")
    world = replace(house.world, service=SyncClient("http://127.0.0.1:9", "s3cret"))
    house.jobs.workers = ()
    worker, sync = status(world, "1")["problems"]
    assert "no worker is alive at the queue" in worker and "annotune worker" in worker
    assert "sync at http://127.0.0.1:9 does not answer /health" in sync and "annotune up" in sync


def test_status_says_what_the_running_sync_ran_into(house: House) -> None:
    connect(house.world, "1")
    told: dict[str, Any] = {"status": "UP", "log": "answers", "projects": {"1": {"problem": None}}}
    app = create_app("s3cret", lambda *_: True, lambda: told)
    with served(waitress.create_server(app, host="127.0.0.1", port=0)) as url:
        sync = SyncClient(url, "s3cret")
        world = replace(house.world, service=sync)
        assert status(world, "1")["problems"] == []
        told["projects"]["1"]["problem"] = "No space left on device: /data/log.db"
        assert status(world, "1")["problems"] == ["No space left on device: /data/log.db"]
        told["log"] = "the log at db does not answer"
        assert status(world, "1")["problems"] == ["the log at db does not answer"]
        stranger = replace(world, service=replace(sync, secret="other"))
        assert status(stranger, "1")["problems"] == []


def test_status_says_how_tasks_are_ordered(house: House) -> None:
    connect(house.world, "1")
    assert status(house.world, "1")["order"] is None
    turn(house.world, "1")
    said = status(house.world, "1")["order"]
    assert said.startswith("one of each predicted answer in turn") and "no vectors" in said


def test_status_without_a_backend_says_so_and_nothing_of_refusals(house: House) -> None:
    connect(house.world, "1")
    gone = replace(house.world.backend, url="http://127.0.0.1:9")
    state = status(replace(house.world, backend=gone), "1")
    assert state["refused"] is None and state["serving"] is None
    assert any("does not answer /setup" in problem for problem in state["problems"])


def test_status_says_what_the_admin_asked_for_and_what_is_not_granted(house: House) -> None:
    connect(house.world, "1")
    asked = (
        '<View annotune-base="other/base" annotune-target="0.9" annotune-regulated="true" '
        'annotune-blind-share="0.5">'
    )
    house.studio.change_config(house.studio.config.replace("<View>", asked))
    state = status(house.world, "1")
    assert (state["base"], state["target"], state["regulated"]) == ("minilm", 0.9, True)
    assert state["blind_share"] == 0.5
    base, share = state["problems"]
    assert "other/base" in base
    assert "holds for new task groups only" in share and "of 21 keep" in share
