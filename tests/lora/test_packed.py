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
        assert packed == len(packable(tiny, HALF)) - 2 * len(network._joint)
        found = [e.vector for e in network.encode(TEXTS)]
        for seed in (1, 2):
            network.activate(seed, tensors_of(tiny, seed))
            found += [e.vector for e in network.encode(TEXTS)]
        network.activate("off", {})
        return found + [e.vector for e in network.encode(TEXTS)]

    assert packable(tiny, HALF)
    packed = said()
    with monkeypatch.context() as patched:
        patched.setattr("lora.network.joints", lambda model: {})
        apart = said()
    monkeypatch.setattr("lora.weights.can_pack", lambda dtype, device: False)
    assert not packable(tiny, HALF)
    for one, other, plain in zip(packed, apart, said(), strict=True):
        assert torch.equal(one, other) and torch.equal(one, plain)


@needs_bf16
def test_a_blocks_query_key_and_value_lie_in_one_where_that_says_the_same(
    tiny: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(tiny, HALF)
    twin = network.twin()
    blocks = len(tiny.model.encoder.layer)
    assert len(network._joint) == len(twin._joint) == blocks
    tensors = tensors_of(tiny, 1)
    made = network.prepare(tensors)
    asked = {n: t for n, t in tensors.items() if ".value." in n}
    for weights in (made, network.prepare(asked), network.prepare({})):
        for one in (network, twin):
            one.activate(object(), weights)
        pairs = zip(network.encode(TEXTS), twin.encode(TEXTS), strict=True)
        assert all(torch.equal(a.vector, b.vector) for a, b in pairs)
    assert network.plain_bytes == twin.plain_bytes
    want = [e.vector for e in network.encode(TEXTS)]

    monkeypatch.setattr("lora.network.tried", lambda run, model: [torch.randn(3)])
    other = Network(tiny, HALF)  # says that they differ
    assert not other._joint and not other.twin()._joint
    found = [e.vector for e in other.encode(TEXTS)]
    assert all(map(torch.equal, found, want))
    with pytest.raises(ValueError, match="another network"):
        other.activate("made for joint ones", made)


def test_only_what_gains_is_packed(tiny: Base) -> None:
    assert not packable(tiny, Mode())
    assert not packable(tiny, Mode(False, torch.bfloat16))
    assert not can_pack(torch.bfloat16, "cuda")
