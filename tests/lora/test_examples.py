"""Gold answers become targets, whatever people marked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from label_config import Choice, Span
from label_config.values import Schema
from lora.base import Base
from lora.examples import PER_TEXT, chosen, human_first, rows_of_example, tag
from lora.windows import read_pieces
from tests.lora.made import example


def tags(base: Base, schema: Schema, text: str, *spans: Span) -> tuple[int, ...]:
    made = replace(example(1, text, None), answers=spans)
    return tag(schema.controls[1], made, read_pieces(base, text))


def span(text: str, start: int, end: int, label: str) -> Span:
    return Span("parts", "t", start, end, text[start:end], (label,))


def test_a_span_of_several_words_begins_and_goes_on(tiny: Base, schema: Schema) -> None:
    text = "play the red song now"
    assert tags(tiny, schema, text, span(text, 5, 17, "thing")) == (0, 1, 2, 2, 0)


def test_spans_side_by_side_both_begin(tiny: Base, schema: Schema) -> None:
    text = "red song"
    both = (span(text, 0, 3, "colour"), span(text, 4, 8, "thing"))
    assert tags(tiny, schema, text, *both) == (3, 1)


def test_of_overlapping_spans_the_longer_one_stays(tiny: Base, schema: Schema) -> None:
    text = "the red song"
    both = (span(text, 4, 7, "colour"), span(text, 4, 12, "thing"))
    assert tags(tiny, schema, text, *both) == (0, 1, 2)


def test_a_span_inside_a_piece_takes_the_piece(tiny: Base, schema: Schema) -> None:
    text = "play song"
    assert tags(tiny, schema, text, span(text, 6, 8, "thing")) == (0, 1)


def test_a_span_over_blanks_only_marks_nothing(tiny: Base, schema: Schema) -> None:
    text = "play   song"
    assert tags(tiny, schema, text, span(text, 5, 6, "thing")) == (0, 0)


def test_a_span_whose_label_is_gone_marks_nothing(tiny: Base, schema: Schema) -> None:
    text = "play song"
    assert tags(tiny, schema, text, span(text, 5, 9, "gone")) == (0, 0)


@pytest.mark.parametrize(("label", "picked"), [("buy", (1,)), ("gone", ())])
def test_a_choice_is_its_place_in_the_config(
    schema: Schema, label: str, picked: tuple[int, ...]
) -> None:
    made = replace(example(1, "play", None), answers=(Choice("what", "t", (label,)),))
    assert chosen(schema.controls[0], made) == picked


def test_a_row_without_spans_teaches_that_there_are_none(tiny: Base, schema: Schema) -> None:
    (row,) = rows_of_example(tiny, schema, example(1, "play the song", "play"))
    assert row.tags == {"parts": (0, 0, 0)} and row.choices == {"what": (0,)}


def test_each_window_of_a_long_text_is_a_row_with_its_own_spans(tiny: Base, schema: Schema) -> None:
    text = "please now " * 40 + "song"
    made = example(1, text, "play", ("song", "thing"))
    rows = rows_of_example(tiny, schema, made)
    assert 1 < len(rows) <= PER_TEXT
    assert all(len(r.tags["parts"]) == r.window.last - r.window.first for r in rows)


def test_a_row_without_its_text_is_left_out(tiny: Base, schema: Schema) -> None:
    assert rows_of_example(tiny, schema, replace(example(1, "x", "play"), texts={})) == []


def test_the_order_of_a_snapshot_does_not_matter() -> None:
    one, two = example(1, "play", "play"), example(2, "buy", "buy")
    assert human_first([two, one]) == human_first([one, two]) == [one, two]
