"""The gate promotes what is better beyond the chance it is allowed, and says in words why not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.budget import Stake
from sync.gate import MOST_ODDS, Learned, Verdict, judge
from tests.sync.judged import alone, first, report

NOTHING, MORE = Learned(50, 0), Learned(50, 25)


def verdict(learned: Learned = MORE, least: int = 10, **marks: Any) -> Verdict:
    made = report(**marks)
    return judge(made, alone(made), learned, least)


def test_a_candidate_beyond_chance_is_promoted_and_says_what_was_found() -> None:
    found = verdict(NOTHING, candidate=first(28, 30), cold=first(10, 30), champion=first(20, 30))
    assert found.promote
    assert found.reason == (
        "0.933 beats the current adapter's 0.667 on 30 blind labels; luck alone does as well 0.2 % "
        "of the time, and 2.5 % is good enough for one that learned from no new human answer"
    )
    cold, champion = found.numbers["looks"]
    assert (champion["look"]["won"], champion["look"]["lost"]) == (8, 0)
    assert champion["look"]["test"] == "McNemar" and champion["look"]["p"] == pytest.approx(1 / 512)
    assert champion["look"]["low"] > 0 and cold["look"]["against"] == "cold"


def test_better_by_luck_is_not_enough_for_one_that_knows_nothing_new() -> None:
    marks = {"candidate": first(23, 30), "cold": first(10, 30), "champion": first(20, 30)}
    kept = verdict(NOTHING, **marks)
    assert not kept.promote
    assert (
        "luck alone does as well 6.2 % of the time, and 2.5 % would be good enough" in kept.reason
    )
    assert "learned from no new human answer" in kept.reason
    more = verdict(MORE, **marks)
    assert more.promote and "learned from 25 more human answers" in more.reason


def test_the_more_a_candidate_has_learned_the_less_it_has_to_show() -> None:
    allowed = [Learned(100, n).allowed(0.025) for n in (0, 1, 10, 25, 50, 100, 1000)]
    assert allowed == sorted(allowed)
    assert allowed[0] == pytest.approx(0.025) and allowed[1] < 0.03
    assert 0.1 < allowed[3] < 0.2 and allowed[-1] == pytest.approx(0.5)
    assert Learned(0, 30).odds == MOST_ODDS
    assert Learned(1000, 10).allowed(0.025) < 0.03, "few beside many are hardly news"


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(1e-6, 0.025))
def test_even_is_the_least_that_is_ever_good_enough(known: int, new: int, level: float) -> None:
    allowed = Learned(known, new).allowed(level)
    assert level * (1 - 1e-9) <= allowed <= 0.5 + 1e-9


def test_the_first_adapter_must_beat_the_cold_start() -> None:
    assert verdict(candidate=first(18, 20), cold=first(12, 20)).promote
    even = verdict(candidate=first(12, 20), cold=first(12, 20))
    assert not even.promote and "equals the cold start's 0.600" in even.reason
    below = verdict(candidate=first(11, 20), cold=first(12, 20))
    assert below.reason == "0.550 is below the cold start's 0.600 on 20 blind labels"


def test_a_candidate_below_the_champion_is_kept_back_whatever_it_learned() -> None:
    found = verdict(
        Learned(10, 900), candidate=first(19, 30), cold=first(5, 30), champion=first(20, 30)
    )
    assert not found.promote
    assert found.reason == "0.633 is below the current adapter's 0.667 on 30 blind labels"


def test_one_that_beats_the_champion_but_not_the_cold_start_is_kept_back() -> None:
    found = verdict(candidate=first(20, 30), cold=first(20, 30), champion=first(10, 30))
    assert not found.promote and "cold start" in found.reason


def test_a_tie_goes_to_many_more_human_answers() -> None:
    tie: dict[str, Any] = {
        "candidate": first(20, 30),
        "cold": first(5, 30),
        "champion": first(20, 30),
    }
    assert verdict(Learned(50, 100), **tie).promote
    assert not verdict(NOTHING, **tie).promote


def test_too_few_blind_labels_promote_nothing() -> None:
    found = verdict(candidate=first(9, 9), cold=first(1, 9))
    assert not found.promote and found.numbers == {}
    assert "9 blind labels are too few" in found.reason


def test_nothing_that_is_predicted_was_answered() -> None:
    made = report(candidate=[], cold=[]) | {"holdout": 12}
    found = judge(made, {}, MORE, 10)
    assert not found.promote and "none to anything that is predicted" in found.reason


def test_with_synthetic_rows_it_must_be_better_than_without_beyond_chance() -> None:
    made: dict[str, Any] = {"cold": first(10, 40), "champion": first(20, 40), "synthetic": 40}
    good = verdict(candidate=first(38, 40), human=first(28, 40), **made)
    assert good.promote
    luck = verdict(candidate=first(30, 40), human=first(28, 40), **made)
    assert not luck.promote
    assert "0.750 beats 0.700 without the 40 synthetic examples" in luck.reason
    alone_ = verdict(candidate=first(38, 40), **made)
    assert not alone_.promote and "no version without them" in alone_.reason


def test_two_looks_of_a_round_share_its_level() -> None:
    made = report(
        candidate=first(26, 30),
        cold=first(5, 30),
        champion=first(18, 30),
        human=first(20, 30),
        synthetic=40,
    )
    only, later = Stake(0.013, 0, 0.013), Stake(level=0.013, earlier=0.0125, own=0.0005)
    whole, shared = (judge(made, alone(made), MORE, 10, stake) for stake in (only, later))
    assert whole.promote and not shared.promote
    looks = [v.numbers["looks"][1]["look"] for v in (whole, shared)]
    assert [one["test"] for one in looks] == ["McNemar", "max-T"]
    assert looks[1]["p"] > looks[0]["p"] == pytest.approx(1 / 128)


def test_a_label_that_gets_worse_keeps_it_back() -> None:
    names = ["rare"] * 20 + ["common"] * 80
    champion = [1.0] * 18 + [0.0] * 2 + first(40, 80)
    candidate = [1.0] * 4 + [0.0] * 16 + first(78, 80)
    marks: dict[str, Any] = {"candidate": candidate, "champion": champion, "cold": first(5, 100)}
    found = verdict(labels=names, **marks)
    assert not found.promote
    assert found.reason.startswith(
        "better on the whole, but worse than the current adapter on c rare: F1 0.333 against 0.947 "
        "on 20 rows"
    )
    few = verdict(labels=["rare"] * 19 + ["common"] * 81, **marks)
    assert few.promote, "19 rows say too little of a label"


def test_near_duplicates_are_one_piece_of_evidence() -> None:
    made = report(candidate=first(28, 30), cold=first(5, 30), champion=first(20, 30))
    together = {r: "one" if r >= "r0018" else r for r in alone(made)}
    assert judge(made, alone(made), NOTHING, 10).promote
    assert not judge(made, together, NOTHING, 10).promote


def test_while_few_are_blind_rows_answered_since_count_and_are_named() -> None:
    made = report(candidate=first(12, 14), cold=first(2, 14), champion=first(10, 14))
    right = {who: {f"s{i}": {"c": [float(i < n)]} for i in range(20)} for who, n in LATE.items()}
    late = {**made, "since": {"rows": 20, "shown": 17, "folds": 2, "right": right}}
    groups = {**alone(made), **{f"s{i}": f"s{i}" for i in range(20)}}
    assert not judge(made, groups, NOTHING, 10).promote
    found = judge(late, groups, NOTHING, 10)
    assert found.promote
    assert "on 14 blind labels and 20 answered since (17 with a prediction in view)" in found.reason
    assert found.numbers["looks"][1]["look"]["n"] == 34
    many = report(candidate=first(52, 100), cold=first(2, 100), champion=first(50, 100))
    late = {**many, "since": late["since"]}
    assert judge(late, {**groups, **alone(many)}, NOTHING, 10).numbers["looks"][1]["since"] == 0


LATE = {"candidate": 20, "champion": 12}
