"""Only what is surely meant is suggested, since the editor takes it over at once."""

from __future__ import annotations

from typing import Any

import pytest

from label_config import Schema, Task, read_schema
from ml_backend.mentions import FOR_S, KEEP, MOST, Suggested, mentions
from tests.ml_backend.fakes import XML

SCHEMA = read_schema(XML)


def drawn(start: int, end: int, label: str = "PER", name: str = "ner") -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label]}
    return {"from_name": name, "to_name": "text", "type": "labels", "value": value}


def found(
    text: str,
    *context: dict[str, Any],
    number: int = 1,
    raw: dict[str, Any] | None = None,
    suggested: Suggested | None = None,
    schema: Schema = SCHEMA,
) -> list[tuple[int, int, str]]:
    task = Task(number, "7", {"text": text})
    memory = suggested or Suggested()
    some = mentions(schema, task, raw or {}, {"result": list(context)}, (), memory)
    return [(s.start, s.end, s.labels[0]) for s in some]


def test_whole_words_only() -> None:
    assert found("Ann, Annie, Joann, Ann_2, Ann", drawn(0, 3)) == [(26, 29, "PER")]


def test_case_is_kept() -> None:
    assert found("May may. May!", drawn(0, 3)) == [(9, 12, "PER")]


@pytest.mark.parametrize("text", ["7 of 7", "a b a", "... and ..."])
def test_what_is_no_word_is_not_looked_for(text: str) -> None:
    first = text.split()[0]
    assert found(text, drawn(0, len(first))) == []


def test_where_words_stand_without_spaces_they_are_found_within() -> None:
    assert found("東京と東京都", drawn(0, 2)) == [(3, 5, "PER")]


def test_offsets_are_code_points() -> None:
    assert found("😀 Ann 😀 Ann", drawn(2, 5)) == [(8, 11, "PER")]


def test_nothing_is_suggested_over_what_is_marked() -> None:
    text = "Ann Lee met Ann, and Ann Lee left"
    assert found(text, drawn(12, 15), drawn(0, 7)) == [(21, 28, "PER")]


def test_what_a_draft_or_a_prediction_marked_is_left_alone() -> None:
    """It stands already, or it was taken away: both are no place for a suggestion."""
    text = "Ann met Ann and Ann"
    raw = {"drafts": [{"result": [drawn(8, 11, "ORG")]}], "predictions": [None, {"result": "odd"}]}
    assert found(text, drawn(0, 3), raw=raw) == [(16, 19, "PER")]
    raw = {"predictions": [{"result": [drawn(8, 11), drawn(16, 19)]}]}
    assert found(text, drawn(0, 3), raw=raw) == []


def test_a_span_that_stood_and_is_gone_is_not_suggested() -> None:
    memory = Suggested()
    assert found("Ann met Ann", drawn(0, 3), suggested=memory) == [(8, 11, "PER")]
    assert found("Ann met Ann", drawn(8, 11), suggested=memory) == []  # the first was taken away


def test_a_flood_is_cut() -> None:
    assert len(found("Ann " * 200, drawn(0, 3))) == MOST


def test_two_labels_of_one_word_suggest_neither_twice() -> None:
    text = "Ann met Ann"
    assert found(text, drawn(0, 3), drawn(0, 3, "ORG")) == [(8, 11, "PER")]


@pytest.mark.parametrize(
    "context",
    [
        {"result": None},
        {"result": "x"},
        {"result": [None, 3, {}]},
        {"result": [drawn(0, 3, "Unknown")]},
        {"result": [drawn(90, 95)]},
        {"result": [{**drawn(0, 3), "type": "choices", "value": {"choices": ["Good"]}}]},
    ],
)
def test_what_cannot_be_read_suggests_nothing(context: dict[str, Any]) -> None:
    task = Task(1, "7", {"text": "Ann met Ann"})
    assert mentions(SCHEMA, task, {}, context, (), Suggested()) == ()


def test_memory_is_of_the_last_tasks_and_hours() -> None:
    now = 0.0
    memory = Suggested(lambda: now)
    assert found("Ann met Ann", drawn(0, 3), suggested=memory)
    assert not found("Ann met Ann", drawn(0, 3), suggested=memory)
    now = FOR_S
    assert found("Ann met Ann", drawn(0, 3), suggested=memory)
    for number in range(2, KEEP + 2):
        memory.note(Task(number, "7", {}), [])
    assert found("Ann met Ann", drawn(0, 3), suggested=memory)
