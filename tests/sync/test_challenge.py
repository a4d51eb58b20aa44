"""What is next for an expansion, and what the loop does about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs import State
from lora.expansions import Expansions
from lora.store import Store
from settings import Augment, Settings
from sync.challenge import Challenge, makes_children, next_step
from sync.connect import connect
from sync.loop import AGAIN_S, EXPAND, TRAIN, turn
from sync.terms import Terms, read_terms
from tests.sync.house import CONFIG, House

HUMAN, MADE = "a" * 64, "b" * 64


def terms(sources: str = "noise") -> Terms:
    return read_terms(Settings(augment=Augment(sources=sources)), CONFIG)


def a_round(snapshot: str = HUMAN, state: str = "settled") -> dict[str, Any]:
    report = {"human": HUMAN} if snapshot == MADE else {}
    return {"snapshot": snapshot, "state": state, "upto": 7, "report": report}


def record(place: Expansions, challenger: str | None) -> None:
    kept = [{"id": "synthetic-1"}] if challenger else []
    place.put(HUMAN, {"challenger": challenger, "kept": kept})


@pytest.mark.parametrize(
    ("sources", "makes"),
    [("", False), ("pool", False), ("noise", True), ("pool, substitute", True)],
)
def test_by_default_nothing_is_made(sources: str, makes: bool) -> None:
    assert makes_children(terms(sources)) is makes


def test_a_judged_round_is_expanded_once_then_challenged_once(tmp_path: Path) -> None:
    project = Store(tmp_path).project("1")
    place = Expansions(project)
    assert next_step([], project) is None
    assert next_step([a_round(state="wanted")], project) is None
    assert next_step([a_round()], project) == HUMAN
    record(place, MADE)
    step = next_step([a_round()], project)
    assert step == Challenge(MADE, HUMAN, f"1 synthetic examples made of {HUMAN[:8]}", 1, 7)
    assert next_step([a_round(), a_round(MADE)], project) is None
    newer = "c" * 64
    rounds = [a_round(), a_round(MADE), a_round(newer)]
    assert next_step(rounds, project) == newer


def test_an_expansion_that_kept_nothing_ends_there(tmp_path: Path) -> None:
    project = Store(tmp_path).project("1")
    record(Expansions(project), None)
    assert next_step([a_round()], project) is None


def test_the_loop_expands_after_the_verdict_and_trains_the_challenger_after_that(
    house: House,
) -> None:
    own = replace(house.world.settings, augment=Augment(sources="noise"))
    house.world = replace(house.world, settings=own)
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    human = house.wanted()
    assert [job[0] for job in house.jobs.queued] == [TRAIN], "the human-only candidate comes first"
    house.judge(human)
    turn(house.world, "1")
    assert house.jobs.queued[1:] == [(EXPAND, "1", human)]
    turn(house.world, "1")
    assert len(house.jobs.queued) == 2, "asked for once"
    store = house.world.store.project("1")
    frozen = store.snapshot(human)
    challenger = store.put_snapshot(replace(frozen, pool=({"text": "stands for children"},)))
    Expansions(store).put(human, {"challenger": challenger, "kept": [{"id": "s"}]})
    turn(house.world, "1")
    assert house.wanted() == challenger
    turn(house.world, "1")
    assert house.jobs.queued[2:] == [(TRAIN, "1", challenger)]
    house.judge(challenger, promoted=False)
    turn(house.world, "1")
    assert house.world.log.wanted("1") is None and len(house.jobs.queued) == 3
    assert house.world.log.counts("1").new == 0, "its answers were trained on"


def test_an_expansion_that_was_killed_or_failed_is_taken_up_again_and_one_at_work_is_not(
    house: House,
) -> None:
    own = replace(house.world.settings, augment=Augment(sources="noise"))
    house.world = replace(house.world, settings=own)
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    human = house.wanted()
    house.judge(human)
    turn(house.world, "1")
    place = Expansions(house.world.store.project("1"))

    def asked(state: State, seconds: float) -> int:
        house.jobs.all_are(state, seconds)
        before = len(house.jobs.queued)
        turn(house.world, "1")
        return len(house.jobs.queued) - before

    states: tuple[State, ...] = ("started", "ended")
    for state in states:
        assert asked(state, AGAIN_S - 1) == 0
        with place.expanding() as free:
            assert free and asked(state, AGAIN_S + 1) == 0, "somebody is at it"
        assert asked(state, AGAIN_S + 1) == 1
        assert house.jobs.queued[-1] == (EXPAND, "1", human)
    assert asked("waiting", AGAIN_S + 1) == 0
    place.put(human, {"challenger": None, "kept": []})
    assert asked("ended", AGAIN_S + 1) == 0
