"""Examples become rows of tokens: the prompt as it will be asked, and the answer to learn.

Each control of an example, and each window of a long text, is a row of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from label_config.conditions import hidden_controls
from label_config.controls import Schema
from label_config.values import Example
from lora.base import Base
from lora.causal.ask import Ask
from lora.causal.chat import Chat
from lora.causal.prompt import as_asked, asks, completion, names_labels, room_for
from lora.causal.tokens import gold_ids, prompt_ids
from lora.examples import labels_asked

Kind = Literal["human", "made", "lent"]
KINDS: tuple[Kind, ...] = ("human", "made", "lent")
BORROWED = "lent"  # the origin's transform where a teacher answered


@dataclass(frozen=True)
class TokenRow:
    """`ids`: prompt and answer; the answer begins at `start`. `group`: of the example, whose rows
    stay together when some are held back. `answer`: in the model's words, without its end.
    `made`: nobody answered it, it was made of a row that somebody answered; `lent`: nobody did,
    and a teacher said it to a text of the pool."""

    ids: tuple[int, ...]
    start: int
    group: str
    ask: Ask
    answer: str
    made: bool = False
    lent: bool = False

    @property
    def kind(self) -> Kind:
        return "lent" if self.lent else "made" if self.made else "human"

    @property
    def answer_tokens(self) -> int:
        return len(self.ids) - self.start

    @property
    def gold(self) -> int | None:
        """Place of the right answer among the options, where there are any."""
        words = [o.words for o in self.ask.options]
        return words.index(self.answer) if self.answer in words else None


def token_rows(
    base: Base,
    chat: Chat,
    schema: Schema,
    examples: Sequence[Example],
    only: Collection[str] | None = None,
) -> tuple[list[TokenRow], int]:
    """The rows of examples, in their order, and how many were left out as too long for the base.
    `only`: controls, where not all are meant."""
    room = room_for(base.max_tokens, base.hidden)
    made: list[TokenRow] = []
    for example in examples:
        hidden = hidden_controls(schema, example.answers)  # no span there is no answer
        then = as_asked(schema, example.unasked)
        now = {c.name: c for c in schema.controls}
        for ask in asks(chat, then, example.inputs, room):
            name = ask.control.name
            if name not in hidden and (only is None or name in only):
                some = ask.control != now[ask.control.name]
                row = _row(base, chat, ask, example, some)
                made += [row] if row else []
    fit = [r for r in made if len(r.ids) <= base.max_tokens]
    return fit, len(made) - len(fit)


def _row(base: Base, chat: Chat, ask: Ask, example: Example, some: bool) -> TokenRow | None:
    """`some`: only some of the labels were on offer, and are in the ask. Where its prompt does not
    name them, it asks for the others too: then the answer says neither `none` nor that it ends."""
    if ask.control.form == "spans" and not labels_asked(ask.control, example):
        return None
    open_ended = some and ask.control.form in {"spans", "many"} and not names_labels(ask)
    answer = completion(ask, example.answers)
    if answer is None or (open_ended and answer == completion(ask, ())):
        return None
    end = gold_ids(base.tokenizer, chat.apart(answer), "" if open_ended else chat.end)
    prompt = prompt_ids(base.tokenizer, ask.shared, ask.lead, max(1, base.max_tokens - len(end)))
    lent = example.origin.transform == BORROWED
    made = example.origin.kind != "human" and not lent
    return TokenRow((*prompt, *end), len(prompt), example.group, ask, answer, made, lent)
