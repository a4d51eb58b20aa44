"""The gate promotes what is better on blind labels, and says in words why not."""

from dataclasses import replace

from sync.gate import Judged, judge, judged_from_report

SEEN = Judged(
    holdout=20, candidate=0.8, cold=0.6, champion=0.7, candidate_labels=50, champion_labels=25
)


def test_a_candidate_above_both_is_promoted() -> None:
    verdict = judge(SEEN, 10)
    assert verdict.promote
    assert verdict.reason == "0.800 beats the current adapter's 0.700 on 20 blind labels"


def test_the_first_adapter_must_beat_the_cold_start() -> None:
    assert judge(replace(SEEN, champion=None), 10).promote
    verdict = judge(replace(SEEN, champion=None, candidate=0.6), 10)
    assert not verdict.promote and "not above the cold start's 0.600" in verdict.reason


def test_a_candidate_below_the_champion_is_kept_back() -> None:
    verdict = judge(replace(SEEN, candidate=0.69), 10)
    assert not verdict.promote and "below the current adapter's 0.700" in verdict.reason


def test_a_candidate_that_beats_the_champion_but_not_the_cold_start_is_kept_back() -> None:
    assert not judge(replace(SEEN, candidate=0.75, cold=0.75), 10).promote


def test_a_tie_goes_to_more_human_answers() -> None:
    tie = replace(SEEN, candidate=0.7)
    assert judge(tie, 10).promote
    assert not judge(replace(tie, candidate_labels=25), 10).promote


def test_too_few_blind_labels_promote_nothing() -> None:
    verdict = judge(replace(SEEN, holdout=9), 10)
    assert not verdict.promote and "9 blind labels are too few" in verdict.reason


def test_a_report_without_a_champion_is_read() -> None:
    scores = {"candidate": {"mean": 0.5}, "cold": {"mean": 0.25}, "champion": None}
    seen = judged_from_report({"holdout": 12, "labels": 40, "scores": scores}, 0)
    assert seen == Judged(12, 0.5, 0.25, None, 40, 0)


def test_with_synthetic_rows_it_must_beat_the_version_without_them_too() -> None:
    made = replace(SEEN, synthetic=40, human=0.75)
    assert judge(made, 10).promote
    verdict = judge(replace(made, human=0.8), 10)
    assert not verdict.promote
    words = "with synthetic examples 0.800 is not above 0.800 without them on 20 blind labels"
    assert verdict.reason == words
    alone = judge(replace(made, human=None), 10)
    assert not alone.promote and "no version without them" in alone.reason


def test_a_report_of_a_challenger_is_read() -> None:
    scores = {"candidate": {"mean": 0.5}, "cold": {"mean": 0.25}, "champion": None}
    report = {"holdout": 12, "labels": 40, "synthetic": 7, "scores": scores}
    assert judged_from_report(report, 0).human is None
    scores["human"] = {"mean": 0.375}
    seen = judged_from_report(report, 0)
    assert (seen.synthetic, seen.human) == (7, 0.375)
