"""The same promises on a real base: SmolLM2, in float32 so that rounding decides nothing."""

from __future__ import annotations

import json

import pytest
import torch

from label_config.controls import Control, Label
from lora.base import load_base
from lora.causal.ask import Ask, Option
from lora.causal.chat import Chat
from lora.causal.decode import Decoder
from lora.causal.network import CausalNetwork
from lora.causal.score import score
from lora.weights import Mode
from tests.lora.causal.test_decode import Version, generated, run
from tests.lora.causal.test_score import Key, alone

pytestmark = pytest.mark.model

TEXTS = ["book a table for two at noon", "play some jazz 👋🏽", "will it rain in Oslo tomorrow?"]
LABELS = ("play music", "book restaurant", "get weather", "add to playlist")
CONTROL = Control("intent", "Choices", "t", "t", labels=(Label("a", "a"),))


@pytest.fixture(scope="module")
def smollm() -> CausalNetwork:
    return CausalNetwork(load_base("smollm", threads=1), Mode(dtype=torch.float32))


@pytest.fixture(scope="module")
def shared(smollm: CausalNetwork) -> list[str]:
    chat = Chat(smollm.base.tokenizer)
    return [chat.prefix(f"Say what is meant: {', '.join(LABELS)}.", f"text: {t}") for t in TEXTS]


def test_likelihoods_are_those_of_the_model(smollm: CausalNetwork, shared: list[str]) -> None:
    smollm.activate(Key(), {})
    end = Chat(smollm.base.tokenizer).end
    options = tuple(Option(v, v) for v in LABELS)
    asks = [Ask(CONTROL, s, "intent: ", options=options) for s in shared]
    for asked, table in zip(asks, score(smollm, asks, end), strict=True):
        assert torch.allclose(table, alone(smollm, asked), atol=5e-3)


def test_answers_are_those_of_generate(smollm: CausalNetwork, shared: list[str]) -> None:
    version = Version(smollm.prepare({}))
    end = Chat(smollm.base.tokenizer).end
    said = run(Decoder(smollm, end), [(version, s, "reply: ", None, 12) for s in shared], every=2)
    want = [generated(smollm, version, s, "reply: ", 12) for s in shared]
    assert [d.text for d in said] == want


def test_quoted_pieces_are_in_the_text(smollm: CausalNetwork, shared: list[str]) -> None:
    version = Version(smollm.prepare({}))
    jobs = [
        (version, s, "words: ", 'start: "thing: " SUB\n'
         f'SUB: %regex {{"substring_chars": {json.dumps(t, ensure_ascii=False)}}}\n', 12)
        for s, t in zip(shared, TEXTS, strict=True)
    ]  # fmt: skip
    for text, said in zip(TEXTS, run(Decoder(smollm, "<|im_end|>"), jobs), strict=True):
        assert said.text.startswith("thing: ") and said.text.removeprefix("thing: ") in text
