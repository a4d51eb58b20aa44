"""Questions without a tokenizer, and what a grammar lets through."""

from __future__ import annotations

from functools import lru_cache

import llguidance

from label_config.controls import Control, Label
from label_config.values import Inputs
from lora.causal.ask import Ask
from lora.causal.kinds import kind_of
from lora.causal.texts import quotable


def labels(*names: str) -> tuple[Label, ...]:
    return tuple(Label(name, name) for name in names)


def ask_of(control: Control, text: str = "some text", offset: int = 0, **options: Label) -> Ask:
    """The question about a whole text; `options`: what the task brings."""
    inputs = Inputs({"x": text}, {control.name: tuple(options.values())})
    found = kind_of(control).options(control, inputs)
    return Ask(control, "", f"{control.name}: ", quotable(text), text, offset, found)


@lru_cache(maxsize=1)
def _bytes() -> llguidance.LLTokenizer:
    return llguidance.LLTokenizer("byte")


def allows(ask: Ask, answer: str) -> bool:
    """Whether the grammar of a question lets a model say exactly this."""
    grammar = kind_of(ask.control).grammar(ask)
    assert grammar is not None
    wrapped = llguidance.LLMatcher.grammar_from_lark(grammar)
    assert not llguidance.LLMatcher.validate_grammar(wrapped, _bytes())
    matcher = llguidance.LLMatcher(_bytes(), wrapped)
    ids = _bytes().tokenize_str(answer)
    return matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting()
