"""Marks of judged rows, as cells keep them and as the trainer's report has them."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.augment_marks import contestant, gained, marks_of, pack, share, tally, unpack
from label_config.schema import read_schema
from label_config.values import Choice, Example, Span
from lora.evaluate import evaluate

CHOICES = read_schema(
    '<View><Text name="text" value="$text"/><Choices name="c" toName="text">'
    '<Choice value="a"/><Choice value="b"/></Choices></View>'
)
LABELS = read_schema(
    '<View><Text name="text" value="$text"/><Labels name="s" toName="text">'
    '<Label value="x"/></Labels></View>'
)


def span(start: int) -> Span:
    return Span("s", "text", start, start + 1, "-", ("x",))


def rows(*answers: Any) -> list[Example]:
    return [Example(f"e{i}", i, f"e{i}", "holdout", {}, tuple(a)) for i, a in enumerate(answers)]


def test_choices_take_a_digit_and_spans_three_counts() -> None:
    a, b = ((Choice("c", "text", (label,)),) for label in "ab")
    marks = marks_of(CHOICES, rows(a, b, a), [a, a, ()])
    assert pack(marks) == "100" and unpack("100") == marks == [[1.0], [0.0], [0.0]]
    gold = rows([span(0), span(2)], [])
    marks = marks_of(LABELS, gold, [(span(0),), (span(4),)])
    assert pack(marks) == [[1, 0, 1], [0, 1, 0]] and unpack(pack(marks)) == marks


def test_a_score_of_marks_is_the_judges() -> None:
    got = [(span(0),), (span(4),)]
    gold = rows([span(0), span(2)], [])
    marks = marks_of(LABELS, gold, got)
    found = evaluate(LABELS, [e.answers for e in gold], got).mean
    assert tally(marks) == [1, 1, 1] and share(tally(marks)) == pytest.approx(found) == 0.5
    assert tally([[1.0], [0.0], [1.0]]) == [2, 3] and share([2, 3]) == pytest.approx(2 / 3)


def cell(marks: Any, metric: str = "accuracy") -> dict[str, Any]:
    return {"blind": {metric: 0.0}, "marks": {"blind": marks}}


def test_a_contestant_is_told_as_the_trainer_tells_one() -> None:
    told = contestant(cell([[1, 0, 1], [0, 1, 0]], "f1"))
    assert told["mean"] == 0.5
    assert told["controls"] == {"answer": {"metric": "f1", "value": 0.5, "n": 2}}
    assert told["right"] == {
        "blind-0000": {"answer": [1, 0, 1]},
        "blind-0001": {"answer": [0, 1, 0]},
    }


def test_a_gain_is_paired_on_the_blind_rows_with_its_error() -> None:
    found = gained(cell("1111"), cell("0011"), 50)
    assert found["answers"] == 50 and found["difference"] == 0.5 and 0 < found["error"] < 0.5
    assert gained(cell("0110"), cell("0110"), 50)["error"] == 0
