"""The story, turn by turn, with every neighbour a fake but the log and the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

from sync.connect import NothingToPredict, connect
from sync.freeze import FreezeReport
from sync.groups import is_blind
from sync.loop import START_S, TRAIN, turn
from sync.service import Service
from sync.status import status
from sync.studio_values import NoSuchProject, StudioDown, TaskState
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import WORDS, House


def test_connecting_shows_blind_tasks_to_nobody_and_keeps_only_our_webhook(house: House) -> None:
    s = house.world.settings
    done = connect(house.world, "1")
    assert (done.tasks, done.version, done.webhooks_removed) == (30, house.backend.version, 1)
    assert [h.url for h in house.studio.hooks] == [f"{s.sync.url}/webhook"]
    assert house.studio.info.sampling == "Uncertainty sampling"
    blind = house.world.store.project("1").blind()
    assert blind == set(house.world.log.blind_tasks("1")) != set()
    connect(house.world, "1")
    assert len(house.studio.hooks) == len(house.studio.mine) == 1


def test_what_a_pull_that_broke_off_has_drawn_is_withheld(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long pull the backend would else show what is blind, until all of it is through."""
    changed = house.studio.changed_tasks

    def broken_off(project: str, since: datetime | None) -> Iterator[TaskState]:
        yield from islice(changed(project, since), 25)
        raise StudioDown("the line went dead")

    monkeypatch.setattr("sync.pull.PART", 10)
    monkeypatch.setattr(house.studio, "changed_tasks", broken_off)
    with pytest.raises(StudioDown):
        connect(house.world, "1")
    assert len(house.world.log.sides("1")) == 20
    blind = house.world.store.project("1").blind()
    assert blind == set(house.world.log.blind_tasks("1")) != set()


def test_a_config_with_nothing_to_predict_is_refused_before_anything_changes(house: House) -> None:
    house.studio.config = '<View><Image name="i" value="$i"/></View>'
    house.studio.__post_init__()
    with pytest.raises(NothingToPredict):
        connect(house.world, "1")
    assert house.studio.mine == [] and house.studio.hooks == []
    assert house.world.log.connected() == []


def test_texts_alone_are_nothing_to_an_encoder(house: House) -> None:
    house.studio.config = (
        '<View><Text name="text" value="$text"/><TextArea name="why" toName="text"/></View>'
    )
    house.studio.__post_init__()
    with pytest.raises(NothingToPredict, match="why: needs a causal base"):
        connect(house.world, "1")
    settings = replace(
        house.world.settings, train=replace(house.world.settings.train, base="smollm")
    )
    done = connect(replace(house.world, settings=settings), "1").to_dict()
    assert [(c["control"], c["kind"]) for c in done["predicted"]] == [("why", "TextArea")]
    assert done["not_predicted"] == []


def test_enough_answers_freeze_a_snapshot_and_enqueue_its_training_once(house: House) -> None:
    connect(house.world, "1")
    house.answer(5)
    assert "5 of 6" in turn(house.world, "1").decision.reason
    assert house.jobs.queued == []
    house.answer(1)
    assert turn(house.world, "1").decision.train
    snapshot = house.wanted()
    assert house.jobs.queued == [(TRAIN, "1", snapshot)]
    assert len(house.world.store.project("1").snapshot(snapshot).examples) == 6
    house.answer(6)
    assert "is being trained" in turn(house.world, "1").decision.reason
    assert len(house.jobs.queued) == 1


def test_a_verdict_ends_the_round_and_the_next_answers_start_another(house: House) -> None:
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    house.judge(house.wanted())
    turn(house.world, "1")
    last = house.world.log.last_verdict("1")
    assert last is not None and last["reason"] == "because"
    assert house.world.log.wanted("1") is None
    house.answer(6)
    assert turn(house.world, "1").decision.train


def test_rounds_that_brought_nothing_let_it_rest_and_it_says_so(house: House) -> None:
    connect(house.world, "1")
    serving = house.trained(0.5)
    house.answer(14)
    turn(house.world, "1")
    house.judge(house.wanted(), promoted=False)
    turn(house.world, "1")
    look = {"look": {"against": "champion", "value": 0.0}, "passed": False}
    verdict = {"promoted": False, "champion": serving, "gate": {"looks": [look]}, "labels": 100}
    report = FreezeReport(house.world.log.last_revision("1"), 1, 1, 0, {}, {})
    for place in range(4):
        house.world.log.want("1", f"{place}" * 64, "new answers", report)
        told = {**verdict, "scores": {"holdout": 120}}
        house.world.log.settle("1", f"{place}" * 64, told)
    house.answer(6)
    decision = turn(house.world, "1").decision
    assert not decision.train and "the last 4 rounds brought nothing" in decision.reason
    house.world.store.project("1").ask("ops")
    assert turn(house.world, "1").decision.train


def test_a_wiped_queue_costs_one_turn(house: House) -> None:
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    house.jobs.states.clear()
    turn(house.world, "1")
    assert len(house.jobs.queued) == 2


def test_a_worker_that_died_with_its_job_is_replaced_and_a_hopeless_snapshot_parked(
    house: House,
) -> None:
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    house.jobs.all_are("started", START_S - 1)
    turn(house.world, "1")
    assert len(house.jobs.queued) == 1, "a worker that just began is left alone"
    house.jobs.all_are("started", START_S + 1)
    turn(house.world, "1")
    assert len(house.jobs.queued) == 2
    house.jobs.all_are("ended")
    turn(house.world, "1")
    assert len(house.jobs.queued) == 2 and house.world.log.wanted("1") is None
    last = house.world.log.last_verdict("1")
    assert last is not None and "2 trainings ended without a verdict" in last["reason"]


def test_while_a_trainer_holds_the_lock_nothing_is_enqueued(house: House) -> None:
    connect(house.world, "1")
    house.answer(6)
    with house.world.store.project("1").training() as free:
        assert free
        turn(house.world, "1")
        turn(house.world, "1")
    assert house.jobs.queued == []
    turn(house.world, "1")
    assert len(house.jobs.queued) == 1


def test_a_dead_redis_loses_nothing_and_is_said(house: House) -> None:
    connect(house.world, "1")
    house.jobs.down = True
    house.answer(6)
    done = turn(house.world, "1")
    assert done.problems == ["the queue's Redis does not answer"]
    assert house.studio.info.model_version == house.backend.version, "predictions went on"
    assert "the queue's Redis does not answer" in status(house.world, "1")["problems"]
    house.jobs.down = False
    assert turn(house.world, "1").problems == []
    assert house.jobs.queued == [(TRAIN, "1", house.wanted())]


def test_a_new_version_is_pushed_to_every_open_task(house: House) -> None:
    connect(house.world, "1")
    turn(house.world, "1")
    house.backend.version = "v1-11111111"
    turn(house.world, "1")
    assert house.studio.info.model_version == "v1-11111111"
    newest = {s.predictions[-1].version for s in house.studio.tasks.values()}
    assert newest == {"v1-11111111"}


def test_a_dead_backend_is_a_problem_but_answers_are_heard(house: House) -> None:
    connect(house.world, "1")
    object.__setattr__(house.world.backend, "url", "http://127.0.0.1:9")
    house.answer(6)
    done = turn(house.world, "1")
    assert "does not answer /setup" in done.problems[0]
    assert done.decision.train and house.world.log.counts("1").answers == 6


def test_a_person_can_ask_for_a_training(house: House) -> None:
    connect(house.world, "1")
    house.answer(4)
    house.world.store.project("1").ask(by="ops")
    decision = turn(house.world, "1").decision
    assert decision.train and "asked for by ops" in decision.reason
    assert house.world.store.project("1").asked() is None


def test_the_admins_target_ends_the_training(house: House) -> None:
    connect(house.world, "1")
    house.answer(6)
    version = house.trained(0.7)
    assert turn(house.world, "1").decision.train
    house.judge(house.wanted())
    turn(house.world, "1")
    asked = house.studio.config.replace("<View>", '<View annotune-target="70%">')
    house.studio.change_config(asked)
    house.answer(6)
    assert house.world.store.project("1").current().version == version
    assert "the target 0.700 is reached" in turn(house.world, "1").decision.reason


def test_groups_are_drawn_with_the_share_the_admin_asked_for(house: House) -> None:
    asked = house.studio.config.replace("<View>", '<View annotune-blind-share="0.5">')
    house.studio.change_config(asked)
    connect(house.world, "1")
    drawn = house.world.log.drawn_groups("1")
    assert drawn == {group: is_blind("1", group, 0.5) for group in drawn}
    assert any(is_blind("1", group, 0.3) != blind for group, blind in drawn.items())


def test_the_pool_is_published_with_the_first_turn_that_knows_enough_texts(house: House) -> None:
    connect(house.world, "1")
    store = house.world.store.project("1")
    assert store.pool() == (), "thirty tasks are too few"
    for n in range(60):
        house.studio.add_task(f"{WORDS[n % 15]} {WORDS[n // 4]} number {n * 7919:b}")
    turn(house.world, "1")
    pool, blind = store.pool(), store.blind()
    open_texts = {s.task.data["text"] for t, s in house.studio.tasks.items() if t not in blind}
    assert len(pool) >= 50 and {t["text"] for t in pool} <= open_texts
    house.backend.version = "cold-00000000-1a2b"
    turn(house.world, "1")
    assert house.studio.info.model_version == "cold-00000000-1a2b"


class Failing(FakeStudio):
    """Raises what it is told to at the start of a turn."""

    error: Exception | None = None

    def project(self, project: str) -> Any:
        if self.error:
            raise self.error
        return super().project(project)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StudioDown("Label Studio does not answer"), "Label Studio does not answer"),
        (NoSuchProject("project 1 is gone"), "project 1 is gone"),
        (RuntimeError("a bug with a secret in it"), "RuntimeError"),
    ],
)
def test_a_turn_that_fails_is_shown_and_tried_again(
    house: House, error: Exception, words: str
) -> None:
    connect(house.world, "1")
    service = Service(house.world)
    house.studio.__class__ = Failing
    house.studio.error = error  # type: ignore[attr-defined]
    service.turn("1")
    health = service.health()
    assert (health["status"], health["projects"]["1"]["problem"]) == ("DEGRADED", words)
    house.studio.error = None  # type: ignore[attr-defined]
    service.turn("1")
    assert service.health()["status"] == "UP"


def test_a_nudge_for_an_unknown_project_is_not_heard(house: House) -> None:
    assert Service(house.world).nudge("77", False) is False


def test_a_paused_project_with_a_webhook_waiting_does_not_spin(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(house.world, "1")
    service = Service(house.world)
    house.studio.__class__ = Failing
    house.studio.error = NoSuchProject("gone")  # type: ignore[attr-defined]
    service.turn("1")
    assert service.nudge("1", False)
    looks: list[int] = []
    connected = house.world.log.connected
    monkeypatch.setattr(house.world.log, "connected", lambda: looks.append(1) or connected())
    thread = threading.Thread(target=service.run)
    thread.start()
    time.sleep(0.3)
    service.stop()
    thread.join(5)
    assert not thread.is_alive() and len(looks) <= 2


def _with_clock(house: House, monkeypatch: pytest.MonkeyPatch) -> tuple[Service, list[float]]:
    clock = [1000.0]
    own = SimpleNamespace(monotonic=lambda: clock[0], time=time.time)
    monkeypatch.setattr("sync.service.time", own)
    return Service(house.world), clock


def _turns_within(service: Service, clock: list[float], seconds: int) -> list[int]:
    """The seconds, from now, at which project 1 was turned; the clock moves by one at a time."""
    turned: list[int] = []
    for second in range(1, seconds + 1):
        clock[0] += 1
        if service._due("1"):
            service.turn("1")
            turned.append(second)
    return turned


def test_a_project_where_nothing_happens_is_asked_less_and_less_often(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(house.world, "1")
    service, clock = _with_clock(house, monkeypatch)
    assert _turns_within(service, clock, 140) == [1, 6, 16, 36, 66, 96, 126]
    house.answer(1)  # the webhook is lost
    assert _turns_within(service, clock, 30) == [16, 21]
    service.nudge("1", False)
    assert _turns_within(service, clock, 4) == [1]
    assert _turns_within(service, clock, 60)[-1] - 60 < -5


@pytest.mark.parametrize("sign", ["asked", "verdict", "current"])
def test_what_happens_in_the_store_is_seen_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    connect(house.world, "1")
    service, clock = _with_clock(house, monkeypatch)
    _turns_within(service, clock, 128)
    store = house.world.store.project("1")
    if sign == "asked":
        store.ask(by="ops")
    elif sign == "verdict":
        store.put_verdict("0" * 64, {"promoted": False})
    else:
        house.trained(0.9)
    assert _turns_within(service, clock, 10)[0] == 3  # poll_s after the turn at 126


def test_while_a_training_is_awaited_a_project_is_asked_every_poll(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(house.world, "1")
    service, clock = _with_clock(house, monkeypatch)
    house.answer(6)
    assert _turns_within(service, clock, 41) == list(range(1, 42, 5))


def test_asking_again_for_an_unchanged_snapshot_judges_it_again(house: House) -> None:
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    snapshot = house.wanted()
    house.judge(snapshot, promoted=False)
    house.jobs.all_are("ended")
    turn(house.world, "1")
    house.world.store.project("1").ask(by="ops")
    turn(house.world, "1")
    assert house.wanted() == snapshot and len(house.jobs.queued) == 2
    assert house.world.store.project("1").verdict(snapshot) is None
