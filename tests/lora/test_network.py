"""One network, one adapter at a time, and exactly what PEFT itself would compute."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel

from label_config.controls import Schema
from lora.base import Base
from lora.network import Network, pad, share
from lora.weights import Mode
from tests.lora.made import tensors_of, write_files

TEXTS = ["play the red song", "buy a coat", "x" * 70, "paint", ""]


def vectors(network: Network, texts: list[str]) -> torch.Tensor:
    return torch.stack([e.vector for e in network.encode(texts)])


def test_no_adapter_is_the_plain_base(tiny: Base) -> None:
    network = Network(tiny)
    network.activate("cold", {})
    (encoded,) = network.encode(["play the song"])
    ids = pad([tiny.tokenizer("play the song")["input_ids"]], 0)
    with torch.inference_mode():
        plain = tiny.model(**ids).last_hidden_state[0]
    assert encoded.tokens is not None
    assert torch.allclose(encoded.tokens, plain[1:-1], atol=1e-6)
    assert torch.allclose(encoded.vector, torch.nn.functional.normalize(plain.mean(0), dim=0))


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_an_adapter_computes_what_peft_computes(tiny: Base, schema: Schema, tmp_path: Path) -> None:
    write_files(tmp_path, tiny, schema, seed=1)
    names = sorted({k.split(".lora_")[0].split("model.", 2)[-1] for k in tensors_of(tiny, 1)})
    (tmp_path / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": '
        + str(names).replace("'", '"')
        + "}"
    )
    peft = PeftModel.from_pretrained(share(tiny.model), tmp_path).eval()
    network = Network(tiny)
    network.activate(1, tensors_of(tiny, 1))
    ids = pad([tiny.tokenizer("buy the blue boat")["input_ids"]], 0)
    with torch.inference_mode():
        want = peft(**ids).last_hidden_state
        have = network.model(**ids).last_hidden_state
        cold = tiny.model(**ids).last_hidden_state
    assert torch.allclose(have, want, atol=1e-5)
    assert not torch.allclose(have, cold, atol=1e-2)


@pytest.mark.parametrize("merged", [True, False])
def test_going_back_and_forth_leaves_no_trace(tiny: Base, merged: bool) -> None:
    network = Network(tiny, Mode(merged))
    seen: dict[str, torch.Tensor] = {}
    adapters = {"cold": {}, "a": tensors_of(tiny, 1), "b": tensors_of(tiny, 2, rank=8)}
    for name in ("cold", "a", "b", "a", "cold", "b", "cold"):
        network.activate(name, adapters[name])
        now = vectors(network, TEXTS)
        assert torch.equal(seen.setdefault(name, now), now)
    assert not torch.allclose(seen["a"], seen["b"], atol=1e-2)


def test_merged_and_unmerged_compute_the_same(tiny: Base) -> None:
    found = []
    for merged in (True, False):
        network = Network(tiny, Mode(merged))
        network.activate("a", tensors_of(tiny, 1))
        found.append(vectors(network, TEXTS))
    assert torch.allclose(*found, atol=1e-5)


def test_half_precision_leaves_the_base_as_it_is(tiny: Base) -> None:
    before = {n: p.clone() for n, p in tiny.model.named_parameters()}
    network = Network(tiny, Mode(dtype=torch.bfloat16))
    network.activate("a", tensors_of(tiny, 1))
    assert vectors(network, TEXTS).dtype == torch.float32
    assert network.model.dtype == torch.bfloat16
    for name, weight in tiny.model.named_parameters():
        assert weight.dtype == torch.float32 and torch.equal(weight, before[name])


def test_twins_share_the_plain_weights_and_nothing_else(tiny: Base) -> None:
    one = Network(tiny, Mode(dtype=torch.bfloat16))
    two = one.twin()
    places = [{id(p) for p in n.model.parameters()} for n in (one, two)]
    assert places[0] == places[1]
    before = vectors(two, TEXTS)
    one.activate("a", two.prepare(tensors_of(tiny, 1)))
    assert torch.equal(vectors(two, TEXTS), before)
    assert not torch.allclose(vectors(one, TEXTS), before, atol=1e-2)


def test_two_networks_of_one_base_do_not_see_each_other(tiny: Base) -> None:
    one, two = Network(tiny), Network(tiny)
    before = vectors(two, TEXTS)
    one.activate("a", tensors_of(tiny, 1))
    assert torch.equal(vectors(two, TEXTS), before)


def test_a_text_answers_the_same_alone_and_among_others(tiny: Base) -> None:
    network = Network(tiny)
    alone = torch.stack([network.encode([t])[0].vector for t in TEXTS])
    assert torch.allclose(vectors(network, TEXTS), alone, atol=1e-5)


def test_a_text_of_several_windows_keeps_all_its_pieces_in_order(tiny: Base) -> None:
    (encoded,) = Network(tiny).encode(["play the red song now " * 20])
    assert encoded.tokens is not None
    assert len(encoded.tokens) == len(encoded.pieces.ids) == 100


def test_a_refused_adapter_changes_nothing(tiny: Base) -> None:
    network = Network(tiny)
    network.activate("cold", {})
    before = vectors(network, TEXTS)
    broken = tensors_of(tiny, 1)
    last = sorted(broken)[-1]
    broken[last] = broken[last][:-1]
    with pytest.raises(ValueError, match="the weight"):
        network.activate("broken", broken)
    assert torch.equal(vectors(network, TEXTS), before)


@pytest.mark.parametrize(
    "name", ["base_model.model.nowhere.lora_A.weight", "embeddings.weight", "a.lora_A.weight"]
)
def test_tensors_of_another_base_are_refused(tiny: Base, name: str) -> None:
    with pytest.raises(KeyError):
        Network(tiny).activate("x", {name: torch.zeros(2, 2)})
