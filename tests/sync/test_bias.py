"""The bias meter: errors that stand, accepts that come too quickly, and when nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from label_config.values import Choice
from sync.bias import by_annotator, meter
from sync.readings import Reading
from sync.studio_values import SeenAnnotation

T0 = datetime(2026, 11, 22, 7, 0, tzinfo=timezone.utc)
A, B = (Choice("intent", "text", (label,)) for label in "AB")


def blind(number: int, seconds: float | None = 9.0) -> Reading:
    at = T0 + timedelta(minutes=number)
    seen = SeenAnnotation(number, number, [], 1, at, at, lead_time=seconds)
    return Reading(seen, blind_task=True, alone=True, regions=(A,))


def shown(number: int, changed: bool, seconds: float = 9.0, author: int = 1) -> Reading:
    one = blind(number, seconds)
    own = replace(one.annotation, author=author)
    return Reading(own, False, False, (B if changed else A,), seen=(A,), version="v2-aaaaaaaa")


def verdict(wrong: int, rows: int, version: str = "v2-aaaaaaaa") -> dict[str, Any]:
    marks = {f"r{i}": {"intent": [0.0 if i < wrong else 1.0]} for i in range(rows)}
    return {"verdict": {"version": version, "scores": {"candidate": {"right": marks}}}}


def test_nothing_is_said_of_nothing() -> None:
    found = meter([], [{"verdict": None}])
    assert found["shown"] == {"answers": 0, "changed": 0, "rate": None}
    assert (found["expected"], found["quick"], found["warnings"]) == (None, None, [])


def test_changes_are_held_against_the_blind_answers_of_the_same_version() -> None:
    readings = [shown(n, changed=n < 40) for n in range(100)]
    found = meter(readings, [verdict(20, 50)])
    assert found["expected"]["rate"] == pytest.approx(found["expected"]["blind_rate"])
    assert found["independent"] == 40 and found["accepted"] == 60 and found["warnings"] == []
    assert meter(readings, [verdict(20, 50, "v3-bbbbbbbb")])["expected"] is None


def test_errors_that_people_let_stand_are_said() -> None:
    found = meter([shown(n, changed=n < 5) for n in range(100)], [verdict(20, 50)])
    (warning,) = found["warnings"]
    assert warning == (
        "people may let errors stand: they changed 5 % of 100 answers shown to them, and the same "
        "versions are wrong in 40 % of the blind answers"
    )
    few = meter([shown(n, changed=False) for n in range(10)], [verdict(20, 50)])
    assert few["warnings"] == []


def test_spans_and_a_cold_start_count_too() -> None:
    marks = {"r1": {"slots": [2.0, 0.0, 0.0]}, "r2": {"slots": [1.0, 0.0, 1.0]}, "r3": {}}
    rounds = [{"verdict": {"version": "v1-aaaaaaaa", "scores": {"cold": {"right": marks}}}}]
    own = [replace(shown(1, False), version="cold-12345678-abcd")]
    found = meter(own, rounds)["expected"]
    assert (found["blind_rate"], found["blind_rows"]) == (0.5, 2)


def test_a_rise_of_quick_accepts_is_said() -> None:
    slow = [shown(n, changed=False, seconds=8.0) for n in range(60)]
    fast = [shown(60 + n, changed=False, seconds=1.0) for n in range(40)]
    alone = [blind(200 + n) for n in range(10)]
    found = meter([*slow, *fast, *alone], [])
    assert found["quick"] == {"below": 3.0, "late": 40, "of_late": 50, "before": 0, "of_before": 50}
    (warning,) = found["warnings"]
    assert warning.startswith("quick accepts rise: 40 of the last 50 shown answers")
    assert meter([*fast, *alone], [])["warnings"] == []  # they were always so quick
    assert meter([*slow, *fast, *alone[:9]], [])["quick"] is None
    changed = [replace(r, regions=(B,)) for r in fast]
    assert meter([*slow, *changed, *alone], [])["warnings"] == []  # quick, but read


def test_times_and_annotators() -> None:
    readings = [
        *(shown(n, changed=False, seconds=1.0, author=1) for n in range(4)),
        *(shown(10 + n, changed=True, seconds=12.0, author=2) for n in range(3)),
        *(blind(30 + n, 9.0) for n in range(10)),
        blind(50, None),
    ]
    found = meter(readings, [])
    assert found["seconds"] == {"blind": 9.0, "accepted": 1.0, "changed": 12.0}
    people = by_annotator(readings, found["quick"])
    assert people[2] == {
        "answers": 3,
        "independent": 3,
        "shown": 3,
        "changed": 3,
        "quick": 0,
        "seconds": pytest.approx(12.0),
    }
    assert (people[1]["quick"], people[1]["shown"], people[1]["answers"]) == (4, 4, 15)
