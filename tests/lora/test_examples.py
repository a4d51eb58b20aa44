"""Gold answers become targets, whatever people marked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from label_config import Choice, Example, Span
from label_config.controls import Control, Label, Schema
from label_config.values import Quantity
from lora.base import Base
from lora.examples import (
    PER_TEXT,
    chosen,
    goal_of,
    human_first,
    rows_of_example,
    with_options,
)
from lora.forms import form_of
from lora.forms.form import IGNORE
from lora.forms.spans import Mark, marks_of, tag_table
from lora.learner import collate
from lora.plan import Step
from lora.windows import read_pieces
from tests.lora.made import example, heads_of


def tags(base: Base, schema: Schema, text: str, *spans: Span) -> list[list[int]]:
    """One list of tags per label, O=0, B=1, I=2."""
    made = replace(example(1, text, None), answers=spans)
    pieces = read_pieces(base, text)
    marks = marks_of(schema.controls[1], made, pieces)
    return tag_table(marks, len(pieces.ids), 2).T.tolist()  # type: ignore[no-any-return]


def span(text: str, start: int, end: int, label: str) -> Span:
    return Span("parts", "t", start, end, text[start:end], (label,))


def test_a_span_of_several_words_begins_and_goes_on(tiny: Base, schema: Schema) -> None:
    text = "play the red song now"
    assert tags(tiny, schema, text, span(text, 5, 17, "thing"))[0] == [0, 1, 2, 2, 0]


def test_spans_side_by_side_both_begin(tiny: Base, schema: Schema) -> None:
    text = "red song"
    both = (span(text, 0, 3, "colour"), span(text, 4, 8, "thing"))
    assert tags(tiny, schema, text, *both) == [[0, 1], [1, 0]]


def test_overlapping_spans_of_different_labels_both_stay(tiny: Base, schema: Schema) -> None:
    text = "the red song"
    both = (span(text, 4, 7, "colour"), span(text, 4, 12, "thing"))
    assert tags(tiny, schema, text, *both) == [[0, 1, 2], [0, 1, 0]]


def test_a_span_with_two_labels_teaches_both(tiny: Base, schema: Schema) -> None:
    made = replace(span("red song", 0, 3, "colour"), labels=("colour", "thing"))
    assert tags(tiny, schema, "red song", made) == [[1, 0], [1, 0]]


def test_of_overlapping_spans_of_one_label_the_longer_one_stays(tiny: Base, schema: Schema) -> None:
    text = "the red song"
    both = (span(text, 4, 7, "thing"), span(text, 4, 12, "thing"))
    assert tags(tiny, schema, text, *both)[0] == [0, 1, 2]


def test_a_span_inside_a_piece_takes_the_piece(tiny: Base, schema: Schema) -> None:
    text = "play song"
    assert tags(tiny, schema, text, span(text, 6, 8, "thing"))[0] == [0, 1]


def test_a_span_over_blanks_only_marks_nothing(tiny: Base, schema: Schema) -> None:
    text = "play   song"
    assert tags(tiny, schema, text, span(text, 5, 6, "thing")) == [[0, 0], [0, 0]]


def test_a_span_whose_label_is_gone_marks_nothing(tiny: Base, schema: Schema) -> None:
    text = "play song"
    assert tags(tiny, schema, text, span(text, 5, 9, "gone")) == [[0, 0], [0, 0]]


@pytest.mark.parametrize(("label", "picked"), [("buy", (1,)), ("gone", ())])
def test_a_choice_is_its_place_in_the_config(
    schema: Schema, label: str, picked: tuple[int, ...]
) -> None:
    made = replace(example(1, "play", None), answers=(Choice("what", "t", (label,)),))
    assert chosen(schema.controls[0], made) == picked


def test_a_row_without_spans_teaches_that_there_are_none(tiny: Base, schema: Schema) -> None:
    (row,) = rows_of_example(tiny, schema, example(1, "play the song", "play"))
    assert row.tags == {"parts": ()} and row.choices == {"what": ("play",)}
    assert row.answered


def test_each_window_of_a_long_text_is_a_row_with_its_own_spans(tiny: Base, schema: Schema) -> None:
    text = "please now " * 40 + "song"
    made = example(1, text, "play", ("song", "thing"))
    rows = rows_of_example(tiny, schema, made)
    assert 1 < len(rows) <= PER_TEXT
    assert [len(r.tags["parts"]) for r in rows] == [0] * (len(rows) - 1) + [int(len(rows) < 4)]


def test_a_span_cut_by_a_window_goes_on_in_the_next_without_beginning(
    tiny: Base, schema: Schema
) -> None:
    text = "please now " * 20
    made = replace(example(1, text, None), answers=(span(text, 0, len(text) - 1, "thing"),))
    first, second = rows_of_example(tiny, schema, made)[:2]
    tables = [
        tag_table(r.tags["parts"], r.window.last - r.window.first, 2)[:, 0] for r in (first, second)
    ]
    assert tables[0].tolist() == [1] + [2] * (len(tables[0]) - 1)
    assert set(tables[1].tolist()) == {2}


def test_a_row_without_its_text_is_left_out(tiny: Base, schema: Schema) -> None:
    assert rows_of_example(tiny, schema, replace(example(1, "x", "play"), texts={})) == []


def test_the_order_of_a_snapshot_does_not_matter() -> None:
    one, two = example(1, "play", "play"), example(2, "buy", "buy")
    assert human_first([two, one]) == human_first([one, two]) == [one, two]


LONE = Control("n", "Number", "t", "text")
PAIR = Control(
    "better", "Pairwise", "a", "a", (Label("left", "A"), Label("right", "B")), right_key="b"
)
OWN = Control("own", "Choices", "t", "text", options="options")


def test_a_number_is_a_goal_even_where_it_is_zero(tiny: Base) -> None:
    made = replace(example(1, "play", None), answers=(Quantity("n", "t", 0),))
    assert goal_of(LONE, made) == 0.0
    (row,) = rows_of_example(tiny, Schema((LONE,)), made)
    assert row.choices == {"n": 0.0} and row.answered


def test_a_pair_is_one_row_of_two_windows(tiny: Base) -> None:
    made = replace(
        example(1, "x", None),
        texts={"a": "red song", "b": "blue boat now"},
        answers=(Choice("better", "a", ("right",)),),
    )
    (row,) = rows_of_example(tiny, Schema((PAIR,)), made)
    assert row.second is not None and row.choices == {"better": ("right",)}
    assert (len(row.window.ids), len(row.second.ids)) == (4, 5)
    assert rows_of_example(tiny, Schema((PAIR,)), replace(made, texts={"a": "red song"})) == []


def test_options_become_labels_those_answered_first() -> None:
    def own(number: int, answer: str, *options: str) -> Example:
        labels = tuple(Label(v, v) for v in options)
        answers = (Choice("own", "t", (answer,)),)
        return replace(example(number, "x", None), answers=answers, options={"own": labels})

    rows = [own(1, "b", "a", "b"), own(2, "c", "c", "b"), own(3, "c", "c", "d")]
    assert with_options(OWN, rows).values == ("c", "b", "a", "d")
    assert with_options(LONE, rows) is LONE


def test_a_mark_beyond_the_window_is_cut(tiny: Base) -> None:
    assert tag_table([Mark(-2, 1, 0), Mark(2, 9, 0)], 3, 1)[:, 0].tolist() == [2, 0, 1]


def test_a_label_that_was_not_on_offer_is_no_target(tiny: Base, schema: Schema) -> None:
    made = replace(example(1, "play the red song", None, ("red song", "thing")))
    late = replace(made, unasked={"parts": ("colour",)})
    heads = list(heads_of(tiny, schema, 1).values())
    tables = [
        collate(Step(tuple(rows_of_example(tiny, schema, e))), heads, 0)["targets"]["parts"][0]
        for e in (made, late)
    ]
    colour = schema.controls[1].values.index("colour")
    assert (tables[1][:, colour] == IGNORE).all() and (tables[0][:, colour] == 0).any()
    assert (tables[1][:, 1 - colour] == tables[0][:, 1 - colour]).all()
    outputs = torch.randn(1, len(tables[0]), 4)
    other = outputs.clone()
    other[..., 2 * colour : 2 * colour + 2] += 1.0
    loss = [
        form_of(schema.controls[1]).loss(schema.controls[1], o, tables[1][None], torch.ones(1))
        for o in (outputs, other)
    ]
    assert torch.isfinite(loss[0]) and loss[0] == loss[1]


def test_a_row_from_before_the_control_was_there_teaches_nothing_about_it(
    tiny: Base, schema: Schema
) -> None:
    made = replace(example(1, "play", "play"), unasked={"parts": ("thing", "colour")})
    assert [dict(r.tags) for r in rows_of_example(tiny, schema, made)] == [{}]


def test_what_an_expert_said_is_in_no_row(tiny: Base, schema: Schema) -> None:
    plain = example(1, "play the red song", "play", ("song", "thing"))
    said = replace(plain, context=("said red, meant blue",))
    assert said != plain and said.inputs == plain.inputs
    rows = rows_of_example(tiny, schema, said)
    assert rows and rows == rows_of_example(tiny, schema, plain)


def test_a_row_that_people_disagree_on_counts_less(tiny: Base, schema: Schema) -> None:
    plain, unsure, made = (example(n, "play the red song", "play") for n in (1, 2, 3))
    unsure = replace(unsure, origin=replace(unsure.origin, weight=0.6))
    made = replace(made, origin=replace(made.origin, kind="synthetic", weight=0.2))
    rows = [r for e in (plain, unsure, made) for r in rows_of_example(tiny, schema, e)]
    assert [r.weight for r in rows] == [1.0, 0.6, 1.0]  # children are weighed together
    heads = list(heads_of(tiny, schema, 1).values())
    shares = collate(Step(tuple(rows[:2])), heads, 0)["share_of_row"]
    even = collate(Step((rows[0], rows[0])), heads, 0)["share_of_row"]
    assert shares[0] == even[0] and shares[1] == pytest.approx(0.6 * float(even[1]))
