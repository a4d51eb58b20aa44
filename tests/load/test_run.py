"""What makes a load run fail, on numbers that are made up; and what the fake one reckons with."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from tests.load.prices import prices
from tests.load.run import breaches
from tests.load.served import meanwhile
from tests.load.watched import Watched, grown


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


def served(**other: Any) -> dict[str, Any]:
    """A run of either load that holds all that is asked of both."""
    told = {"seconds": 600, "clients": 16, "odd": [], "died": [], "looks": 1200}
    told |= {"grew_mb": 40.0, "grew_late_mb": 1.0, "more_handles": 20, "p99_ms": 90.0}
    told |= {"asked_per_s": 200.0, "sent": 120_000, "answered_200": 120_000, "trained": 0.8}
    told |= {"counted_by_sync": 120_000, "answers": 9000, "refused_with_retry_after": 20}
    return told | {"mixed": 0, "moves": 3, "swaps": 5, "evictions": 9} | other


BAD = [
    ("webhooks", {"counted_by_sync": 119_999}, "1 webhooks were lost"),
    ("webhooks", {"sent": 9, "answered_200": 9, "counted_by_sync": 9}, "too few were sent"),
    ("webhooks", {"trained": 0.4}, "somebody trained 40% of the time"),
    ("webhooks", {"died": ["KeyError: 'x'"]}, "what went on meanwhile ended: KeyError: 'x'"),
    ("webhooks", {"p99_ms": 210.0}, "p99 is 210.0 ms"),
    ("webhooks", {"grew_late_mb": 80.0}, "grew_late_mb is 80.0, not 50"),
    ("predict", {"answers": 0}, "0 were answered, 20 refused"),
    ("predict", {"refused_with_retry_after": 3000}, "9000 were answered, 3000 refused"),
    ("predict", {"more_handles": 500}, "500 more handles, not 48"),
    ("predict", {"grew_mb": 400.0}, "grew_mb is 400.0, not 300"),
    ("predict", {"evictions": 0}, "nothing was let go of meanwhile"),
    ("predict", {"swaps": 0}, "no version changed meanwhile"),
    ("predict", {"looks": 3}, "it was looked at 3 times"),
    ("predict", {"died": ["it"]}, "what went on meanwhile ended: it"),
]


@pytest.mark.parametrize(("part", "other", "said"), BAD, ids=[said for _, _, said in BAD])
def test_a_bad_run_fails(part: str, other: dict[str, Any], said: str) -> None:
    assert breaches(part, served()) == []
    assert breaches(part, served(**other)) == [said]


def test_what_goes_on_beside_a_load_says_that_it_died() -> None:
    turns = iter([1, 2])
    with meanwhile(lambda: next(turns), 0.0) as died:
        while not died:
            time.sleep(0.01)
    assert died[0].startswith("StopIteration")


def test_growth_is_what_comes_late() -> None:
    assert grown([0, 50, 50, 50, 50, 50, 50, 50]) == 0
    assert grown([0, 10, 20, 30, 40, 50, 60, 70]) == 40
    with Watched(os.getpid(), 0.01) as watched:
        held = [open(os.devnull) for _ in range(5)]
        time.sleep(0.05)
        for one in held:
            one.close()
    assert watched.seen().more_handles >= 5, "what was closed again was seen"
