"""Training rests where it brings nothing, and wakes where people correct more than they did."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import resting
from sync.readings import Rate
from sync.resting import drift, plateau, rise

V1 = "v1-00000000"
EMPTY: Any = None


def lost(gain: float = 0.001, blind: int = 120, champion: str = V1, **more: Any) -> dict[str, Any]:
    look = {"look": {"against": "champion", "value": gain}, "passed": False}
    verdict = {"promoted": False, "champion": champion, "gate": {"looks": [look]}}
    return {"verdict": {**verdict, "scores": {"holdout": blind}, **more}}


def test_rounds_that_bring_nothing_are_a_plateau_and_it_says_what_ends_it() -> None:
    said = plateau([lost(), lost(-0.01), lost(), lost()], V1, 600, 100, 4)
    assert said is not None and said.startswith("the last 4 rounds brought nothing (-0.002 on 120")
    assert "until there are 750 answers" in said
    assert plateau([lost()] * 4, V1, 750, 250, 4) is None, (
        "half as many more may tell another story"
    )


@pytest.mark.parametrize(
    "rounds",
    [
        [lost()] * 3,
        [lost(blind=99)] * 4,
        [lost(gain=0.02)] * 4,
        [lost()] * 3 + [lost(promoted=True)],
        [lost(champion="v2-00000000")] + [lost()] * 3,
        [lost()] * 3 + [lost(gate={})],
        [lost()] * 3 + [{"verdict": {"promoted": False, "champion": V1, "scores": {"holdout": 5}}}],
    ],
)
def test_what_is_no_plateau(rounds: list[dict[str, Any]]) -> None:
    assert plateau(rounds, V1, 600, 100, 4) is None


def test_another_adapter_or_no_patience_is_no_plateau() -> None:
    assert plateau([lost()] * 4, "v9-00000000", 600, 100, 4) is None
    assert plateau([lost()] * 4, V1, 600, 100, 0) is None


def rate(shown: int, changed: int) -> Rate:
    return Rate(shown, changed, 0, 0)


def test_a_clear_rise_is_said_in_numbers() -> None:
    said = rise(rate(130, 30), rate(50, 25))
    assert said == (
        "corrections rose: 25 of the last 50 shown answers were changed, 5 of the 80 before"
    )


def test_a_fall_chance_and_too_few_are_no_rise() -> None:
    assert rise(rate(130, 30), rate(50, 2)) is None
    assert rise(rate(130, 18), rate(50, 10)) is None
    assert rise(rate(69, 20), rate(50, 20)) is None, "19 before say too little"
    assert rise(rate(0, 0), rate(0, 0)) is None


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_any_counts_have_an_answer(a: int, b: int, c: int, d: int) -> None:
    before, late = rate(a + b, a), rate(c + d, c)
    said = rise(rate(before.shown + late.shown, before.changed + late.changed), late)
    assert said is None or late.changed / late.shown > before.changed / before.shown


def test_drift_compares_the_last_answers_with_those_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    since = datetime(2026, 1, 1, tzinfo=timezone.utc)

    class Said:
        def __init__(self, hour: int) -> None:
            self.created_at = since + timedelta(hours=hour)

    class Log:
        def __init__(self, count: int) -> None:
            self.said = [Said(hour) for hour in range(-3, count)]

        def current_annotations(self, project: str) -> list[Said]:
            return self.said

    def corrected(log: Any, project: str, schema: Any, after: datetime) -> Rate:
        later = [a for a in log.said if a.created_at > after]
        return rate(len(later), sum(a.created_at > since + timedelta(hours=100) for a in later))

    monkeypatch.setattr(resting, "correction_rate", corrected)
    log: Any = Log(140)
    said = drift(log, "1", EMPTY, since)
    assert said is not None and "39 of the last 50" in said and "0 of the 89" in said
    few: Any = Log(30)
    assert drift(few, "1", EMPTY, since) is None
