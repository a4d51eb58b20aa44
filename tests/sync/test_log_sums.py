"""What stands of each task, and the sums of a project, follow whatever is done to the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lora.forget import Lost
from sync.groups import Place
from sync.log import Log
from sync.studio_values import NewPrediction, SeenPrediction
from tests.sync.summed import as_counted_anew
from tests.sync.test_log import T0, annotation, state

PLACES = {n: Place(f"g{n}", n % 3 == 0) for n in range(1, 10)}
COLD, NEW, OTHER = "cold-00000000", "v1-00000001", "imported by hand"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(f"sqlite:///{tmp_path / 'log.db'}")
    made.connect("1", "first")
    made.connect("2", "another, of the same tasks")
    yield made
    made.close()


def test_they_follow_answers_skips_edits_and_whatever_goes(log: Log) -> None:
    for project in "12":
        log.append(project, [state(task=n) for n in PLACES], PLACES)
    first, skip = annotation(7, 1), annotation(8, 3, cancelled=True)
    said = [state(first, annotation(9, 1), task=1), state(skip, task=3)]
    log.append("1", said, {})
    as_counted_anew(log)
    counts = log.counts("1")
    assert (counts.tasks, counts.blind_tasks, counts.answers) == (9, 3, 2)
    assert (counts.blind, counts.skips, log.waiting("1")) == (0, 1, 5)
    log.append("1", [state(replace(skip, cancelled=False, updated_at=T0), task=3)], {})
    as_counted_anew(log)
    assert (log.counts("1").blind, log.counts("1").skips) == (1, 0)
    drawn = log.drawn("1")
    log.append("1", [state(task=1)], {})  # both answers deleted
    assert log.waiting("1") == 6 and log.drawn("1") == drawn
    as_counted_anew(log)
    log.bury("1", {3, 4})
    as_counted_anew(log)
    assert log.drawn("1") > drawn and log.blind_tasks("1") == [6, 9]
    log.append("1", [state(annotation(8, 3), task=3)], {})  # it is back
    as_counted_anew(log)
    log.append("1", [state(annotation(11, 5), task=5), state(annotation(12, 6), task=6)], {})
    log.erase("1", Lost(frozenset({6}), frozenset({8, 11, 12}), frozenset()), ())
    as_counted_anew(log)
    assert 5 in log.unanswered("1") and 6 not in log.sides("1")
    assert log.counts("2").tasks == 9 and log.counts("3").tasks == 0


def lacks(log: Log, version: str) -> None:
    """`lacking` is what it says, task by task."""
    has = log.tasks_showing("1", version)
    assert log.lacking("1", version) == {
        task: blind for task, blind in log.unanswered("1").items() if task not in has
    }


def test_who_lacks_a_version_is_known_whatever_becomes_of_predictions(log: Log) -> None:
    log.append("1", [state(task=n) for n in PLACES], PLACES)
    log.append("1", [state(annotation(7, 1), task=1)], {})

    def checked() -> None:
        as_counted_anew(log)
        for version in (COLD, NEW, OTHER, "never seen"):
            lacks(log, version)

    def push(version: str, *tasks: int) -> None:
        made = [NewPrediction(task, (), 0.5, version) for task in tasks]
        log.plan("1", made)
        checked()
        log.confirm("1", made)

    checked()
    push(COLD, *PLACES)
    assert log.lacking("1", COLD) == {} and len(log.lacking("1", NEW)) == 8
    push(NEW, 2, 3, 4)
    found = SeenPrediction(31, 5, OTHER, T0, 0.5, [])
    log.append("1", [replace(state(task=5), predictions=(found,))], {})
    checked()
    log.plan("1", [NewPrediction(6, (), 0.5, NEW)])  # it never arrives
    log.believe("1", NEW, {2, 3, 9})  # and what was there on 4 is gone; on 9 it was never noted
    checked()
    assert set(log.lacking("1", NEW)) == {4, 5, 6, 7, 8, 9}
    log.believe("1", COLD, set(PLACES))  # rolled back to it: it is there already
    checked()
    assert log.lacking("1", COLD) == {}
    log.removed("1", COLD)
    checked()
    log.bury("1", {2})
    log.append("1", [state(task=2)], {})
    checked()
    assert log.standing_versions("1") == sorted([NEW, OTHER])
