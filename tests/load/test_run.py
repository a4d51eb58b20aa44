"""What makes a load run fail, on numbers that are made up; and what the fake one reckons with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.load.prices import prices
from tests.load.run import breaches


def size(tasks: int) -> dict[str, Any]:
    """A project as it should be measured."""
    first = {"heard_s": 1.0, "pushed_s": 1.0, "studio_s": 5.0, "grew_mb": 20.0, "again": 151}
    change = {"own_s": 0.05, "studio_s": 0.5, "requests": 5, "rows": 3}
    return {"tasks": tasks, "first": first, "answer": change, "new_task": dict(change)}


def project(tasks: int = 10_000) -> dict[str, Any]:
    return {"at": "now", "1000": size(1000), str(tasks): size(tasks)}


def test_the_prices_are_those_of_the_table_and_a_line_beyond() -> None:
    small, large = prices(1000), prices(10_000)
    assert small.request_s + 20 * small.task_s == pytest.approx(0.18)
    assert large.request_s + 20 * large.task_s == pytest.approx(0.28)
    assert 0.0043 == pytest.approx(small.task_s) and 0.0051 == pytest.approx(large.task_s)
    assert prices(19_000).request_s - large.request_s == pytest.approx(
        large.request_s - small.request_s
    )


def test_a_change_is_judged_by_ours_by_what_is_asked_and_by_both() -> None:
    assert breaches("project", project()) == []
    for part, wanted in {
        "own_s": "seconds of ours",
        "studio_s": "as many seconds",
        "requests": "requests",
        "rows": "rows",
    }.items():
        told = project()
        told["10000"]["new_task"][part] *= 2.5
        (said,) = breaches("project", told)
        assert said.startswith("a new task") and said.endswith(wanted), "none hides behind another"


def test_seconds_that_are_guesses_are_not_judged_but_ours_are() -> None:
    told = project(100_000)
    told["100000"]["answer"]["studio_s"] = 9.0
    assert breaches("project", told) == []
    told["100000"]["answer"]["own_s"] = 0.11
    assert breaches("project", told) == ["an answer costs 2.2 times as many seconds of ours"]


def test_a_first_sync_that_grows_too_much_or_begins_again_fails() -> None:
    told = project()
    told["10000"]["first"] |= {"grew_mb": 90.0, "again": 5000}
    assert breaches("project", told) == [
        "5000 tasks were read twice",
        "sync grew by 90.0 MB, not 80",
    ]
