"""Training, serving and `annotune prompt` ask with the very same words."""

from __future__ import annotations

from dataclasses import replace

from label_config import Choice, Example, Inputs, read_schema
from lora.causal.answer import Answerer
from lora.causal.chat import Chat
from lora.causal.network import CausalNetwork
from lora.causal.prompt import asks
from lora.causal.rows import token_rows
from tests.lora.causal.made import causal_base

SCHEMA = read_schema(
    '<View><Text name="t" value="$text"/><Choices name="what" toName="t">'
    '<Choice value="play"/><Choice value="buy"/></Choices></View>'
)


def test_a_row_is_asked_in_training_as_it_is_served() -> None:
    small = causal_base("llama")
    for base in (small, replace(small, hidden=4096)):
        example = Example(
            "1", 1, "g", "train", {"text": "buy a hat"}, (Choice("what", "t", ("buy",)),)
        )
        chat = Chat(base.tokenizer)
        rows, _ = token_rows(base, chat, SCHEMA, [example])
        served = Answerer(CausalNetwork(base))
        inputs = Inputs({"text": "buy a hat"})
        assert [r.ask for r in rows] == asks(chat, SCHEMA, inputs, served.room)
