"""Prompts and answers are cut into tokens at one place, wherever that is asked."""

from __future__ import annotations

from typing import Any

import pytest

from lora.causal.chat import Chat
from lora.causal.tokens import answer_ids, answer_text, gold_ids, parts_ids, prompt_ids
from tests.lora.causal.made import byte_chat, sentence_chat

SHARED = "system\nplay the song\nuser\nbuy a coat\n"
ANSWERS = ["play the song", "none", "", "song: héllo 👋🏽\nthing: x", "a  b", "<b>&amp; {", "12.5"]


@pytest.fixture(scope="module", params=["bytes", "sentencepiece"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return byte_chat() if request.param == "bytes" else sentence_chat()


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_is_read_back_as_it_was_written(tokenizer: Any, answer: str) -> None:
    ids = answer_ids(tokenizer, answer, tokenizer.eos_token)
    assert ids[-1] == tokenizer.eos_token_id
    assert answer_text(tokenizer, ids) == answer


@pytest.mark.parametrize("answer", [*ANSWERS, "{0}", "a {0}{0} b", "{0} x\n{1}y", "<{0}|im_end|>"])
def test_an_answer_that_spells_control_tokens_is_its_own_signs(tokenizer: Any, answer: str) -> None:
    special = [t for t in tokenizer.all_special_tokens if t != tokenizer.unk_token]
    for n, sign in enumerate(special[:2]):
        answer = answer.replace(f"{{{n}}}", sign)
    ids = gold_ids(tokenizer, Chat(tokenizer).apart(answer), tokenizer.eos_token)
    assert ids[-1] == tokenizer.eos_token_id
    assert not set(ids[:-1]) & set(tokenizer.all_special_ids)
    assert answer_text(tokenizer, ids) == answer


def test_the_space_goes_with_the_first_word(tokenizer: Any) -> None:
    prompt = prompt_ids(tokenizer, SHARED, "what: ")
    answer = answer_ids(tokenizer, "play", tokenizer.eos_token)
    said = tokenizer.convert_ids_to_tokens([prompt[-1], answer[0]])
    assert said[0].strip("▁") == ":" and said[1] in {"Ġplay", "▁play", "Ġ", "▁"}
    assert said[1] in {"Ġplay", "▁play"} or tokenizer.tokenize("the play")[-1] != "▁play"


def test_rows_of_one_shared_text_begin_with_the_same_tokens(tokenizer: Any) -> None:
    one, two = (prompt_ids(tokenizer, SHARED, lead) for lead in ("what: ", "size: "))
    first, lead = parts_ids(tokenizer, SHARED, "what: ")
    assert one[: len(first)] == two[: len(first)] == first and one == first + lead


def test_a_prompt_that_is_too_long_loses_a_piece_before_its_end(tokenizer: Any) -> None:
    whole = prompt_ids(tokenizer, "play " * 300 + SHARED, "what: ")
    cut = prompt_ids(tokenizer, "play " * 300 + SHARED, "what: ", most=100)
    assert len(cut) == 100 < len(whole)
    assert cut[:30] == whole[:30] and cut[-40:] == whole[-40:]


def test_an_answer_cut_in_a_character_ends_before_it(tokenizer: Any) -> None:
    ids = answer_ids(tokenizer, "a 👋", tokenizer.eos_token)[:-3]
    assert answer_text(tokenizer, ids, cut=True).rstrip() == "a"
