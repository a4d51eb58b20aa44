"""The numbers that the gate compares."""

from __future__ import annotations

import pytest

from label_config import Choice, Span, read_schema
from label_config.values import Region, Schema
from lora.evaluate import evaluate, right


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
