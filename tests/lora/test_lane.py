"""The lane: in order, annotators first, refused early, and never stopped by a text."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import lora.lane
from label_config import Inputs, Label
from lora.answer import Answer
from lora.errors import NotReady, Overloaded
from lora.lane import CHUNK, FAIR, Lane, work_of

NOTHING: Any = object()


class Model:
    """Stands in for `answer`: notes what it was asked, waits while `gate` is shut."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.busy = threading.Event()
        self.gate.set()

    def __call__(self, network: object, loaded: object, rows: Sequence[Inputs]) -> list[Answer]:
        self.busy.set()
        self.gate.wait(5)
        if any("bad" in r.texts["text"] for r in rows):
            raise RuntimeError(rows[0].texts["text"])
        self.asked.append(rows[0].texts["text"])
        self.sizes.append(len(rows))
        return [Answer((), 0.5) for _ in rows]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    model = Model()
    monkeypatch.setattr(lora.lane, "answer", model)
    return model


@pytest.fixture
def lane(model: Model) -> Iterator[Lane]:
    lane = Lane(queue=4)
    lane.start(NOTHING)
    yield lane
    model.gate.set()
    lane.close()


def rows(name: str, count: int = 1) -> list[Inputs]:
    return [Inputs({"text": name})] * count


def hold(lane: Lane, model: Model) -> None:
    """Keep the lane busy with one chunk until the gate opens."""
    model.gate.clear()
    lane.submit(NOTHING, rows("first"), bulk=False)
    model.busy.wait(5)


def test_each_batch_is_told_with_its_rows_and_its_time(lane: Lane) -> None:
    seen: list[tuple[int, float]] = []
    lane.observe = lambda rows, seconds: seen.append((rows, seconds))
    lane.submit(NOTHING, rows("a", 3), bulk=False)(5)
    lane.submit(NOTHING, rows("b"), bulk=False)(5)  # the first was told before this was begun
    assert seen[0][0] == 3 and 0 <= seen[0][1] < 5


def test_every_row_is_answered(lane: Lane) -> None:
    count = 2 * CHUNK + 3
    assert len(lane.submit(NOTHING, rows("a", count), bulk=False)(5)) == count


def test_no_rows_are_answered_at_once(lane: Lane) -> None:
    assert lane.submit(NOTHING, [], bulk=False)(0) == []


def test_an_annotator_goes_before_bulk_work_that_came_first(lane: Lane, model: Model) -> None:
    hold(lane, model)
    bulk = lane.submit(NOTHING, rows("bulk", 2 * CHUNK), bulk=True)
    quick = lane.submit(NOTHING, rows("quick"), bulk=False)
    model.gate.set()
    assert len(bulk(5)) == 2 * CHUNK and len(quick(5)) == 1
    assert model.asked == ["first", "quick", "bulk", "bulk"]


def test_bulk_work_is_not_starved(model: Model) -> None:
    lane = Lane(queue=100)
    lane.start(NOTHING)
    hold(lane, model)
    bulk = lane.submit(NOTHING, rows("bulk"), bulk=True)
    quick = [lane.submit(NOTHING, rows("quick"), bulk=False) for _ in range(3 * FAIR)]
    model.gate.set()
    assert [len(q(5)) for q in quick] == [1] * (3 * FAIR) and bulk(5)
    assert model.asked.index("bulk") <= FAIR + 1
    lane.close()


def test_a_full_lane_refuses_before_any_work(lane: Lane, model: Model) -> None:
    hold(lane, model)
    waiting = [lane.submit(NOTHING, rows("a"), bulk=False) for _ in range(4)]
    with pytest.raises(Overloaded, match="4 batches wait"):
        lane.submit(NOTHING, rows("late"), bulk=False)
    model.gate.set()
    assert [len(w(5)) for w in waiting] == [1] * 4
    assert "late" not in model.asked


def test_a_request_larger_than_the_queue_is_taken_when_nothing_waits(lane: Lane) -> None:
    assert len(lane.submit(NOTHING, rows("big", 9 * CHUNK), bulk=True)(5)) == 9 * CHUNK


def test_waiting_has_an_end_and_leaves_no_work_behind(lane: Lane, model: Model) -> None:
    hold(lane, model)
    late = lane.submit(NOTHING, rows("late"), bulk=False)
    with pytest.raises(Overloaded, match="did not answer"):
        late(0.01)
    model.gate.set()
    lane.submit(NOTHING, rows("next"), bulk=False)(5)
    assert model.asked == ["first", "next"]


def test_a_text_that_breaks_the_model_costs_only_itself(
    lane: Lane, caplog: pytest.LogCaptureFixture
) -> None:
    wait = lane.submit(NOTHING, [*rows("a"), *rows("bad: a private text"), *rows("b")], bulk=False)
    assert [a is None for a in wait(5)] == [False, True, False]
    assert "RuntimeError" in caplog.text and "private" not in caplog.text


def test_closing_tells_those_who_wait_to_come_again(lane: Lane, model: Model) -> None:
    hold(lane, model)
    late = lane.submit(NOTHING, rows("late"), bulk=False)
    closing = threading.Thread(target=lane.close)
    closing.start()
    with pytest.raises(NotReady, match="stopping"):
        late(5)
    model.gate.set()
    closing.join()
    with pytest.raises(NotReady):
        lane.submit(NOTHING, rows("later"), bulk=False)


def test_small_requests_that_come_together_are_answered_in_one_batch(
    lane: Lane, model: Model
) -> None:
    hold(lane, model)
    waits = [lane.submit(NOTHING, rows(f"r{i}"), bulk=False) for i in range(4)]
    model.gate.set()
    assert [len(wait(5)) for wait in waits] == [1] * 4
    assert model.sizes == [1, 4]


def test_a_batch_never_holds_two_versions(lane: Lane, model: Model) -> None:
    hold(lane, model)
    other: Any = object()
    turns = (NOTHING, other, NOTHING, other)
    waits = [lane.submit(v, rows(f"r{i}"), bulk=False) for i, v in enumerate(turns)]
    model.gate.set()
    assert [len(wait(5)) for wait in waits] == [1] * 4
    assert (model.asked, model.sizes) == (["first", "r0", "r1"], [1, 2, 2])


def test_a_lone_request_waits_for_nobody(model: Model) -> None:
    lane = Lane(queue=4, gather_s=30)
    lane.start(NOTHING)
    for _ in range(3):
        assert len(lane.submit(NOTHING, rows("alone"), bulk=False)(5)) == 1
    lane.close()


def test_a_crowd_is_waited_for_but_not_for_long(model: Model) -> None:
    lane = Lane(queue=8, gather_s=0.2)
    lane.start(NOTHING)
    hold(lane, model)
    first = [lane.submit(NOTHING, rows(f"r{i}"), bulk=False) for i in range(3)]
    model.gate.set()
    for wait in first:
        wait(5)
    again = [lane.submit(NOTHING, rows(f"s{i}"), bulk=False) for i in range(3)]
    for wait in again:
        wait(5)
    assert model.sizes == [1, 3, 3]  # all three, though the lane was idle when the first came
    assert len(lane.submit(NOTHING, rows("last"), bulk=False)(5)) == 1
    lane.close()


def test_answers_come_back_in_the_order_of_the_rows(model: Model) -> None:
    class Echo(Model):
        def __call__(self, network: object, loaded: object, given: Sequence[Inputs]) -> Any:
            return [r.texts["text"] for r in given]

    lora.lane.answer = Echo()  # type: ignore[assignment]  # the fixture puts the old one back
    lane = Lane(queue=99)
    lane.start(NOTHING)
    texts = [f"{i} " + "x" * ((i * 7919) % 500) for i in range(300)]
    given = [Inputs({"text": t}) for t in texts]
    assert lane.submit(NOTHING, given, bulk=True)(5) == texts
    lane.close()


def test_what_would_take_too_long_is_refused_before_it_is_queued(model: Model) -> None:
    class Slow(Model):
        def __call__(self, network: object, loaded: object, given: Sequence[Inputs]) -> Any:
            time.sleep(0.05)
            return [Answer((), 0.5) for _ in given]

    lora.lane.answer = Slow()  # type: ignore[assignment]
    lane = Lane(queue=999)
    lane.start(NOTHING)
    lane.submit(NOTHING, rows("a", 2 * CHUNK), bulk=True)(5)
    with pytest.raises(Overloaded, match="send fewer tasks at once") as refused:
        lane.submit(NOTHING, rows("b", 100 * CHUNK), bulk=True, within_s=1)
    assert 1 <= refused.value.retry_after < 20
    assert lane.waiting == 0
    assert len(lane.submit(NOTHING, rows("c"), bulk=False, within_s=1)(5)) == 1
    lane.close()


def test_bulk_work_does_not_fill_the_lane_for_annotators(lane: Lane, model: Model) -> None:
    hold(lane, model)
    bulk = lane.submit(NOTHING, rows("bulk", 4 * CHUNK), bulk=True)
    quick = lane.submit(NOTHING, rows("quick"), bulk=False)
    with pytest.raises(Overloaded):
        lane.submit(NOTHING, rows("more", CHUNK), bulk=True)
    model.gate.set()
    assert len(quick(5)) == 1 and len(bulk(5)) == 4 * CHUNK


def test_the_labels_that_a_task_brings_are_work() -> None:
    own = tuple(Label(f"{i}", f"label {i}") for i in range(100))
    bare = Inputs({"text": "x"})
    assert work_of(Inputs({"text": "x"}, {"c": own})) > 50 * work_of(bare)
