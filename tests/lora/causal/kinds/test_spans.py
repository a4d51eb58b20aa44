"""Spans quoted line by line: exact offsets, whatever the text and whatever the model says."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from label_config.controls import Control
from label_config.values import Region, Span
from lora.causal.ask import Ask
from lora.causal.kinds import kind_of
from lora.causal.kinds.spans import MOST_LINES
from tests.lora.causal.hard import BITS, texts
from tests.lora.causal.kinds.asked import allows, ask_of, labels

CONTROL = Control("parts", "Labels", "t", "x", labels("thing", "colour"))
ODD = Control(
    "odd",
    "Labels",
    "t",
    "x",
    labels("a", "a: b", "a:c", "Name:", "no~2", "none", "x\ny", "🎈", '"'),
)


def gold(draw: random.Random, control: Control, text: str, offset: int) -> list[Region]:
    """Any spans with something in them, overlapping as they like, one for each place and label."""
    found: dict[tuple[int, int, str], Region] = {}
    for _ in range(draw.choice([0, 1, 2, 3, 10])):
        if not text:
            break
        start = draw.randrange(len(text))
        end = min(len(text), start + draw.choice([1, 1, 2, 3, 8, 40]))
        piece = text[start:end].replace("\x00", " ").replace("\x85", " ")
        if not piece.strip():
            continue
        start += len(piece) - len(piece.lstrip())
        end = start + len(piece.strip())
        value = draw.choice(control.values)
        found[start, end, value] = Span(
            control.name, "t", offset + start, offset + end, text[start:end], (value,)
        )
    return list(found.values())


def places(regions: list[Region]) -> set[tuple[int, int, str, str]]:
    assert all(isinstance(r, Span) for r in regions)
    return {(r.start, r.end, r.text, v) for r in regions for v in r.labels}  # type: ignore[union-attr]


def check_inside(ask: Ask, regions: list[Region]) -> None:
    for r in regions:
        assert isinstance(r, Span)
        assert ask.text[r.start - ask.offset : r.end - ask.offset] == r.text
        assert set(r.labels) <= set(ask.control.values)


def test_what_is_written_is_read_back_at_its_place_in_2000_hard_texts() -> None:
    written = 0
    for i, (draw, text) in enumerate(texts(2000)):
        several = replace(draw.choice([CONTROL, ODD]), multiple=draw.random() < 0.3)
        ask = ask_of(several, text, offset=draw.choice([0, 7]))
        spans = gold(draw, several, text, ask.offset)
        answer = kind_of(several).write(ask, spans)
        assert answer is not None
        got = kind_of(several).read(ask, answer, 0.5)
        check_inside(ask, got)
        assert places(got) == places(spans), (text, answer)
        written += len(spans)
        if i % 10 == 9:
            assert allows(ask, answer), (text, answer)
    assert written > 3000


def test_no_answer_makes_a_span_that_is_not_in_the_text() -> None:
    made = 0
    for draw, text in texts(2000):
        control = draw.choice([CONTROL, ODD])
        ask = ask_of(control, text, offset=3)
        lines = [_line(draw, control, text) for _ in range(draw.choice([1, 3, 20]))]
        answer = draw.choice(["\n", "\n", "\r\n", ""]).join(lines)
        got = kind_of(control).read(ask, answer, 1.0)
        check_inside(ask, got)
        made += len(got)
    assert made > 500


def _line(draw: random.Random, control: Control, text: str) -> str:
    """Something a model may say: right, nearly right, or anything."""
    start = draw.randrange(len(text) + 1)
    piece = text[start : start + draw.choice([1, 5, 30])]
    label = draw.choice([*control.values, "Thing", "THING", "unknown", "", ":"])
    junk = "".join(draw.choices(BITS, k=draw.choice([0, 1, 9])))
    number = draw.choice(["", "", "~1", "~2", " ~2", "~0", "~999999999999", "~-1", "~١"])
    shapes = [f"{label}{number}: {piece}", f"{label}:{piece}", f"{label}: {piece.upper()}", junk]
    return draw.choice([*shapes, f"{label}: {junk}", piece, ":" * 500, "none"])


def said(text: str, answer: str, control: Control = CONTROL) -> list[tuple[int, int, str]]:
    got = kind_of(control).read(ask_of(control, text), answer, 1.0)
    return [(r.start, r.end, "+".join(r.labels)) for r in got if isinstance(r, Span)]


def test_equal_lines_are_one_mention_after_the_other() -> None:
    assert said("red or red", "colour: red\ncolour: red") == [(0, 3, "colour"), (7, 10, "colour")]
    assert said("red or red", "colour: red\n" * 9) == [(0, 3, "colour"), (7, 10, "colour")]


def test_a_line_again_is_idle_only_where_no_mention_is_left() -> None:
    ask = ask_of(CONTROL, "red or red, a hat")
    idle = kind_of(CONTROL).idle(ask)
    assert idle is not None
    lines = ["colour: red", "colour: red", "thing: hat", "colour: red", "thing: absent", "thing: a"]
    assert [idle(line) for line in lines] == [False, False, False, True, False, False]
    assert idle("thing: absent")


def test_no_line_that_people_answered_is_idle() -> None:
    for draw, text in texts(500):
        control = draw.choice([CONTROL, ODD])
        ask = ask_of(control, text)
        answer = kind_of(control).write(ask, gold(draw, control, text, 0))
        idle = kind_of(control).idle(ask)
        assert answer is not None and idle is not None
        assert not any([idle(line) for line in answer.split("\n")])


def test_a_piece_is_first_looked_for_as_a_whole_word_after_the_last_span() -> None:
    assert said("a cat saw a dog", "thing: cat\nthing: a") == [(2, 5, "thing"), (10, 11, "thing")]
    assert said("cat and art", "thing: a") == [(1, 2, "thing")]  # no word of its own: the first


def test_a_number_names_an_occurrence_where_the_order_does_not() -> None:
    ask = ask_of(CONTROL, "red or red")
    second = [Span("parts", "t", 7, 10, "red", ("colour",))]
    assert kind_of(CONTROL).write(ask, second) == "colour~2: red"
    assert said("red or red", "colour~2: red") == [(7, 10, "colour")]
    assert said("red or red", "colour~3: red") == [(0, 3, "colour")]


def test_labels_of_one_place_are_one_span_where_it_may_have_several() -> None:
    both = replace(CONTROL, multiple=True)
    answer = "thing: red\ncolour: red"
    assert said("red red", answer, both) == [(0, 3, "thing+colour")]
    assert said("red red", answer) == [(0, 3, "thing"), (4, 7, "colour")]


def test_a_line_break_in_a_span_is_a_space_in_the_answer_and_comes_back() -> None:
    text = "big\r\nred car"
    ask = ask_of(CONTROL, text, offset=100)
    spans: list[Region] = [Span("parts", "t", 100, 108, "big\r\nred", ("thing",))]
    assert kind_of(CONTROL).write(ask, spans) == "thing: big  red"
    [got] = kind_of(CONTROL).read(ask, "thing: big  red", 1.0)
    assert isinstance(got, Span) and got.text == "big\r\nred" and got.start == 100


def test_space_around_a_span_and_spans_of_a_neighbour_window_are_not_written() -> None:
    ask = ask_of(CONTROL, "the red car", offset=50)
    spans: list[Region] = [
        Span("parts", "t", 53, 58, " red ", ("colour",)),
        Span("parts", "t", 40, 53, "x" * 10 + "the", ("thing",)),
        Span("parts", "t", 58, 70, "car" + "x" * 9, ("thing",)),
        Span("parts", "t", 0, 3, "far", ("thing",)),
    ]
    assert kind_of(CONTROL).write(ask, spans) == "colour: red"
    assert kind_of(CONTROL).write(ask, spans[1:]) == "none"


def test_the_word_for_no_span_is_no_label() -> None:
    assert kind_of(ODD).write(ask_of(ODD, "a"), []) == "nothing"
    assert said("none", "none") == []


@pytest.mark.parametrize("answer", ["none", "thing: hello", "colour: o w\nthing~2: l"])
def test_the_grammar_allows_pieces_of_the_text(answer: str) -> None:
    assert allows(ask_of(CONTROL, "hello world"), answer)


@pytest.mark.parametrize(
    "answer",
    ["", "nothing", "thing: ", "thing:  w", "thing: hello ", "thing: absent", "other: hello"]
    + ["thing: hello\n", "thing: hello\nnone", "thing~0: l", "thing: hello\n\nthing: w"],
)
def test_the_grammar_allows_nothing_else(answer: str) -> None:
    assert not allows(ask_of(CONTROL, "hello world"), answer)


def test_a_grammar_of_150_labels_and_20_kb_holds_what_is_written() -> None:
    many = Control(
        "m", "Labels", "t", "x", labels(*(f'l"{i}: \n{chr(0x4E00 + i)}' for i in range(150)))
    )
    text = 'say "hi" 👋🏽\r\n' * 1600
    ask = ask_of(many, text)
    spans: list[Region] = [
        Span("m", "t", i * 13 + 4, i * 13 + 8, '"hi"', (many.values[i],)) for i in range(MOST_LINES)
    ]
    answer = kind_of(many).write(ask, spans)
    assert answer is not None and allows(ask, answer)
    assert places(kind_of(many).read(ask, answer, 1.0)) == places(spans)


def test_a_text_too_long_for_the_grammar_is_quoted_freely_and_checked_when_read() -> None:
    ask = ask_of(CONTROL, "ab " * 20_000)
    assert allows(ask, "thing: b a\nthing: absent") and not allows(ask, "thing: ")
    assert len(kind_of(CONTROL).read(ask, "thing: b a\nthing: absent", 1.0)) == 1


def test_an_empty_text_can_only_have_no_spans() -> None:
    assert allows(ask_of(CONTROL, " \n"), "none") and not allows(ask_of(CONTROL, " \n"), "thing: ")
