from dataclasses import replace

import pytest

from augment.guard.consistent import consistent, span_f1
from augment.guard.values import Judges, Thresholds
from label_config.controls import InvalidValue
from label_config.values import Inputs, Span
from tests.augment.guard.made import ROWS, ByWord, child, context, intent, span

FOLD = {e.id: i % 2 for i, e in enumerate(ROWS)}
WORDS = {"money": "refund", "broken": "refund", "password": "login", "sign": "login"}


def judges(*classify: ByWord) -> Judges:
    return Judges(FOLD, classify or (ByWord(WORDS), ByWord(WORDS)))


def refused(text: str, least: float = 0.5) -> str | None:
    here = context(judges=judges())
    return consistent([child(text)], here, Thresholds(agreement=least))[0]


@pytest.mark.parametrize(
    "text", ["any news of the lamp", "lamp 📦 ?", "где моя lamp", "lamp kaputt, wo ist die neue"]
)
def test_a_child_of_which_the_unseeing_model_says_the_same_stays(text: str) -> None:
    assert refused(text) is None


def test_a_child_that_became_another_labels_is_refused_with_both_probabilities() -> None:
    assert refused("I want money for the lamp") == (
        "'intent' has probability 0.100, 0.12 of the likeliest label's 0.800; 0.50 is the least"
    )
    assert refused("I want money for the lamp", 0.1) is None


def test_each_child_is_judged_by_the_model_that_has_not_seen_its_parent() -> None:
    first, second = ByWord(WORDS), ByWord(WORDS)
    made = [child("the lamp?"), child("the kettle?", parent=ROWS[1])]
    consistent(made, context(judges=judges(first, second)), Thresholds())
    assert (first.shown, second.shown) == (["the lamp?"], ["the kettle?"])


def test_a_parent_in_no_fold_stops_it_as_every_judge_may_have_seen_it() -> None:
    here = context(judges=Judges({}, (ByWord(WORDS),)))
    with pytest.raises(InvalidValue, match="annotation-0 is in no fold"):
        consistent([child("the lamp?")], here, Thresholds())


def test_folds_without_a_judge_and_groups_over_two_folds_are_named() -> None:
    with pytest.raises(InvalidValue, match=r"fold\(s\) \[1\] have no judge"):
        Judges(FOLD, (ByWord(WORDS),))
    rows = [replace(e, group="one") for e in ROWS[:2]]
    with pytest.raises(InvalidValue, match="group one is in folds 0 and 1"):
        context(rows, judges=judges())


def test_a_label_that_the_model_does_not_know_is_not_judged() -> None:
    class Knows:
        def __call__(self, rows: list[Inputs]) -> list[dict[str, dict[str, float]]]:
            return [{"intent": {"refund": 0.9, "login": 0.1}} for _ in rows]

    here = context(judges=Judges(FOLD, (Knows(), Knows())))
    assert consistent([child("lamp")], here, Thresholds()) == [None]


def test_a_judge_that_lost_a_row_is_named() -> None:
    here = context(judges=Judges(FOLD, (lambda rows: [], lambda rows: [])))
    with pytest.raises(InvalidValue, match="judge 0 said 0 things of 1 rows"):
        consistent([child("lamp")], here, Thresholds())


def test_spans_are_held_against_those_that_an_unseeing_model_finds() -> None:
    def lamps(rows: list[Inputs]) -> list[tuple[Span, ...]]:
        return [(span(r.texts["text"], "lamp"),) for r in rows]

    here = context(judges=Judges(FOLD, (), (lamps, lamps)))
    bars = Thresholds(marked=0.4)
    good = child("my lamp please")
    text = "my desk by the lamp"
    bad = child(text, "generate", answers=(intent("order"), span(text, "desk")))
    assert consistent([good, bad], here, bars) == [
        None,
        "its spans' F1 with an unseeing model's is 0.00; 0.40 is the least",
    ]


def test_spans_match_where_they_overlap_and_share_a_label() -> None:
    text = "a blue lamp on friday"
    lamp, blue, day = span(text, "lamp"), span(text, "blue lamp"), span(text, "friday", "day")
    assert span_f1((), ()) == 1.0
    assert span_f1((lamp,), ()) == 0.0
    assert span_f1((lamp,), (blue,)) == 1.0
    assert span_f1((lamp,), (span(text, "lamp", "day"),)) == 0.0
    assert span_f1((lamp, day), (blue,)) == pytest.approx(2 / 3)
