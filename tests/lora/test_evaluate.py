"""The numbers that the gate compares."""

from __future__ import annotations

from typing import get_args

import pytest

from label_config import Choice, Span, read_schema
from label_config.controls import Control, Form, Label, Schema
from label_config.values import Quantity, Region, Written
from lora.evaluate import METRICS, evaluate, ranges_of, right


def choice(*labels: str) -> Choice:
    return Choice("what", "t", labels)


def span(start: int, end: int, label: str = "thing") -> Span:
    return Span("parts", "t", start, end, "x" * (end - start), (label,))


def test_accuracy_counts_only_rows_that_a_human_answered(schema: Schema) -> None:
    gold: list[tuple[Region, ...]] = [(choice("play"),), (choice("buy"),), ()]
    got: list[tuple[Region, ...]] = [(choice("play"),), (choice("paint"),), (choice("buy"),)]
    score = evaluate(schema, gold, got).controls["what"]
    assert (score.metric, score.value, score.n) == ("accuracy", 0.5, 2)


def test_a_span_counts_only_with_exact_ends_and_label(schema: Schema) -> None:
    gold: list[tuple[Region, ...]] = [(span(0, 4), span(5, 9)), ()]
    got: list[tuple[Region, ...]] = [(span(0, 4), span(5, 8), span(5, 9, "colour")), (span(0, 1),)]
    score = evaluate(schema, gold, got).controls["parts"]
    assert score.value == pytest.approx(2 * 1 / (2 * 1 + 3 + 1))


def test_the_mean_leaves_out_what_nobody_answered(schema: Schema) -> None:
    scores = evaluate(schema, [(span(0, 4),)], [(span(0, 4),)])
    assert scores.controls["what"].n == 0
    assert scores.mean == 1.0


def test_nothing_to_judge_is_zero_and_not_an_error(schema: Schema) -> None:
    assert evaluate(schema, [], []).mean == 0.0


def test_rightly_finding_no_span_is_right(schema: Schema) -> None:
    assert evaluate(schema, [()], [()]).controls["parts"].value == 1.0


def test_a_multiple_choice_is_right_as_a_whole_set() -> None:
    schema = read_schema(
        '<View><Text name="t" value="$x"/><Choices name="what" toName="t" choice="multiple">'
        '<Choice value="a"/><Choice value="b"/></Choices></View>'
    )
    same = right(schema, (choice("a", "b"),), (choice("b", "a"),))
    part = right(schema, (choice("a", "b"),), (choice("a"),))
    assert (same["what"], part["what"]) == ([1.0], [0.0])


def test_an_answer_whose_label_is_gone_judges_nobody(schema: Schema) -> None:
    assert "what" not in right(schema, (choice("sing"),), (choice("play"),))


def test_rows_must_pair_up(schema: Schema) -> None:
    with pytest.raises(ValueError, match="1 right answers but 0"):
        evaluate(schema, [()], [])


STARS = Control("stars", "Rating", "t", "text", tuple(Label(str(i), str(i)) for i in range(1, 6)))
NUMBER = Control("n", "Number", "t", "text")
OWN = Control("what", "Choices", "t", "text", options="options")


@pytest.mark.parametrize(("gave", "mark"), [("5", 1.0), ("4", 0.75), ("1", 0.0), (None, 0.0)])
def test_a_rating_is_judged_by_how_far_off_it_is(gave: str | None, mark: float) -> None:
    got = (Choice("stars", "t", (gave,)),) if gave else ()
    scores = evaluate(Schema((STARS,)), [(Choice("stars", "t", ("5",)),)], [got])
    assert scores.controls["stars"].metric == "closeness" and scores.mean == mark


@pytest.mark.parametrize(("gave", "mark"), [(10.0, 1.0), (8.0, 0.8), (99.0, 0.0), (None, 0.0)])
def test_a_number_is_judged_in_the_range_of_the_train_answers(
    gave: float | None, mark: float
) -> None:
    got = (Quantity("n", "t", gave),) if gave is not None else ()
    scores = evaluate(Schema((NUMBER,)), [(Quantity("n", "t", 10.0),)], [got], {"n": 10.0})
    assert scores.controls["n"].metric == "closeness"
    assert scores.mean == pytest.approx(mark)


def test_without_train_answers_bounds_or_the_humans_numbers_are_the_range() -> None:
    gold: list[tuple[Region, ...]] = [(Quantity("n", "t", 10.0),), (Quantity("n", "t", 30.0),)]
    got: list[tuple[Region, ...]] = [(Quantity("n", "t", 20.0),)] * 2
    assert evaluate(Schema((NUMBER,)), gold, got).mean == 0.5
    bounded = Control("n", "Number", "t", "text", low=0.0, high=100.0)
    assert evaluate(Schema((bounded,)), gold, got).mean == pytest.approx(0.9)
    assert right(Schema((NUMBER,)), gold[0], (Quantity("n", "t", 9.0),))["n"] == [0.9]
    assert right(Schema((NUMBER,)), (Quantity("n", "t", 0.0),), (Quantity("n", "t", 0.0),))[
        "n"
    ] == [1.0]


def test_a_number_nobody_gave_judges_nobody() -> None:
    assert evaluate(Schema((NUMBER,)), [()], [(Quantity("n", "t", 1.0),)]).controls["n"].n == 0


def test_an_option_of_the_task_is_judged_though_no_config_lists_it() -> None:
    marks = right(Schema((OWN,)), (choice("anything"),), (choice("anything"),))
    assert marks["what"] == [1.0]


def test_overlapping_spans_of_different_labels_are_judged_each(schema: Schema) -> None:
    both = (span(0, 9), span(0, 4, "colour"))
    assert right(schema, both, both)["parts"] == [2.0, 0.0, 0.0]


def test_two_labels_on_one_span_are_two_answers(schema: Schema) -> None:
    joined = Span("parts", "t", 0, 4, "xxxx", ("thing", "colour"))
    assert right(schema, (joined,), (span(0, 4),))["parts"] == [1.0, 0.0, 1.0]


def test_spans_that_nobody_was_asked_for_are_neither_right_nor_wrong() -> None:
    schema = read_schema(
        '<View><Text name="t" value="$text"/><Choices name="a" toName="t"><Choice value="yes"/>'
        '<Choice value="no"/></Choices><View visibleWhen="choice-selected" whenTagName="a" '
        'whenChoiceValue="yes"><Labels name="s" toName="t"><Label value="x"/></Labels></View>'
        "</View>"
    )
    found = (Choice("a", "t", ("yes",)), Span("s", "t", 0, 1, "b", ("x",)))
    assert "s" not in right(schema, (Choice("a", "t", ("no",)),), found)
    assert right(schema, (Choice("a", "t", ("yes",)),), found)["s"] == [0.0, 1.0, 0.0]


def test_spans_of_a_label_that_was_not_on_offer_judge_nobody(schema: Schema) -> None:
    got: tuple[Region, ...] = (span(0, 4), span(5, 9, "colour"))
    late = {"parts": ("colour",)}
    assert right(schema, (span(0, 4),), got, None, late)["parts"] == [1.0, 0.0, 0.0]
    assert "parts" not in right(schema, (), got, None, {"parts": ("colour", "thing")})
    both = evaluate(schema, [(span(0, 4),)] * 2, [got] * 2, None, [late, {}])
    assert both.controls["parts"].value == pytest.approx(2 * 2 / (2 * 2 + 1))


WRITES = Control("note", "TextArea", "t", "text")


def written(text: str) -> tuple[Region, ...]:
    return (Written("note", "t", text),)


def test_a_text_is_judged_by_its_likeness_to_the_humans() -> None:
    gold = written("a red song by the sea")
    same, near, far = (
        right(Schema((WRITES,)), gold, written(text))["note"][0]
        for text in ("a red song by the sea", "a red song by a lake", "zzz")
    )
    assert (same, far) == (1.0, 0.0) and 0.4 < near < 0.9
    assert right(Schema((WRITES,)), gold, ())["note"] == [0.0]
    scores = evaluate(Schema((WRITES,)), [gold, gold, ()], [gold, written("zzz"), gold])
    score = scores.controls["note"]
    assert (score.metric, score.value, score.n) == ("chrf", 0.5, 2)


@pytest.mark.parametrize("text", ["a", "\U0001f600", "你好", "x\ny", "?"])
def test_the_shortest_texts_can_be_right_too(text: str) -> None:
    assert right(Schema((WRITES,)), written(text), written(text))["note"] == [1.0]


def test_every_form_has_its_metric() -> None:
    assert set(METRICS) == set(get_args(Form))


def test_the_range_of_a_number_is_that_of_its_answers_where_there_are_any() -> None:
    schema = Schema((Control("n", "Number", "t", "text", low=0, high=9), _other("m")))
    rows: list[tuple[Region, ...]] = [(Quantity("n", "t", 2),), (), (Quantity("n", "t", 5),)]
    assert ranges_of(schema, rows) == {"n": 3}


def _other(name: str) -> Control:
    return Control(name, "Number", "t", "text")
