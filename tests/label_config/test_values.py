"""Values that break their own rule cannot be made; the message names what came."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from label_config import (
    Choice,
    Control,
    Correction,
    Example,
    InvalidValue,
    Label,
    Origin,
    Prediction,
    Schema,
    Snapshot,
    Span,
    answer_key,
)

CONTROL = Control("c", "Choices", "t", "text", (Label("a", "a"),))


def row(side: str, origin: Origin, group: str = "g") -> Example:
    return Example("1", 1, group, side, {}, (), origin)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Label("", "shown"), "empty value"),
        (lambda: Control("c", "Choices", "t", "text", ()), "has no labels"),
        (lambda: Control("c", "Labels", "t", "k", (Label("a", "x"), Label("a", "y"))), "repeats"),
        (lambda: Schema((CONTROL, CONTROL)), "used twice"),
        (lambda: Choice("c", "t", ()), "names no label"),
        (lambda: Choice("c", "t", ("a",), 1.5), "score 1.5"),
        (lambda: Choice("c", "t", ("a",), float("nan")), "score nan"),
        (lambda: Span("c", "t", 2, 2, "", ("a",)), "2:2"),
        (lambda: Span("c", "t", -1, 1, "ab", ("a",)), "-1:1"),
        (lambda: Span("c", "t", 0, 1, "e\u0301", ("a",)), "covers 1 code points but its text"),
        (lambda: Span("c", "t", 0, 1, "a", ()), "names no label"),
        (lambda: Prediction(1, (), -0.1, "v1"), "score -0.1"),
        (lambda: Prediction(1, (), 0.1, ""), "no model version"),
        (
            lambda: Snapshot("7", "", (row("train", Origin()), row("holdout", Origin()))),
            "both sides",
        ),
        (lambda: Snapshot("7", "", (row("holdout", Origin("synthetic")),)), "only human rows"),
    ],
)
def test_a_value_that_breaks_its_rule_cannot_be_made(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        make()


def test_the_same_answer_has_the_same_key_whatever_its_score() -> None:
    one, other = Choice("c", "t", ("a", "b"), 0.1), Choice("c", "t", ("b", "a"), 0.9)
    assert answer_key(one) == answer_key(other)
    assert answer_key(one) != answer_key(Choice("c", "t", ("a",)))
    here, there = Span("c", "t", 0, 1, "a", ("x",)), Span("c", "t", 1, 2, "a", ("x",))
    assert answer_key(here) != answer_key(there)


def test_a_correction_without_changes_is_an_acceptance() -> None:
    kept = Choice("c", "t", ("a",))
    assert Correction(kept=(kept,)).accepted
    assert not Correction(removed=(kept,)).accepted
