"""Model servers that follow one bucket, each by itself: moto over HTTP (see test_s3.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from label_config import Task, read_schema
from label_config.values import BLIND
from lora.adapter import Recipe
from lora.live import Live
from lora.store import ProjectStore
from tests.bucket.conftest import Machines
from tests.bucket.replica import tiny
from tests.bucket.server import Server
from tests.lora.made import CONFIG, write_files

ROOT = Path(__file__).parents[2]
SCHEMA = read_schema(CONFIG)
BASE = tiny()
LONG_S = 120.0  # a busy machine; what comes sooner ends the wait


def commit(project: ProjectStore, seed: int) -> str:
    staging = project.staging()
    write_files(staging, BASE, SCHEMA, seed)
    recipe = Recipe(BASE.name, BASE.revision, f"{seed:064x}", {}, seed)
    what: dict[str, Any] = {"schema": SCHEMA.digest, "config": CONFIG, "scores": {}}
    return project.commit(staging, recipe, labels=1, parent=None, **what).version


def until(seen: Callable[[], Any]) -> Any:
    end = time.monotonic() + LONG_S
    while not (found := seen()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


@contextmanager
def replica(bucket: Machines, name: str) -> Iterator[subprocess.Popen[str]]:
    own = {"ANNOTUNE_HOME": str(bucket.root / name), "ANNOTUNE_STORE": bucket.address}
    own |= {"ANNOTUNE_S3_POLL_S": "0.05", "OMP_NUM_THREADS": "1"}
    argv, pipe = [sys.executable, "-m", "tests.bucket.replica"], subprocess.PIPE
    env = {**os.environ, **own}
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=env) as child:
        try:
            yield child
        finally:
            child.kill()


def serves(child: subprocess.Popen[str], version: str) -> list[Any]:
    """What it said once it served this; it ends, and fails the test, if it never does."""
    assert child.stdout is not None
    for line in child.stdout:
        said: list[Any] = json.loads(line)
        if said[0] == version:
            return said
    raise AssertionError(f"it ended without ever serving {version}")


def test_two_replicas_swap_by_themselves_and_say_what_they_serve(bucket: Machines) -> None:
    worker = bucket.project("worker")
    one, two = commit(worker, 1), commit(worker, 2)
    worker.move_current(None, one, "gate", "better")
    with replica(bucket, "a") as a, replica(bucket, "b") as b:
        for child in (a, b):
            assert serves(child, one)[1:] == [one, one, None]
        worker.move_current(one, two, "gate", "better still")
        for child in (a, b):
            assert serves(child, two)[1:] == [two, two, None]
    for name in "ab":
        own = bucket.store(name, serves=True).project("1")
        assert (own.folder / "adapters" / two / "manifest.json").is_file()


@pytest.fixture
def live(bucket: Machines) -> Iterator[Live]:
    made = Live(bucket.store("server", serves=True), lambda name: BASE, "tiny", poll_s=0.02)
    with closing(made):
        made.start()
        yield made


def told(live: Live) -> dict[str, Any]:
    live.version("1", SCHEMA)
    found: dict[str, Any] = live.health()["projects"]["1"]
    return found


def answer(live: Live) -> str:
    (made,) = live.predict("1", SCHEMA, [Task(1, "1", {"text": "play the red song"})])
    return made.model_version


def test_a_replica_serves_on_while_the_bucket_is_away_and_catches_up(
    bucket: Machines, server: Server, live: Live
) -> None:
    worker = bucket.project("worker")
    one, two = commit(worker, 1), commit(worker, 2)
    worker.move_current(None, one, "gate", "better")
    until(lambda: told(live)["version"] == one)
    assert live.health()["store"]["problem"] is None
    server.stop()
    until(lambda: "EndpointConnectionError" in (live.health()["store"]["problem"] or ""))
    assert answer(live) == one
    until(lambda: bucket.address in (told(live)["error"] or ""))
    assert told(live)["version"] == one
    server.start()
    worker.move_current(one, two, "gate", "better still")
    until(lambda: told(live)["version"] == two)
    assert answer(live) == two
    assert until(lambda: told(live)["error"] is None)
    assert live.health()["store"] == {
        "at": bucket.address,
        "answered_at": pytest.approx(time.time(), abs=LONG_S),
        "problem": None,
    }


def test_a_replica_starts_from_its_mirror_while_the_bucket_is_away(
    bucket: Machines, server: Server
) -> None:
    worker = bucket.project("worker")
    one = commit(worker, 1)
    worker.move_current(None, one, "gate", "better")
    for away in (False, True):
        if away:
            server.stop()
        made = Live(bucket.store("server", serves=True), lambda name: BASE, "tiny", poll_s=0.02)
        with closing(made):
            made.start()
            until(lambda made=made: told(made)["version"] == one)
            assert answer(made) == one


def test_a_version_with_a_flipped_bit_is_refused_and_the_old_one_serves(
    bucket: Machines, server: Server, live: Live
) -> None:
    worker = bucket.project("worker")
    one, two = commit(worker, 1), commit(worker, 2)
    worker.move_current(None, one, "gate", "better")
    until(lambda: told(live)["version"] == one)
    server.flip(bucket.address, f"projects/1/adapters/{two}/adapter_model.safetensors")
    worker.move_current(one, two, "gate", "better still")
    until(lambda: told(live)["wanted"] == two and told(live)["quarantined"])
    assert answer(live) == one
    assert "adapter_model.safetensors should have SHA-256" in told(live)["error"]
    worker.place.refresh()
    assert list(worker.quarantined()) == [two], "every machine knows that it does not load"


def test_a_newly_blind_task_is_withheld_once_the_replica_has_looked(
    bucket: Machines, live: Live
) -> None:
    worker = bucket.project("worker")
    worker.publish_blind([7])
    task = Task(1, "1", {"text": "play the red song"})
    until(lambda: live.predict("1", SCHEMA, [task])[0].reason != BLIND)
    worker.publish_blind([7, 1])
    until(lambda: live.predict("1", SCHEMA, [task])[0].reason == BLIND)
