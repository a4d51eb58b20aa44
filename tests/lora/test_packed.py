"""Packed weights give the very bits that torch's own linear layer gives."""

from __future__ import annotations

import pytest
import torch

from lora.base import Base
from lora.network import Network
from lora.packed import Packed, can_pack, pack
from lora.weights import Mode, packable
from tests.lora.made import tensors_of

HALF = Mode(dtype=torch.bfloat16)
TEXTS = ["stop the music", "buy the house", "paint it red now"]

needs_bf16 = pytest.mark.skipif(
    not can_pack(torch.bfloat16, "cpu"), reason="this processor multiplies no bfloat16"
)


@needs_bf16
@pytest.mark.parametrize("rows", [1, 7, 64])
def test_a_packed_layer_says_what_a_plain_one_says(rows: int) -> None:
    torch.manual_seed(rows)
    layer = torch.nn.Linear(48, 96).to(torch.bfloat16)
    x = torch.randn(2, rows, 48, dtype=torch.bfloat16)
    with torch.inference_mode():
        want = layer(x)
        layer.__class__ = Packed
        layer._parameters["weight"] = pack(layer.weight)
        assert torch.equal(layer(x), want)


@needs_bf16
def test_a_network_packs_the_base_and_each_adapter_and_answers_alike(
    tiny: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> list[torch.Tensor]:
        network = Network(tiny, HALF)
        packed = [type(m) for m in network.model.modules()].count(Packed)
        assert packed == len(packable(tiny, HALF))
        found = [e.vector for e in network.encode(TEXTS)]
        for seed in (1, 2):
            network.activate(seed, tensors_of(tiny, seed))
            found += [e.vector for e in network.encode(TEXTS)]
        network.activate("off", {})
        return found + [e.vector for e in network.encode(TEXTS)]

    assert packable(tiny, HALF)
    packed = said()
    monkeypatch.setattr("lora.weights.can_pack", lambda dtype, device: False)
    assert not packable(tiny, HALF)
    for one, other in zip(packed, said(), strict=True):
        assert torch.equal(one, other)


def test_only_what_gains_is_packed(tiny: Base) -> None:
    assert not packable(tiny, Mode())
    assert not packable(tiny, Mode(False, torch.bfloat16))
    assert not can_pack(torch.bfloat16, "cuda")
