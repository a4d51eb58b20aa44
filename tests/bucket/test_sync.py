"""Sync, a worker and a person at three machines, with nothing in common but a bucket and a queue.

The bucket is moto's (see test_s3.py); Label Studio, the queue and the fit are fakes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from lora.errors import StoreDown
from lora.opened import open_store
from lora.recipe import recipe_for
from settings import Settings
from sync import jobs
from sync.backup import backup
from sync.connect import connect
from sync.doctor.bucket import bucket as look
from sync.exits import EXITS, NEIGHBOUR
from sync.loop import turn
from sync.operate import Impossible, Person, rollback
from sync.options import store_of
from sync.restore import restore
from sync.service import Service
from sync.status import status
from tests.bucket.conftest import Machines
from tests.bucket.server import Server
from tests.sync.house import House, open_house
from tests.sync.judged import first
from tests.sync.judged import report as report_of


@pytest.fixture
def house(bucket: Machines) -> Iterator[House]:
    own = bucket.settings("sync")
    own.home.mkdir()
    with open_house(own.home) as made:
        settings = replace(made.world.settings, place=own.place, s3=own.s3)
        made.world = replace(made.world, settings=settings, store=open_store(settings))
        yield made


def trained(bucket: Machines, snapshot: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The job as a worker elsewhere runs it, with a fit that takes no time and is right."""
    settings = bucket.settings("worker")

    def fit(own: Settings, store: Any, wanted: str, out: Path, *rest: Any) -> dict[str, Any]:
        (out / "heads.json").write_text("{}")
        rows = len(store.snapshot(wanted).holdout)
        judged = report_of(candidate=first(rows, rows), cold=first(0, rows), champion=None)
        return {"recipe": asdict(recipe_for("minilm", wanted, own.train)), "labels": 6,
                "train": 6, **judged}  # fmt: skip

    monkeypatch.setattr(jobs, "_run_trainer", fit)
    monkeypatch.setattr(jobs, "load", lambda environ: settings)
    return jobs.train("1", snapshot)


def test_what_sync_freezes_a_worker_elsewhere_trains_and_sync_hears_the_verdict(
    house: House, bucket: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = house.world
    connect(world, "1")
    house.answer(12)
    turn(world, "1")
    snapshot = house.wanted()
    reason = trained(bucket, snapshot, monkeypatch)
    world.store.project("1").place.refresh()
    turn(world, "1")
    settled = world.log.last_verdict("1")
    assert settled is not None and settled["reason"] == reason
    assert status(world, "1")["version"] == world.store.project("1").current().version
    person = store_of(bucket.settings("person"), "1")
    if person.current().version is None:
        person.move_current(None, settled["version"], "anna", "try it", by_hand=True)
    assert rollback(person, Person("root", "Anna"), "cold").before == settled["version"]
    world.store.project("1").place.refresh()
    assert status(world, "1")["version"] is None
    assert world.store.project("1").withdrawn() == {settled["version"]}


def test_while_the_bucket_is_away_sync_says_so_and_goes_on_afterwards(
    house: House, server: Server
) -> None:
    world = house.world
    connect(world, "1")
    turn(world, "1")
    house.answer(12)
    server.stop()
    service = Service(world)
    service.turn("1")
    told = service.health()
    assert told["status"] == "DEGRADED"
    assert "EndpointConnectionError" in told["projects"]["1"]["problem"]
    (said,) = [p for p in status(world, "1")["problems"] if "s3://" in p]
    assert "EndpointConnectionError" in said
    server.start()
    service.turn("1")
    assert service.health()["projects"]["1"]["problem"] is None
    assert house.wanted() in world.store.project("1").snapshots()
    assert next(code for kind, code in EXITS if issubclass(StoreDown, kind)) == NEIGHBOUR


def test_a_bucket_is_backed_up_by_its_own_tools(house: House, bucket: Machines) -> None:
    settings = house.world.settings
    with pytest.raises(Impossible, match=f"the store is {bucket.address}: keep it with its own"):
        backup(settings)
    with pytest.raises(Impossible, match="aws s3 sync"):
        restore(settings, Path("none.tar.gz"), Person("root"))
    with pytest.raises(Impossible, match="ANNOTUNE_STORE says that the store is /elsewhere"):
        restore(replace(settings, place="/elsewhere"), Path("none.tar.gz"), Person("root"))


def test_doctor_looks_whether_the_bucket_holds(bucket: Machines, server: Server) -> None:
    settings = bucket.settings("one")
    (fine,) = look(settings)
    assert (fine.level, fine.seen) == (
        "ok",
        f"{bucket.address} answers, and holds conditional puts",
    )
    (none,) = look(replace(settings, place="s3://nobody-has-it"))
    assert none.level == "problem" and "NoSuchBucket" in none.seen and "AWS_PROFILE" in none.fix
    server.stop()
    (gone,) = look(settings)
    assert gone.level == "problem" and "EndpointConnectionError" in gone.seen
