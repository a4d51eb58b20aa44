"""The log: saying the same again changes nothing, and nothing that was said is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from label_config.values import Task
from sync.groups import Place
from sync.log import Appended, Log, NewerLog
from sync.log_engine import open_engine
from sync.studio_values import NewPrediction, SeenAnnotation, SeenPrediction, TaskState

T0 = datetime(2026, 11, 22, 7, 0, 0, 123456, tzinfo=timezone.utc)
PLACES = {1: Place("g1", False), 2: Place("g2", True)}
RESULT = [{"from_name": "intent", "value": {"choices": ["A"]}}]


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    made = Log(log_url)
    made.connect("1", "first")
    yield made
    made.close()


def annotation(number: int = 7, task: int = 1, minute: int = 1, **more: Any) -> SeenAnnotation:
    at = T0 + timedelta(minutes=minute)
    return replace(SeenAnnotation(number, task, RESULT, 5, at, at), **more)


def state(*annotations: SeenAnnotation, task: int = 1, minute: int = 1) -> TaskState:
    at = T0 + timedelta(minutes=minute)
    return TaskState(Task(task, "1", {"text": "hello"}), at, annotations)


def test_the_same_said_twice_changes_nothing(log: Log) -> None:
    said = [state(annotation())]
    assert log.append("1", said, PLACES) == Appended(tasks=1, answers=1)
    assert log.append("1", said, {}) == Appended()
    assert log.current_annotations("1") == [annotation()]


def test_an_edit_a_skip_and_a_deletion_are_revisions(log: Log) -> None:
    log.append("1", [state(annotation())], PLACES)
    edited = annotation(updated_at=T0 + timedelta(minutes=2), result=[])
    assert log.append("1", [state(edited)], {}) == Appended(edits=1)
    assert log.current_annotations("1") == [edited]
    skipped = replace(edited, cancelled=True)
    assert log.append("1", [state(skipped)], {}) == Appended(skips=1)
    assert log.current_annotations("1") == []
    assert log.append("1", [state()], {}) == Appended(deletions=1)
    assert log.append("1", [state()], {}) == Appended()
    assert log.last_revision("1") == 4


def test_an_annotation_that_comes_back_is_current_again(log: Log) -> None:
    log.append("1", [state(annotation())], PLACES)
    log.append("1", [state()], {})
    log.append("1", [state(annotation())], {})
    assert log.current_annotations("1") == [annotation()]


def test_the_parent_prediction_outlives_its_removal(log: Log) -> None:
    log.append("1", [state(annotation(parent_prediction=31))], PLACES)
    assert log.append("1", [state(annotation())], {}) == Appended()
    later = annotation(updated_at=T0 + timedelta(minutes=9))
    log.append("1", [state(later)], {})
    assert log.current_annotations("1")[0].parent_prediction == 31


def test_the_cursor_follows_what_was_taken_in_and_never_goes_back(log: Log) -> None:
    assert log.cursor("1") is None
    log.append("1", [state(minute=5), state(task=2, minute=3)], PLACES)
    assert log.cursor("1") == T0 + timedelta(minutes=5)
    log.append("1", [state(minute=4)], {})
    assert log.cursor("1") == T0 + timedelta(minutes=5)


def test_the_cursor_never_passes_label_studios_own_clock(log: Log) -> None:
    log.append("1", [state(minute=5)], PLACES, clock=T0 + timedelta(minutes=2))
    assert log.cursor("1") == T0 + timedelta(minutes=2)
    log.append("1", [state(minute=5)], {}, clock=T0 + timedelta(minutes=9))
    assert log.cursor("1") == T0 + timedelta(minutes=5)
    log.begin_again("1")
    assert log.cursor("1") is None and len(log.tasks("1")) == 1


def test_a_failed_append_leaves_neither_rows_nor_cursor(log: Log) -> None:
    with pytest.raises(KeyError):
        log.append("1", [state(), state(task=2)], {1: PLACES[1]})
    assert log.tasks("1") == [] and log.cursor("1") is None


def test_a_buried_task_takes_its_annotations_along(log: Log) -> None:
    log.append("1", [state(annotation()), state(task=2)], PLACES)
    assert log.bury("1", {1, 99}) == 1
    assert log.bury("1", {1}) == 0
    assert log.current_annotations("1") == []
    assert log.sides("1") == {2: True} and log.blind_tasks("1") == [2]
    assert [task.id for task in log.first_seen_order("1")] == [1, 2]


def test_a_task_keeps_its_place_when_its_text_changes(log: Log) -> None:
    log.append("1", [state()], PLACES)
    changed = replace(state(), task=Task(1, "1", {"text": "other"}))
    log.append("1", [changed], {1: Place("else", True)})
    (task,) = log.tasks("1")
    assert task.place == PLACES[1] and task.data == {"text": "other"}


def test_odd_text_survives(log: Log) -> None:
    data = {"text": "nul \x00 lone \ud800 emoji 👩‍👩‍👧 e\u0301\r\n"}
    log.append("1", [replace(state(), task=Task(1, "1", data))], PLACES)
    assert log.tasks("1")[0].data == data


@dataclass
class Report:
    upto: int

    def to_dict(self) -> dict[str, Any]:
        return {"upto": self.upto}


def test_an_answer_that_was_saved_as_it_is_is_not_new(log: Log) -> None:
    log.append("1", [state(annotation()), state(annotation(12, task=2), task=2)], PLACES)
    log.want("1", "a" * 64, "because", Report(log.last_revision("1")))
    log.append("1", [state(annotation(updated_at=T0 + timedelta(minutes=9)))], {})
    assert (log.counts("1").new, log.counts("1").answers) == (0, 2)
    other = annotation(updated_at=T0 + timedelta(minutes=10), result=[{"from_name": "x"}])
    log.append("1", [state(other)], {})
    assert log.counts("1").new == 1


def test_new_answers_are_those_no_snapshot_has(log: Log) -> None:
    log.append("1", [state(annotation())], PLACES)
    assert (log.counts("1").answers, log.counts("1").new) == (1, 1)
    log.want("1", "a" * 64, "asked", Report(log.last_revision("1")))
    log.append("1", [state(annotation(8, task=2), task=2)], PLACES)
    counts = log.counts("1")
    assert (counts.answers, counts.new, counts.blind, counts.rounds) == (2, 1, 1, 1)
    assert 0 <= counts.oldest_new_s < 60


def test_a_round_is_wanted_tried_and_settled_once(log: Log) -> None:
    log.want("1", "a" * 64, "25 new answers", Report(0))
    log.want("1", "a" * 64, "again", Report(0))
    log.tried("1", "a" * 64)
    wanted = log.wanted("1")
    assert wanted and (wanted.snapshot, wanted.attempts) == ("a" * 64, 1)
    log.settle("1", "a" * 64, {"promoted": True, "version": "v1-aaaaaaaa", "reason": "better"})
    assert log.wanted("1") is None
    log.want("1", "b" * 64, "asked", Report(0))
    log.park("1", "b" * 64, "3 trainings ended without a verdict")
    assert [r["state"] for r in log.rounds("1")] == ["settled", "parked"]
    verdict = log.last_verdict("1")
    assert verdict and verdict["reason"].startswith("3 trainings")


def test_the_last_judged_rounds_are_those_of_human_rows_in_their_order(log: Log) -> None:
    class Challenged(Report):
        def to_dict(self) -> dict[str, Any]:
            return {"human": "a" * 64}

    for name in "abcd":
        log.want("1", name * 64, "new answers", Report(0))
        log.settle("1", name * 64, {"promoted": False, "version": None, "reason": name})
        log.want("1", name * 63 + "e", "synthetic", Challenged(0))
        log.settle("1", name * 63 + "e", {"promoted": True, "version": None, "reason": "child"})
    log.want("1", "f" * 64, "parked", Report(0))
    log.park("1", "f" * 64, "given up")
    said = [r["verdict"]["reason"] for r in log.judged_rounds("1", 3)]
    assert said == ["b", "c", "d"] and log.judged_rounds("1", 0) == []


def test_a_planned_prediction_is_confirmed_or_forgotten(log: Log) -> None:
    log.append("1", [state(), state(task=2)], PLACES)
    log.plan("1", [NewPrediction(t, (), 0.5, "v1-aaaaaaaa") for t in (1, 2)])
    log.believe("1", "v1-aaaaaaaa", {1})
    assert [(s.task, s.confirmed) for s in log.shown("1")] == [(1, True)]
    log.believe("1", "v1-aaaaaaaa", set())
    assert log.shown("1")[0].removed_at and log.standing_versions("1") == []


def test_a_pushed_prediction_that_is_found_again_gets_its_id(log: Log) -> None:
    log.append("1", [state()], PLACES)
    log.plan("1", [NewPrediction(1, (), 0.5, "v1-aaaaaaaa")])
    found = SeenPrediction(44, 1, "v1-aaaaaaaa", T0, 0.5, [])
    assert log.append("1", [replace(state(), predictions=(found,))], {}) == Appended()
    other = SeenPrediction(45, 1, "v2-bbbbbbbb", T0, 0.5, RESULT)
    both = replace(state(), predictions=(found, other))
    assert log.append("1", [both], {}) == Appended(predictions=1)
    assert [(s.prediction, s.pushed, s.empty) for s in log.shown("1")] == [
        (44, True, True),
        (45, False, False),
    ]


def test_a_version_is_noted_when_it_changes(log: Log) -> None:
    for version in ("a", "a", "b", "a"):
        log.see_version("1", version)
    assert [v.version for v in log.versions("1")] == ["a", "b", "a"]


def test_projects_do_not_see_each_other(log: Log) -> None:
    log.connect("2", "second")
    log.append("1", [state(annotation())], PLACES)
    assert log.connected() == ["1", "2"] and log.title("2") == "second"
    assert log.tasks("2") == [] and log.counts("2").answers == 0


def test_a_log_of_a_newer_program_is_refused(log_url: str) -> None:
    Log(log_url).close()
    engine = open_engine(log_url)
    with engine.begin() as db:
        db.execute(text("UPDATE meta SET value = '99'"))
    engine.dispose()
    with pytest.raises(NewerLog, match="99"):
        Log(log_url)


@settings(max_examples=6)
@given(st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=3), max_size=6))
def test_the_log_holds_what_was_said_last(said: list[list[tuple[int, int]]]) -> None:
    log = Log("sqlite://")
    log.connect("1", "any")
    for turn in said:
        held = {n: annotation(n, minute=m, result=[m]) for n, m in turn}
        for _ in range(2):
            log.append("1", [state(*held.values())], PLACES)
        assert log.current_annotations("1") == [held[n] for n in sorted(held)]
    log.close()


def test_an_error_of_the_database_does_not_quote_what_was_to_be_stored(log: Log) -> None:
    with pytest.raises(SQLAlchemyError) as refused:
        log.append("a project nobody connected", [state(annotation())], PLACES)
    assert "hello" not in str(refused.value) and "choices" not in str(refused.value)
