"""What is pushed where the backend says vectors: the order that benchmarks.order measures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.order_ways import State, as_pushed, typical
from lora.store import Store
from settings import Backend, Blind, Settings, Sync
from sync import push as room_of
from sync.log import Log
from sync.order import drawn_by
from sync.ordered import note_order, order_of
from sync.pull import pull
from sync.push import Pushed, push
from sync.terms import read_terms
from sync.typical import BLOCK, Floats
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import ANSWER, CONFIG
from tests.sync.stub_backend import StubBackend, stub_backend

COLD, V1 = "cold-00000000", "v1-11111111"
KINDS = 6
CENTRES: Floats = 4 * np.eye(16)[:KINDS]


class Room:
    """Tasks of a few kinds; the stub says vectors near each kind's own."""

    def __init__(self, log: Log, stub: StubBackend, count: int = 140) -> None:
        self.log, self.stub, self.studio = log, stub, FakeStudio(CONFIG)
        self.settings = Settings(
            backend=Backend(url=stub.url, password="s3cret"), sync=Sync(batch=50), blind=Blind(0.2)
        )
        self.studio.connect_backend("1", stub.url, COLD)
        rng = np.random.default_rng(0)
        self.vectors: dict[int, Floats] = {}
        for i in range(count):
            text = f"{'abcdef'[i % KINDS] * 4} {i * 7919:b} {i:x}"
            near: Floats = CENTRES[i * i % KINDS] + rng.normal(0, 0.6, 16)
            near = near.astype("<f2").astype(np.float64)
            self.studio.add_task(text)
            self.vectors[max(self.studio.tasks)] = near
            stub.vectors[text] = near.astype("<f2").tobytes()
            stub.scores[text] = round(float(rng.random()), 6)
            stub.labels[text] = "AB"[i % 2]

    def text(self, task: int) -> str:
        return str(self.studio.tasks[task].task.data["text"])

    def push(self, version: str, budget_s: float = 20.0) -> Pushed:
        self.stub.version = version
        pull(self.studio, self.log, "1", self.settings.blind.share)
        terms = read_terms(self.settings, CONFIG)
        return push(self.log, self.studio, "1", terms, version, budget_s)

    def answer(self, count: int) -> None:
        pull(self.studio, self.log, "1", self.settings.blind.share)
        for task in self.open()[:count]:
            self.studio.annotate(task, ANSWER)

    def open(self) -> list[int]:
        """Shown tasks nobody answered, in the order in which they are asked for."""
        waiting = (t for t, blind in self.log.unanswered("1").items() if not blind)
        return sorted(waiting, key=lambda task: drawn_by("1", task))

    def queue(self, version: str) -> list[int]:
        """Shown tasks by the score that was pushed."""
        rows = self.log.shown("1", version, self.open())
        assert all(0 <= (r.score or 0) <= 1 for r in rows)
        return [r.task for r in sorted(rows, key=lambda r: r.score or 0)]

    def state(self, cold: bool) -> tuple[State, list[int]]:
        """The same as the benchmark's: answered rows first."""
        sides, open_ = self.log.sides("1"), self.open()
        given = [t for t, blind in sides.items() if not blind and t not in open_]
        rows = [*given, *open_]
        sure = np.array([self.stub.scores[self.text(t)] for t in rows])
        said = np.array([self.stub.labels[self.text(t)] == "B" for t in rows])
        chances = np.stack([np.where(said, -1, sure), np.where(said, sure, -1)], axis=1)
        vectors = np.stack([self.vectors[t] for t in rows])
        return State(vectors, chances, tuple(range(len(given))), cold, 2, 0), rows


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    log = Log(f"sqlite:///{tmp_path / 'log.db'}")
    log.connect("1", "fake")
    with stub_backend() as stub:
        yield Room(log, stub)
    log.close()


@pytest.mark.parametrize(("version", "answers"), [(COLD, 0), (COLD, 12), (V1, 12), (V1, 2)])
def test_what_is_pushed_is_the_order_that_the_benchmark_measures(
    room: Room, version: str, answers: int
) -> None:
    room.answer(answers)
    done = room.push(version)
    early = version == COLD or answers < 4  # two labels
    assert not done.left and done.way == ("typical" if early else "spread")
    state, rows = room.state(cold=version == COLD)
    expected = [rows[i] for i in as_pushed(state, len(rows) - answers)]
    assert room.queue(version) == expected
    by_turns = sorted(expected, key=lambda t: room.stub.scores[room.text(t)])
    assert expected[:BLOCK] != by_turns[:BLOCK]


def test_cold_it_covers_the_kinds_of_texts_as_the_published_way_does(room: Room) -> None:
    room.push(COLD)
    state, rows = room.state(cold=True)
    theirs = [rows[i] for i in typical(state, BLOCK)]

    def kinds(tasks: list[int]) -> set[int]:
        return {int(np.argmax(CENTRES @ room.vectors[t])) for t in tasks}

    assert kinds(room.queue(COLD)[:BLOCK]) == kinds(theirs)


def test_vectors_are_asked_for_where_they_are_of_use_alone(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.typical.FRONT", 60)
    room.push(COLD)
    asked = [
        (len(body["tasks"]), "X-Annotune-Vectors" in head)
        for path, head, body in room.stub.asked
        if path == "/predict"
    ]
    assert sum(n for n, with_vectors in asked if with_vectors) == 60
    assert sum(n for n, _ in asked) == len(room.open())
    state, rows = room.state(cold=True)
    assert set(room.queue(COLD)[:60]) == set(rows[:60])  # a sample by hash, before all others


def test_late_tasks_and_a_push_cut_short_find_their_place(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_of, "AT_ONCE", 50)
    first = room.push(COLD, budget_s=0.001)
    assert first.shown in (0, 50) and first.left
    assert not room.push(COLD).left
    queue = room.queue(COLD)
    assert sorted(queue) == sorted(room.open()) and len(set(queue)) == len(queue)
    room.studio.add_task("a task that came late")  # and the stub knows no vector of it
    assert room.push(COLD).way is None
    assert len(room.queue(COLD)) == len(room.open())


def test_without_vectors_it_goes_by_turns_and_status_says_so(room: Room, tmp_path: Path) -> None:
    store = Store(tmp_path / "store").project("1")
    assert order_of(store) is None
    room.stub.vectors.clear()
    note_order(store, room.push(V1))
    assert "no vectors" in str(order_of(store)) and V1 in str(order_of(store))
    note_order(store, room.push(V1))  # nothing was sent: the note stands
    assert "no vectors" in str(order_of(store))
    (store.folder / "order.json").write_text("{")
    assert order_of(store) is None


def test_the_blind_share_holds_in_the_new_order(room: Room) -> None:
    room.push(COLD)
    blind = set(room.log.blind_tasks("1"))
    rule = room.settings.blind
    stream = [task in blind for task in room.studio.served()][: 4 * rule.first_in]
    assert stream == ([False] * (rule.first_in - 1) + [True]) * 4


@pytest.mark.parametrize("odd", [7, "?", "", "A" * 90_000, None])
def test_a_vector_that_is_none_harms_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch, odd: object
) -> None:
    whole = StubBackend.answer

    def answer(stub: StubBackend, path: str, body: object, vectors: bool = False) -> object:
        found = whole(stub, path, body, vectors)  # type: ignore[arg-type]
        for one in found.get("results", ()):
            one["vector"] = odd
        return found

    monkeypatch.setattr(StubBackend, "answer", answer)
    done = room.push(COLD)
    assert not done.left and done.way == "turns"
