"""Label Studio fails in every way, at every request: nothing is lost, nothing comes twice, and it
is said. Over the real wire, with the real client (tests/faults/label_studio.py)."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from label_studio_sdk.core import http_client

from sync.connect import connect
from sync.hooks import trouble
from sync.loop import turn
from sync.service import Service
from sync.status import status
from sync.studio import Studio
from tests.faults.label_studio import Fault, Wire, at_one_moment, label_studio
from tests.faults.seeds import seeds
from tests.sync.house import ANSWER, House, open_house

LEGACY = "0123456789abcdef0123456789abcdef01234567"
PLACES = len(seeds(2))  # of a turn's nine or more requests
HOURS = timedelta(hours=1)
pytestmark = pytest.mark.filterwarnings("ignore:The `parse_obj` method:DeprecationWarning")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the SDK would have waited before it asked again."""
    waited: list[float] = []
    slept = SimpleNamespace(sleep=waited.append, time=http_client.time.time)
    monkeypatch.setattr(http_client, "time", slept)
    return waited


@pytest.fixture
def wired(tmp_path: Path, waits: list[float]) -> Iterator[tuple[House, Wire]]:
    """A connected project of 30 tasks behind the wire, pages of seven."""
    with (
        open_house(tmp_path) as house,
        label_studio(house.studio) as wire,
        closing(Studio(wire.url, LEGACY, page=7)) as studio,
    ):
        house.world = replace(house.world, studio=studio)
        connect(house.world, "1")
        turn(house.world, "1", sweep=True)
        wire.asked.clear()
        yield house, wire


def people_work(house: House) -> None:
    """An answer, an edit, a skip, a deletion of each kind, two new tasks."""
    studio = house.studio
    open_tasks = [t for t, s in studio.tasks.items() if not s.annotations]
    first, second, third, gone = open_tasks[:4]
    kept = studio.annotate(first, ANSWER)
    studio.annotate(second, ANSWER, cancelled=True)
    studio.edit(kept, [ANSWER[0] | {"value": {"choices": ["B"]}}])
    studio.remove_annotation(studio.annotate(third, ANSWER))
    del studio.tasks[gone]
    for n in range(2):
        studio.add_task(f"new {len(studio.tasks)} {n:b} {open_tasks[0]:x}")


def check(house: House) -> None:
    """The log is what Label Studio holds; each open task has one prediction of what serves."""
    log, studio = house.world.log, house.studio
    held = {a.id: a for s in studio.tasks.values() for a in s.annotations}
    kept = {n: (a.task, a.result) for n, a in held.items() if not a.cancelled}
    assert {a.id: (a.task, a.result) for a in log.current_annotations("1")} == kept
    assert set(log.sides("1")) == set(studio.tasks)
    for state in studio.tasks.values():
        versions = [p.version for p in state.predictions]
        assert len(versions) == len(set(versions))
        if not any(not a.cancelled for a in state.annotations):
            assert house.backend.version in versions
    assert studio.info.model_version == house.backend.version
    assert trouble(house.world.settings, studio.hooks) is None


FAULTS = {
    "401": (Fault(status=401), "refuses the token (HTTP 401)"),
    "403": (Fault(status=403), "refuses the token (HTTP 403)"),
    "429": (Fault(status=429, headers={"Retry-After": "7"}), "cannot answer (HTTP 429)"),
    "500": (Fault(status=500), "cannot answer (HTTP 500)"),
    "500 after it was done": (Fault(status=500, done=True), "cannot answer (HTTP 500)"),
    "half a body": (Fault(half=True), "does not answer (RemoteProtocolError)"),
    "a slow start": (Fault(silent_s=0.8), "does not answer (ReadTimeout)"),
    "drop by drop": (Fault(drip_s=0.06), "does not answer (ReadTimeout)"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_request_fails_nothing_is_lost_and_it_is_said(
    wired: tuple[House, Wire], name: str, caplog: pytest.LogCaptureFixture, waits: list[float]
) -> None:
    house, wire = wired
    fault, words = FAULTS[name]
    service, patient = Service(house.world), house.world
    hasty = replace(patient, studio=Studio(wire.url, LEGACY, timeout_s=0.5, page=7))
    drawn = random.Random(f"faults {name}")  # the seed is the name
    for place in sorted(drawn.sample(range(9), PLACES)):
        people_work(house)
        house.backend.version = f"v{place + 1}-0000000{place % 7}"
        wire.asked.clear()
        caplog.clear()
        # from that request on as often as the client asks again; a 200 before it changes nothing
        wire.script = [*[Fault()] * place, *[fault] * 3]
        service.world = hasty if fault.silent_s or fault.drip_s else patient
        with caplog.at_level(logging.WARNING):
            service.turn("1")
            failed = service.health()["projects"]["1"]["problem"]
        assert len(wire.asked) > place
        assert failed and words in failed and LEGACY not in failed, (place, failed)
        assert words in caplog.text and service.health()["status"] == "DEGRADED"
        wire.script.clear()
        service.world = patient
        for _ in range(2):
            service.turn("1")
        assert service.health()["status"] == "UP"
        check(house)
    hasty.studio.close()
    if name == "429":
        assert set(waits) == {7.0}, "Retry-After is what it waits for"


def test_a_fault_that_passes_is_not_even_noticed(wired: tuple[House, Wire]) -> None:
    house, wire = wired
    people_work(house)
    wire.script = [Fault("tasks", status=503, headers={"Retry-After": "1"}), Fault(status=429)]
    service = Service(house.world)
    service.turn("1")
    assert service.health()["status"] == "UP"
    check(house)


@pytest.mark.parametrize("seed", seeds())
def test_a_page_changes_under_the_reader(wired: tuple[House, Wire], seed: int) -> None:
    house, wire = wired
    studio, tasks = house.studio, list(house.studio.tasks)
    drawn = random.Random(f"page {seed}")
    for task in tasks:  # everything has changed: five pages
        studio.tasks[task] = replace(studio.tasks[task], updated_at=studio.now() + HOURS)

    def meanwhile() -> None:
        there = [t for t in tasks if t in studio.tasks]
        for task in drawn.sample(there, 3):
            studio.annotate(task, ANSWER)
        del studio.tasks[drawn.choice(there)]
        studio.add_task("came while a page was read")

    wire.script = [Fault(), *[Fault("api/tasks", meanwhile=meanwhile)] * drawn.randint(1, 5)]
    for _ in range(2):
        turn(house.world, "1", sweep=True)
    assert len(wire.script) == 0
    check(house)


@pytest.mark.parametrize("seed", seeds())
def test_more_tasks_of_one_moment_than_a_page_holds(wired: tuple[House, Wire], seed: int) -> None:
    house, _ = wired
    studio, drawn = house.studio, random.Random(f"moment {seed}")
    for task in drawn.sample(list(studio.tasks), drawn.randint(8, 28)):
        studio.annotate(task, ANSWER)
    at_one_moment(studio, studio.now())
    for _ in range(2):
        turn(house.world, "1")
    check(house)


@pytest.mark.parametrize("hours", [-48, 48, -1000, -1, 9][: len(seeds(2))])
def test_clocks_that_differ_by_days(
    wired: tuple[House, Wire], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    house, _ = wired
    if hours < 0:  # the project began under the right clock: nothing of before is in the way
        for task in list(house.studio.tasks):
            del house.studio.tasks[task]
        turn(house.world, "1", sweep=True)
    fresh = {"at": datetime.now(timezone.utc) + timedelta(hours=hours)}

    def now() -> datetime:
        fresh["at"] += timedelta(seconds=1)
        return fresh["at"]

    monkeypatch.setattr(house.studio, "now", now)
    for n in range(6):
        house.studio.add_task(f"under another clock {n:b} {n * 7919}")
    for _ in range(2):
        turn(house.world, "1", sweep=True)
    people_work(house)
    turn(house.world, "1", sweep=True)
    check(house)


@pytest.mark.parametrize("seed", seeds(2))
def test_its_clock_is_set_back(
    wired: tuple[House, Wire], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    house, _ = wired
    drawn, service = random.Random(f"set back {seed}"), Service(house.world)
    people_work(house)
    service.turn("1")
    back = timedelta(seconds=drawn.choice([40, 600, 86_400]) * drawn.uniform(1, 6))
    monkeypatch.setattr(house.studio, "now", lambda: datetime.now(timezone.utc) - back)
    for _ in range(drawn.randint(1, 3)):
        people_work(house)
    service.turn("1")
    told = service.health()["projects"]["1"]
    assert told["problem"] is None and "clock was set back by at least" in told["mended"]["what"]
    people_work(house)
    service.turn("1")
    service.turn("1")
    check(house)


@pytest.mark.parametrize("pages", range(1, 1 + len(seeds())))
def test_a_token_that_ends_between_two_pages(wired: tuple[House, Wire], pages: int) -> None:
    house, wire = wired
    studio = house.studio
    for task in list(studio.tasks):
        studio.tasks[task] = replace(studio.tasks[task], updated_at=studio.now() + HOURS)
    for task in list(studio.tasks)[:9]:
        studio.annotate(task, ANSWER)
    service = Service(house.world)
    wire.script = [*[Fault("page_size=7")] * pages, *[Fault(status=401)] * 40]
    service.turn("1")
    assert "refuses the token" in service.health()["projects"]["1"]["problem"]
    assert house.world.log.cursor("1") is not None
    wire.script.clear()  # a new token came
    for _ in range(2):
        service.turn("1")
    check(house)


# ---- the webhook


def odd(hook: Any, change: str) -> list[Any]:
    return {
        "gone": [],
        "switched off": [replace(hook, active=False)],
        "another secret": [replace(hook, headers={"X-Annotune-Secret": "old"})],
        "not called for TASKS_DELETED": [
            replace(hook, actions=tuple(a for a in hook.actions if a != "TASKS_DELETED"))
        ],
        "there 2 times": [hook, replace(hook, id=hook.id + 1000)],
    }[change]


@pytest.mark.parametrize("time", seeds())
@pytest.mark.parametrize(
    "change",
    ["gone", "switched off", "another secret", "not called for TASKS_DELETED", "there 2 times"],
)
def test_a_webhook_that_was_changed_is_noticed_repaired_and_reported(
    wired: tuple[House, Wire], change: str, caplog: pytest.LogCaptureFixture, time: int
) -> None:
    house, _ = wired
    for _ in range(time):  # another moment of a project's life each time
        people_work(house)
        turn(house.world, "1")
    (hook,) = house.studio.hooks
    house.studio.hooks = odd(hook, change)
    assert any(change in p for p in status(house.world, "1")["problems"])
    service = Service(house.world)
    service.turn("1")  # its first turn is a sweep, and one every five minutes
    told = service.health()["projects"]["1"]["mended"]
    assert change in told["what"] and "set up again" in told["what"] and told["what"] in caplog.text
    (mended,) = house.studio.hooks
    assert mended.active and mended.headers == {"X-Annotune-Secret": "s3cret"}
    assert "s3cret" not in caplog.text + repr(mended) + str(service.health())
    assert status(house.world, "1")["problems"] == []
    asked = len(house.studio.hooks)
    service.turn("1")
    assert len(house.studio.hooks) == asked, "once is enough"
