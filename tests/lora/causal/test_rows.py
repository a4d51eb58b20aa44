"""Rows hold the very prompt that is asked, and the answer a human gave."""

from __future__ import annotations

from dataclasses import replace

from lora.causal.chat import Chat
from lora.causal.rows import TokenRow, token_rows
from tests.lora.causal.made import causal_base
from tests.lora.causal.rowed import example, rows, schema

BASE = causal_base("llama")
CHAT = Chat(BASE.tokenizer)


def said(row: TokenRow) -> str:
    return str(BASE.tokenizer.decode(row.ids[row.start :]))


def test_each_control_is_a_row_that_ends_its_turn() -> None:
    marked = example(1, "play the red song", "play", ("song", "thing"))
    made, left_out = token_rows(BASE, CHAT, schema(), [marked])
    assert [r.ask.control.name for r in made] == ["what", "parts"] and left_out == 0
    assert [said(r) for r in made] == [" play<|im_end|>", " thing: song<|im_end|>"]
    assert all(BASE.tokenizer.decode(r.ids[: r.start]).endswith(":") for r in made)


def test_the_right_answer_has_a_place_among_the_options() -> None:
    assert [r.gold for r in rows(BASE, 3) if r.ask.control.name == "what"] == [0, 1, 2]
    assert [r.gold for r in rows(BASE, 3) if r.ask.control.name == "parts"] == [None] * 3


def test_what_nobody_answered_is_no_row_but_no_span_is_an_answer() -> None:
    made, _ = token_rows(BASE, CHAT, schema(), [example(1, "the red song", None)])
    assert [(r.ask.control.name, r.answer) for r in made] == [("parts", "none")]


def test_labels_that_were_not_on_offer_are_not_said_to_be_absent() -> None:
    bare = example(1, "the red song", None)
    unasked = replace(bare, unasked={"parts": ("colour",)})
    assert token_rows(BASE, CHAT, schema(), [unasked])[0] == []


def test_a_row_never_holds_more_than_the_base_reads() -> None:
    small = replace(BASE, max_tokens=160)
    long = example(1, "play " + "the red song \U0001f3b5 " * 90, "play")
    made, _ = token_rows(small, CHAT, schema(), [long])
    assert made and all(len(r.ids) <= 160 for r in made)
    assert all(said(r).endswith("<|im_end|>") for r in made)
