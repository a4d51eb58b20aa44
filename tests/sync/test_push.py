"""Every unanswered task gets each version's prediction exactly once, whatever is cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from settings import Backend, Blind, Settings, Sync
from sync.backend_client import BackendDown
from sync.log import Log
from sync.pull import pull
from sync.push import Pushed, push, retire
from sync.start.api import StudioApi
from sync.start.studio import Studio as RunningStudio
from sync.studio import Studio
from sync.studio_values import NewPrediction, StudioDown
from sync.terms import read_terms
from tests.sync.fake_studio import FakeStudio
from tests.sync.stub_backend import StubBackend, stub_backend

# the SDK's own token refresh calls a deprecated method of pydantic
pytestmark = pytest.mark.filterwarnings("ignore:The `parse_obj` method:DeprecationWarning")
COLD, V1, V2 = "cold-00000000", "v1-11111111", "v2-22222222"
WORDS = ("apple", "river", "stone", "cloud", "music", "train", "paper", "garden")
CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="intent" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>'
)


@dataclass
class Room:
    settings: Settings
    log: Log
    studio: FakeStudio
    backend: StubBackend

    def push(self, version: str = V1, budget_s: float = 20.0) -> Pushed:
        self.backend.version = version
        pull(self.studio, self.log, "1", self.settings.blind.share)
        terms = read_terms(self.settings, CONFIG)
        return push(self.log, self.studio, "1", terms, version, budget_s)

    def versions_held(self) -> Counter[tuple[int, str]]:
        tasks = self.studio.tasks
        return Counter((t, p.version) for t, s in tasks.items() for p in s.predictions)

    def add(self, number: int) -> None:
        for i in range(number):
            n = len(self.studio.tasks) + i
            self.studio.add_task(f"{WORDS[n % 8]} {WORDS[n // 8 % 8]} {n:b} {n * 7919:x} or so")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    log = Log(f"sqlite:///{tmp_path / 'log.db'}")
    log.connect("1", "fake")
    with stub_backend() as stub:
        settings = Settings(
            backend=Backend(url=stub.url, password="s3cret"),
            sync=Sync(batch=7),
            blind=Blind(share=0.3, first_in=3, enough=30, then_in=6),
        )
        made = Room(settings, log, FakeStudio(CONFIG), stub)
        made.studio.connect_backend("1", stub.url, COLD)
        made.add(40)
        yield made
    log.close()


def test_each_task_gets_one_and_the_project_shows_the_version(room: Room) -> None:
    done = room.push()
    assert done.switched and not done.left and done.shown + done.blind == 40
    assert set(room.versions_held().values()) == {1}
    assert room.studio.info.model_version == V1
    assert [b.title for b in room.studio.mine] == [V1]
    blind = set(room.log.blind_tasks("1"))
    assert blind and blind.isdisjoint(room.backend.predicted())
    for task, state in room.studio.tasks.items():
        assert bool(state.predictions[0].result) == (task not in blind)


def test_the_backend_is_asked_politely(room: Room) -> None:
    room.push()
    asked = [(h, b) for path, h, b in room.backend.asked if path == "/predict"]
    assert all(h["X-Annotune-Priority"] == "bulk" for h, _ in asked)
    assert all(h["Authorization"].startswith("Basic ") for h, _ in asked)
    assert max(len(b["tasks"]) for _, b in asked) == 7


def test_one_in_three_served_is_blind(room: Room) -> None:
    room.push()
    blind = set(room.log.blind_tasks("1"))
    stream = [task in blind for task in room.studio.served()]
    assert stream[: 3 * (len(blind) - 1)] == [False, False, True] * (len(blind) - 1)


def test_a_second_push_sends_nothing(room: Room) -> None:
    room.push()
    imports = len(room.studio.imports)
    assert room.push() == Pushed(V1)
    assert len(room.studio.imports) == imports


def test_later_tasks_get_theirs_in_the_next_push(room: Room) -> None:
    room.push()
    room.add(9)
    done = room.push()
    assert done.shown + done.blind == 9 and not done.switched
    assert len(room.versions_held()) == 49 and set(room.versions_held().values()) == {1}


def test_answered_tasks_are_left_alone_and_skipped_ones_are_not(room: Room) -> None:
    pull(room.studio, room.log, "1", 0.3)
    room.studio.annotate(5, [])
    room.studio.annotate(6, [], cancelled=True)
    room.push()
    assert (5, V1) not in room.versions_held() and (6, V1) in room.versions_held()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("at", [0, 1])
def test_cut_off_around_an_import_the_next_push_makes_no_doubles(
    room: Room, monkeypatch: pytest.MonkeyPatch, stored: bool, at: int
) -> None:
    whole, calls = room.studio.import_predictions, []

    def dies(project: str, predictions: Sequence[NewPrediction]) -> int:
        calls.append(1)
        if len(calls) - 1 == at:
            if stored:
                whole(project, predictions)
            raise Killed
        return whole(project, predictions)

    monkeypatch.setattr(room.studio, "import_predictions", dies)
    with pytest.raises(Killed):
        room.push()
    monkeypatch.setattr(room.studio, "import_predictions", whole)
    assert room.studio.info.model_version != V1
    room.push()
    assert len(room.versions_held()) == 40 and set(room.versions_held().values()) == {1}
    assert room.studio.info.model_version == V1


def test_what_label_studio_fetched_itself_is_not_sent_again(room: Room) -> None:
    pull(room.studio, room.log, "1", 0.3)
    shown = next(t for t, blind in room.log.unanswered("1").items() if not blind)
    room.backend.version = V1
    room.studio.predict(shown, [], 0.4, V1)
    room.push()
    assert room.versions_held()[shown, V1] == 1


def test_without_time_it_stops_and_says_what_is_left(room: Room) -> None:
    done = room.push(budget_s=0.0)
    assert done.left == 40 and not done.switched
    assert room.push().left == 0


def test_another_version_than_expected_ends_the_push(room: Room) -> None:
    pull(room.studio, room.log, "1", 0.3)
    room.backend.version = V2
    got = push(room.log, room.studio, "1", read_terms(room.settings, CONFIG), V1)
    assert got.problem and V2 in got.problem and not got.switched and not room.versions_held()
    assert room.push(V2).switched


def test_a_busy_backend_is_waited_for_but_not_for_ever(room: Room) -> None:
    room.backend.busy = 2
    assert room.push().switched
    room.backend.busy = 99
    with pytest.raises(BackendDown, match="503"):
        room.push(V2)


def test_a_task_that_vanished_spoils_one_push_only(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(room.studio, room.log, "1", 0.3)
    whole = room.studio.import_predictions

    def vanishes(project: str, predictions: Sequence[NewPrediction]) -> int:
        room.studio.tasks.pop(predictions[0].task, None)
        monkeypatch.setattr(room.studio, "import_predictions", whole)
        return whole(project, predictions)

    monkeypatch.setattr(room.studio, "import_predictions", vanishes)
    assert room.push().problem
    assert room.push().switched and len(room.versions_held()) == 39


def test_an_answer_that_does_not_fit_is_sent_empty(room: Room) -> None:
    room.backend.label = "unknown"
    room.push()
    assert all(not s.predictions[0].result for s in room.studio.tasks.values())


def test_label_studio_down_leaves_everything_for_the_next_turn(room: Room) -> None:
    pull(room.studio, room.log, "1", 0.3)
    room.studio.fail_next = [StudioDown("x")]
    with pytest.raises(StudioDown):
        push(room.log, room.studio, "1", read_terms(room.settings, CONFIG), V1)
    assert room.push().switched


def test_old_predictions_go_when_the_lock_time_has_passed(room: Room) -> None:
    room.push(V1)
    room.push(V2)
    assert retire(room.log, room.studio, "1", lock_s=3600) == []
    assert retire(room.log, room.studio, "1", lock_s=0) == [V1]
    assert {version for _, version in room.versions_held()} == {V2}
    assert room.studio.info.model_version == V2
    assert retire(room.log, room.studio, "1", lock_s=0) == []


def test_predictions_of_others_and_those_on_their_way_stay(room: Room) -> None:
    first, second = sorted(room.studio.tasks)[:2]
    room.studio.predict(first, [], 0.1, "gpt-imported")
    room.push(V1)
    room.push(V2)
    room.log.plan("1", [NewPrediction(second, (), 0.1, "v3-33333333")])
    assert retire(room.log, room.studio, "1", lock_s=0) == [V1]
    assert room.versions_held()[first, "gpt-imported"] == 1


def test_cut_off_after_a_removal_the_next_push_shows_the_version_again(room: Room) -> None:
    room.push(V1)
    room.push(V2)
    room.studio.delete_predictions("1", V1)
    assert room.studio.info.model_version == ""
    assert room.push(V2).switched and room.studio.info.model_version == V2


def test_a_rollback_shows_the_predictions_that_are_still_there(room: Room) -> None:
    room.push(V1)
    room.push(V2)
    before = room.versions_held()
    assert room.push(V1) == Pushed(V1, switched=True)
    assert room.versions_held() == before
    assert [v.version for v in room.log.versions("1")] == [V1, V2, V1]
    assert retire(room.log, room.studio, "1", lock_s=3600) == []


def test_predictions_somebody_deleted_come_back(room: Room) -> None:
    room.push(V1)
    for task, state in room.studio.tasks.items():
        room.studio.tasks[task] = replace(state, predictions=())
    room.studio.info = replace(room.studio.info, model_version="")
    room.push(V1)
    assert len(room.versions_held()) == 40


@dataclass
class RealRoom:
    """One project of a real Label Studio, with the stub as its backend."""

    settings: Settings
    log: Log
    studio: Studio
    backend: StubBackend
    api: StudioApi
    project: str

    def push(self, version: str) -> Pushed:
        self.backend.version = version
        pull(self.studio, self.log, self.project, self.settings.blind.share)
        self.backend.blind = set(self.log.blind_tasks(self.project))
        terms = read_terms(self.settings, CONFIG)
        return push(self.log, self.studio, self.project, terms, version)

    def next(self) -> dict[str, Any]:
        task: dict[str, Any] = self.api.call("GET", f"/api/projects/{self.project}/next")
        return task

    def answer(self, task: int) -> None:
        body = {"result": [], "lead_time": 0.1}
        self.api.call("POST", f"/api/tasks/{task}/annotations/", json=body)

    def expected(self, version: str) -> list[int]:
        """Unanswered tasks by the score we gave them."""
        open_ = self.log.unanswered(self.project)
        rows = [r for r in self.log.shown(self.project, version) if r.task in open_]
        return [r.task for r in sorted(rows, key=lambda r: r.score or 0.0)]

    def doubles(self) -> list[int]:
        states = self.studio.changed_tasks(self.project, None)
        return [
            s.task.id
            for s in states
            if len({p.version for p in s.predictions}) != len(s.predictions)
        ]


@pytest.fixture
def real_room(studio: RunningStudio, studio_api: StudioApi, tmp_path: Path) -> Iterator[RealRoom]:
    log = Log(f"sqlite:///{tmp_path / 'log.db'}")
    body = {"title": "push", "label_config": CONFIG}
    project = str(studio_api.call("POST", "/api/projects", json=body)["id"])
    texts = [f"{WORDS[i % 8]} {WORDS[i // 8]} {i:b} {i * 7919:x} or so" for i in range(32)]
    tasks = [{"data": {"text": text}} for text in texts]
    studio_api.call("POST", f"/api/projects/{project}/import", json=tasks)
    log.connect(project, "push")
    with stub_backend() as stub:
        stub.scores = {text: ((i * 7) % 32) / 40 for i, text in enumerate(texts)}
        settings = Settings(
            backend=Backend(url=stub.url, password="s3cret"), blind=Blind(share=0.3)
        )
        room = RealRoom(settings, log, Studio(studio.url, studio.token), stub, studio_api, project)
        pull(room.studio, log, project, 0.3)
        stub.blind = set(log.blind_tasks(project))
        room.studio.connect_backend(project, stub.url, COLD, "annotune", "s3cret")
        room.studio.set_sampling(project)
        yield room
        room.studio.close()
    log.close()


@pytest.mark.real
def test_order_and_refresh_both_work_on_a_real_label_studio(real_room: RealRoom) -> None:
    room = real_room
    assert room.push(V1).switched
    info = room.studio.project(room.project)
    assert info.model_version == V1 == room.studio.backends(room.project)[0].title
    blind, served = room.backend.blind, []
    expected = room.expected(V1)
    for _ in range(6):  # uncertainty order, one in three of them blind
        task = room.next()
        served.append(task["id"])
        assert [p["model_version"] for p in task["predictions"]] == [V1]
        assert bool(task["predictions"][0]["result"]) == (task["id"] not in blind)
        room.answer(task["id"])
    assert served == expected[:6]
    assert [t in blind for t in served] == [False, False, True] * 2
    # the next version turns the order round, while the old one's predictions still stand
    room.backend.scores = {text: 0.9 - score for text, score in room.backend.scores.items()}
    assert room.push(V2).switched
    expected, served = room.expected(V2), []
    for _ in range(4):
        task = room.next()
        served.append(task["id"])
        assert [p["model_version"] for p in task["predictions"]] == [V2]
        room.answer(task["id"])
    assert served == expected[:4]


@pytest.mark.real
def test_a_task_opened_before_the_push_is_refreshed_and_not_doubled(real_room: RealRoom) -> None:
    room = real_room
    room.push(V1)
    room.backend.version = V2  # the backend has swapped, sync has not pushed yet
    opened = room.next()
    assert [p["model_version"] for p in opened["predictions"]] == [V2]
    new = [{"data": {"text": "a task that came later than all the others"}}]
    room.api.call("POST", f"/api/projects/{room.project}/import", json=new)
    late = max(room.studio.task_ids(room.project))
    fresh = room.api.call("GET", f"/api/tasks/{late}")
    assert [p["model_version"] for p in fresh["predictions"]] == [V2]
    assert room.push(V2).switched
    assert room.doubles() == []
    held = room.studio.tasks_with_version(room.project, V2)
    assert held == room.studio.task_ids(room.project)
    room.answer(opened["id"])
    pull(room.studio, room.log, room.project, 0.3)
    rows = [r for r in room.log.shown(room.project, V2) if r.task == opened["id"]]
    assert len(rows) == 1 and not rows[0].pushed and rows[0].prediction


@pytest.mark.real
def test_removing_old_predictions_keeps_the_order_of_the_new(real_room: RealRoom) -> None:
    room = real_room
    room.push(V1)
    room.push(V2)
    assert retire(room.log, room.studio, room.project, lock_s=0) == [V1]
    assert room.studio.project(room.project).model_version == V2
    assert room.studio.tasks_with_version(room.project, V1) == set()
    expected = room.expected(V2)
    for task in expected[:3]:
        assert room.next()["id"] == task
        room.answer(task)
