"""Facts are read by one thread, once for all who look; a page never waits long for them."""

from __future__ import annotations

import threading
import time

import pytest

from sync.page import gathered
from sync.page.gathered import PLACES, Facts, Gathered


def test_a_slow_read_holds_up_nobody_and_is_done_once() -> None:
    go, reads = threading.Event(), list[str]()

    def gather(key: str) -> Facts:
        reads.append(key)
        assert go.wait(20)
        return {"key": key}

    some = Gathered(gather, patience_s=0.05)
    began = time.monotonic()
    assert some.look(["1"]) == some.look(["1"]) == {"1": None}
    assert time.monotonic() - began < 5
    go.set()
    some.close()
    assert some._known["1"].facts == {"key": "1"} and reads == ["1"]


def test_no_more_than_a_few_wait_at_once() -> None:
    go = threading.Event()
    some = Gathered(lambda key: {"went": go.wait(60)}, patience_s=60)
    waiting = [threading.Thread(target=some.look, args=(["1"],)) for _ in range(PLACES)]
    for one in waiting:
        one.start()
    deadline = time.monotonic() + 20
    while some._places._value and time.monotonic() < deadline:
        time.sleep(0.01)
    assert some.look(["1"]) == {"1": None}, "it did not wait with them"
    go.set()
    for one in waiting:
        one.join()
    assert some.look(["1"])["1"] == {"went": True}
    some.close()


def test_after_a_deed_the_next_look_waits_for_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathered, "FRESH_S", 3600.0)
    state = ["before"]
    some = Gathered(lambda key: {"is": state[0]}, patience_s=20)
    assert some.look(["1"])["1"] == {"is": "before"}
    state[0] = "after"
    assert some.look(["1"])["1"] == {"is": "before"}, "it is fresh enough"
    some.forget("1")
    assert some.look(["1"])["1"] == {"is": "after"}
    some.close()


def test_a_read_that_a_deed_overtook_counts_for_nothing() -> None:
    go, state = threading.Event(), ["before"]

    def gather(key: str) -> Facts:
        seen = state[0]
        assert go.wait(20)
        return {"is": seen}

    some = Gathered(gather, patience_s=0.05)
    assert some.look(["1"])["1"] is None
    while not some._thread._work_queue.empty():
        time.sleep(0.01)
    state[0] = "after"
    some.forget("1")
    go.set()
    deadline = time.monotonic() + 20
    while some.look(["1"])["1"] is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert some.look(["1"])["1"] == {"is": "after"}
    some.close()


def test_what_grows_old_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "FRESH_S", 0.0)
    count = iter(range(1000))
    some = Gathered(lambda key: {"n": next(count)}, patience_s=20)
    assert some.look(["1"])["1"] == {"n": 0}
    deadline = time.monotonic() + 20
    while (some.look(["1"])["1"] or {})["n"] == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (some.look(["1"])["1"] or {})["n"] > 0
    some.close()


def test_a_read_that_fails_says_its_kind_alone(caplog: pytest.LogCaptureFixture) -> None:
    text = " ".join(["a", "text", "of", "a", "task"])

    def gather(key: str) -> Facts:
        raise RuntimeError(text)

    some = Gathered(gather, patience_s=20)
    assert some.look(["1"])["1"] == {"broken": "RuntimeError"}
    assert text not in caplog.text and "RuntimeError" in caplog.text
    some.close()
