"""The pull is the truth: repeated, cut off or late, the log holds what Label Studio does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from unittest.mock import Mock

import pytest

from sync.log import Appended, Log
from sync.pull import Changes, pull
from sync.studio_values import NoSuchProject, StudioDown, TaskState
from tests.sync.fake_studio import FakeStudio

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="intent" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>'
)
A = [{"from_name": "intent", "to_name": "text", "type": "choices", "value": {"choices": ["A"]}}]


@pytest.fixture
def studio() -> FakeStudio:
    made = FakeStudio(CONFIG)
    for text in ("play some jazz", "book a table for two", "what is the weather"):
        made.add_task(text)
    return made


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    made = Log(log_url)
    made.connect("1", "fake")
    yield made
    made.close()


def hear(studio: FakeStudio, log: Log, sweep: bool = False) -> Changes:
    return pull(studio, log, "1", share=0.2, sweep=sweep)


def held(studio: FakeStudio) -> list[tuple[int, object]]:
    kept = [a for s in studio.tasks.values() for a in s.annotations if not a.cancelled]
    return sorted((a.id, a.result) for a in kept)


def logged(log: Log) -> list[tuple[int, object]]:
    return [(a.id, a.result) for a in log.current_annotations("1")]


def test_what_people_decide_arrives_once(studio: FakeStudio, log: Log) -> None:
    assert hear(studio, log).added == Appended(tasks=3)
    first = studio.annotate(1, A)
    studio.annotate(2, [], cancelled=True)
    assert hear(studio, log).added == Appended(answers=1, skips=1)
    assert not hear(studio, log).any
    studio.edit(first, [])
    assert hear(studio, log).added == Appended(edits=1)
    studio.remove_annotation(first)
    assert hear(studio, log).added == Appended(deletions=1)
    assert logged(log) == held(studio) == []


def test_a_deleted_task_is_noticed_by_its_number(studio: FakeStudio, log: Log) -> None:
    studio.annotate(1, A)
    hear(studio, log)
    del studio.tasks[1]
    found = hear(studio, log)
    assert found.deleted_tasks == 1 and found.swept
    assert logged(log) == [] and sorted(log.sides("1")) == [2, 3]
    assert not hear(studio, log).swept


def test_one_task_deleted_and_one_added_at_once(studio: FakeStudio, log: Log) -> None:
    hear(studio, log)
    del studio.tasks[1]
    studio.add_task("turn the lights off")
    hear(studio, log)
    assert set(log.sides("1")) == set(studio.tasks)


def test_a_sweep_can_be_asked_for(studio: FakeStudio, log: Log) -> None:
    hear(studio, log)
    assert hear(studio, log, sweep=True).swept


def test_a_change_published_late_is_heard(studio: FakeStudio, log: Log) -> None:
    hear(studio, log)
    studio.annotate(3, A)
    hear(studio, log)
    late = studio.annotate(1, A)
    at = studio.tasks[3].updated_at - timedelta(seconds=5)
    studio.tasks[1] = replace(studio.tasks[1], updated_at=at)
    hear(studio, log)
    assert (late.id, A) in logged(log)


def test_cut_off_in_the_middle_the_next_pull_finishes(studio: FakeStudio, log: Log) -> None:
    studio.annotate(1, A)
    studio.fail_next = [StudioDown("gone")]
    with pytest.raises(StudioDown):
        hear(studio, log)
    assert hear(studio, log).added == Appended(tasks=3, answers=1)


class Reset(FakeStudio):
    """Its clock is the test's."""

    at = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def now(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at


@pytest.mark.parametrize("back", [timedelta(seconds=40), timedelta(hours=1), timedelta(days=400)])
def test_what_is_changed_under_a_clock_that_was_set_back_is_heard(
    log: Log, back: timedelta
) -> None:
    studio = Reset(CONFIG)
    for n in range(3):
        studio.add_task(f"play song {n}")
    first, second = studio.annotate(1, A), studio.annotate(2, A)
    hear(studio, log)
    assert hear(studio, log).set_back_s == 0.0
    studio.at -= back
    studio.edit(first, [])
    found = hear(studio, log)
    assert found.added == Appended(edits=1) and found.set_back_s == pytest.approx(
        back.total_seconds(), abs=0.1
    )
    studio.at += timedelta(seconds=2)  # it is known: from here on a change is asked for as ever
    studio.remove_annotation(second)
    found = hear(studio, log)
    assert found.added == Appended(deletions=1) and found.set_back_s == 0.0
    assert logged(log) == held(studio)


def test_cut_off_while_all_is_heard_again_the_next_pull_goes_on(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Reset(CONFIG)
    first = studio.annotate(studio.add_task("play"), A)
    hear(studio, log)
    studio.at -= timedelta(hours=1)
    studio.edit(first, [])
    with monkeypatch.context() as patch:
        patch.setattr(log, "append", Mock(side_effect=StudioDown("gone")))
        with pytest.raises(StudioDown):
            hear(studio, log)
    studio.at += timedelta(hours=2)  # the clock is right again: nothing shows that it was not
    assert hear(studio, log).added == Appended(edits=1)


def test_what_was_imported_at_one_moment_is_not_listed_for_ever(log: Log) -> None:
    studio = Reset(CONFIG)
    for n in range(20):
        studio.add_task(f"play song {n}")
    late = studio.annotate(1, A)
    hear(studio, log)
    asked: list[datetime | None] = []
    real = studio.changed_tasks

    def changed_tasks(project: str, since: datetime | None) -> Iterator[TaskState]:
        asked.append(since)
        return real(project, since)

    studio.changed_tasks = changed_tasks  # type: ignore[method-assign]
    at = studio.at + timedelta(minutes=5)
    studio.at += timedelta(minutes=14)
    hear(studio, log)
    studio.edit(late, [])  # long in coming: its transaction began nine minutes ago
    studio.tasks[1] = replace(studio.tasks[1], updated_at=at)
    assert hear(studio, log).added == Appended(edits=1)
    first, second = asked
    assert first and second and max(s.updated_at for s in studio.tasks.values()) == at
    assert first < min(s.updated_at for s in studio.tasks.values()) < second


def test_a_label_studio_that_does_not_tell_the_time_is_heard_as_ever(
    studio: FakeStudio, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "server_time", lambda: None)
    hear(studio, log)
    assert log.cursor("1") == max(s.updated_at for s in studio.tasks.values())


def test_a_project_that_is_gone_says_so_and_keeps_its_log(studio: FakeStudio, log: Log) -> None:
    studio.annotate(1, A)
    hear(studio, log)
    studio.fail_next = [NoSuchProject("1")]
    with pytest.raises(NoSuchProject):
        hear(studio, log)
    assert len(logged(log)) == 1


@pytest.mark.parametrize(
    "result", [None, "abc", [None], [{"from_name": 3}], {"a": 1}, [{"value": {"start": "x"}}]]
)
def test_an_unreadable_annotation_is_kept_as_it_is(
    studio: FakeStudio, log: Log, result: object
) -> None:
    studio.annotate(1, result)
    hear(studio, log)
    assert logged(log) == held(studio)


def test_near_duplicates_go_to_one_side_whenever_they_come(studio: FakeStudio, log: Log) -> None:
    hear(studio, log)
    again = studio.add_task("Play some jazz!")
    hear(studio, log)
    places = {task.id: task.place for task in log.tasks("1")}
    assert places[again] == places[1] and places[2] != places[1]


def test_a_broken_config_does_not_stop_the_pull(log: Log) -> None:
    studio = FakeStudio("<View><Text")
    studio.annotate(studio.add_task("hello"), A)
    assert hear(studio, log).added == Appended(tasks=1, answers=1)


def test_a_task_published_long_after_its_time_is_found(studio: FakeStudio, log: Log) -> None:
    hear(studio, log)
    studio.annotate(1, A)
    hear(studio, log)  # the cursor now stands at this moment
    late = studio.add_task("a bulk import that took a minute to commit")
    studio.annotate(late, A)
    old = studio.now() - timedelta(minutes=5)
    studio.tasks[late] = replace(studio.tasks[late], updated_at=old)
    hear(studio, log)
    assert logged(log) == held(studio) and len(held(studio)) == 2


def test_tasks_buried_by_a_short_list_of_ids_come_back(
    studio: FakeStudio, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.annotate(1, A)
    hear(studio, log)
    with monkeypatch.context() as patch:
        patch.setattr(studio, "task_ids", lambda project: {2})
        assert hear(studio, log, sweep=True).deleted_tasks == 2
    hear(studio, log)
    assert logged(log) == held(studio) and len(log.sides("1")) == 3


def test_after_each_part_the_caller_is_told(studio: FakeStudio, log: Log) -> None:
    known: list[int] = []
    pull(studio, log, "1", 0.2, after_part=lambda: known.append(len(log.sides("1"))))
    assert known == [3]
