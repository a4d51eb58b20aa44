"""Every option's log p is what one would get by running it alone, whatever is in the batch."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
import torch

from label_config.controls import Control, Label
from lora.base import Base
from lora.causal import packed
from lora.causal import score as scoring
from lora.causal.ask import Ask, Option
from lora.causal.network import CausalNetwork
from lora.causal.score import score
from lora.causal.tokens import answer_ids, prompt_ids
from tests.lora.causal.made import CAUSAL, END, causal_base, causal_tensors
from tests.lora.made import WORDS

CONTROL = Control("what", "Choices", "t", "t", labels=(Label("a", "a"),))
FEW = ("play music", "play the song", "play", "buy", "paint it blue", "buy")
MANY = tuple(f"{a} {b}" for a in WORDS[:9] for b in WORDS[9:18])


class Key:
    """What an adapter is known by."""


SYSTEM = f"<|im_start|>system\nplay or buy or paint the wall or the thing{END}\n"


def shared(text: str) -> str:
    return f"{SYSTEM}<|im_start|>user\n{text}{END}\n"


def ask(text: str, words: Sequence[str], lead: str = "what: ") -> Ask:
    return Ask(CONTROL, shared(text), lead, options=tuple(Option(w, w) for w in words))


def some_asks() -> list[Ask]:
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=k)) for k in (1, 3, 30, 7, 12)]
    return [a for t in texts for a in (ask(t, FEW), ask(t, MANY, "size: "))]


def alone(network: CausalNetwork, asked: Ask) -> torch.Tensor:
    """By the model's own forward, option by option."""
    prompt = prompt_ids(network.base.tokenizer, asked.shared, asked.lead)
    found = []
    for option in asked.options:
        ids = answer_ids(network.base.tokenizer, option.words, END)
        with torch.inference_mode():
            table = network.model(torch.tensor([prompt + ids])).logits[0].log_softmax(-1)
        found.append(sum(float(table[len(prompt) - 1 + i, t]) for i, t in enumerate(ids)))
    return torch.tensor(found)


@pytest.mark.parametrize("name", CAUSAL)
def test_in_any_batch_it_is_what_the_model_says_of_each_alone(name: str) -> None:
    network = CausalNetwork(causal_base(name))
    network.activate(Key(), {})
    asks = some_asks()
    want = [alone(network, a) for a in asks]
    for order in (range(10), [0], [9, 2], [3, 3], range(9, -1, -1)):
        have = score(network, [asks[i] for i in order], END)
        for i, table in zip(order, have, strict=True):
            assert torch.allclose(table, want[i], atol=1e-3)


def test_what_is_remembered_of_one_adapter_is_not_used_for_another(llama: Base) -> None:
    network = CausalNetwork(llama)
    tensors = {"a": network.prepare({}), "b": network.prepare(causal_tensors(llama, 1))}
    keys = {"a": Key(), "b": Key()}
    asks = some_asks()
    for name in "abba":
        network.activate(keys[name], tensors[name])
        for table, asked in zip(score(network, asks[:4], END), asks, strict=False):
            assert torch.allclose(table, alone(network, asked), atol=1e-3)
    assert len(network.remembered) == 2
    del keys["a"]
    network.activate(keys["b"], tensors["b"])
    assert len(network.remembered) == 1  # gone with its adapter


def test_what_rows_have_in_common_is_read_once(
    llama: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = CausalNetwork(llama)
    network.activate(Key(), {})
    read: list[int] = []
    states = network.states
    monkeypatch.setattr(
        network, "states", lambda ids, *rest: read.append(ids.numel()) or states(ids, *rest)
    )
    for text in ("play a song", "buy a coat", "paint a wall"):
        score(network, [ask(text, FEW)], END)
    assert len(read) == 4  # the second had to read the common piece by itself
    assert read[1] > 8 and max(read[2:]) < read[0]


def test_labels_are_cut_into_tokens_and_a_tree_once(
    llama: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = CausalNetwork(llama)
    network.activate(Key(), {})
    made: list[str] = []
    cut, grow = scoring.answer_ids, scoring.make_trie
    monkeypatch.setattr(scoring, "answer_ids", lambda *a: made.append("cut") or cut(*a))
    monkeypatch.setattr(scoring, "make_trie", lambda *a: made.append("tree") or grow(*a))
    words = [f"{w} once more" for w in WORDS[:5]]
    first = score(network, [ask("play a song", words)], END)
    assert sorted(made) == [*["cut"] * 5, "tree"]
    again = score(network, [ask("play a song", words)], END)
    assert len(made) == 6 and torch.allclose(first[0], again[0], atol=1e-5)


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("margin", [0.0, 2.0, 6.0, 500.0])
def test_ends_that_cannot_count_are_left_out_and_the_rest_is_exact(
    name: str, margin: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "OWN_NODES", 4)
    network = CausalNetwork(causal_base(name))
    network.activate(Key(), {})
    asks = [a for a in some_asks() if len(a.options) > 6]
    asks += [ask("play", (*FEW, "play the wall and the thing")), *some_asks()[:3]]
    margins = [margin] * (len(asks) - 1) + [math.inf]
    want = score(network, asks, END)
    have = score(network, asks, END, margins)
    short = 0
    for exact, told in zip(want[:-1], have[:-1], strict=True):
        assert told.argmax() == exact.argmax()
        near = exact >= exact.max() - margin
        assert torch.allclose(told[near], exact[near], atol=1e-3)
        left = ~torch.isclose(told, exact, atol=1e-3)
        assert bool((told[left] + packed.END >= exact[left] - 1e-3).all())  # at most, less an end
        assert bool((told[left] + packed.END <= exact.max() - margin + 1e-3).all())
        short += int(left.sum())
    assert torch.allclose(have[-1], want[-1], atol=1e-3)
    assert (short > 0) == (margin < 100)


def test_options_too_many_for_one_row_are_scored_in_several(
    llama: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = CausalNetwork(llama)
    network.activate(Key(), {})
    asked = ask("play a song", MANY)
    want = score(network, [asked], END)[0]
    monkeypatch.setattr(scoring, "ROW_TOKENS", 40)
    monkeypatch.setattr(scoring, "BATCH_TOKENS", 100)
    assert torch.allclose(score(network, [asked], END)[0], want, atol=1e-3)


def test_a_prompt_longer_than_the_base_reads_is_cut_and_scored(llama: Base) -> None:
    network = CausalNetwork(llama)
    network.activate(Key(), {})
    texts = ["👋🏽 " * 400, "play the song " * 400, "play"]
    tables = score(network, [ask(t, (*FEW, "x" * 5000)) for t in texts], END)
    assert all(torch.isfinite(t).all() and len(t) == len(FEW) + 1 for t in tables)


def test_nothing_to_choose_from_is_an_empty_table(llama: Base) -> None:
    network = CausalNetwork(llama)
    network.activate(Key(), {})
    assert [t.tolist() for t in score(network, [ask("play", ())], END)] == [[]]
    assert score(network, [], END) == []
