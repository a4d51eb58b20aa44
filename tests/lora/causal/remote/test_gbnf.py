"""Our grammars in llama.cpp's language allow what they allow in ours."""

from __future__ import annotations

import pytest
from llguidance import LLMatcher
from llguidance.gbnf_to_lark import any_to_lark
from llguidance.hf import from_tokenizer

from label_config import Inputs, read_schema
from lora.causal.ask import Ask
from lora.causal.grammar import spaced
from lora.causal.kinds import kind_of
from lora.causal.prompt import Chat, asks, room_for
from lora.causal.remote.gbnf import gbnf
from tests.lora.causal.made import byte_chat
from tests.lora.causal.remote.made import CONFIG

TEXT = 'buy "two" red\\green 😀 things'


def ask(name: str) -> Ask:
    odd = CONFIG.replace('value="colour"', 'value="a &quot;b&quot; \\ é😀"')
    schema = read_schema(odd)
    found = asks(Chat(byte_chat()), schema, Inputs({"text": TEXT}), room_for(2048))
    return next(a for a in found if a.control.name == name)


def allows(grammar: str, answer: str) -> bool:
    tokenizer = byte_chat()
    matcher = LLMatcher(from_tokenizer(tokenizer, n_vocab=len(tokenizer)), grammar, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
    return matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting()


@pytest.mark.parametrize(
    ("control", "answer", "fits"),
    [
        ("any", " red\nblue", True),
        ("any", " blue\nred", False),
        ("any", " none", True),
        ("n", " -12.5", True),
        ("n", " 1.", False),
        ("n", "12", False),
        ("parts", " none", True),
        ("parts", " thing: red", True),
        ("parts", ' a "b" \\ é😀~2: two\nthing: 😀 things', True),
        ("parts", " thing~0: red", False),
        ("parts", " other: red", False),
        ("parts", " thing: red ", False),
        ("what", " play", True),
        ("what", " playing", False),
    ],
)
def test_the_same_answers_are_allowed_in_both(control: str, answer: str, fits: bool) -> None:
    one = ask(control)
    grammar = kind_of(one.control).grammar(one)
    assert grammar is not None
    ours = LLMatcher.grammar_from_lark(spaced(grammar))
    theirs = LLMatcher.grammar_from_lark(any_to_lark(gbnf(spaced(grammar))))
    assert (allows(ours, answer), allows(theirs, answer)) == (fits, fits)


def test_what_has_no_word_is_refused() -> None:
    with pytest.raises(ValueError, match="no word for '~4'"):
        gbnf('start: "a"~4\n')
