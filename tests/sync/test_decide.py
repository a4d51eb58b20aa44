"""When a training starts, and the reason it gives."""

from dataclasses import replace

import pytest

from settings import Gate, Train
from sync.decide import Situation, decide

QUIET = Situation(answers=40, new=5, oldest_s=60, asked_by=None, in_hand=None, best=None)
TRAIN, GATE = Train(every=25, least=10, age_s=3600), Gate()


@pytest.mark.parametrize(
    ("now", "train", "words"),
    [
        (QUIET, False, "5 of 25 new answers"),
        (replace(QUIET, new=25), True, "25 new answers"),
        (replace(QUIET, oldest_s=7200), True, "the oldest 2.0 h old"),
        (replace(QUIET, new=0, oldest_s=7200), False, "0 of 25"),
        (replace(QUIET, asked_by="ops"), True, "asked for by ops"),
        (replace(QUIET, new=99, in_hand="a" * 64), False, "aaaaaaaa is being trained"),
        (replace(QUIET, answers=9, asked_by="ops"), False, "9 human answers; training needs 10"),
    ],
)
def test_the_decision_and_its_reason(now: Situation, train: bool, words: str) -> None:
    decision = decide(now, TRAIN, GATE)
    assert decision.train is train
    assert words in decision.reason


def test_the_target_stops_training_but_not_a_person() -> None:
    now = replace(QUIET, new=99, best=0.95)
    assert not decide(now, TRAIN, Gate(target=0.9)).train
    assert decide(now, TRAIN, Gate(target=0.96)).train
    assert decide(replace(now, asked_by="ops"), TRAIN, Gate(target=0.9)).train


def test_a_plateau_rests_until_corrections_rise_or_a_person_asks() -> None:
    now = replace(QUIET, new=99, plateau="the last 4 rounds brought nothing")
    assert decide(now, TRAIN, GATE).reason == "the last 4 rounds brought nothing"
    assert not decide(now, TRAIN, GATE).train
    woken = decide(replace(now, drift="corrections rose"), TRAIN, GATE)
    assert woken.train and woken.reason == "99 new answers; corrections rose"
    assert decide(replace(now, asked_by="ops"), TRAIN, GATE).train
    assert not decide(replace(now, new=0, drift="corrections rose"), TRAIN, GATE).train


def test_a_rise_of_corrections_ends_the_rest_at_the_target() -> None:
    now = replace(QUIET, new=30, best=0.95, drift="corrections rose")
    assert decide(now, TRAIN, Gate(target=0.9)).reason == "30 new answers; corrections rose"
    assert decide(now, TRAIN, Gate(target=0.99)).reason == "30 new answers"
