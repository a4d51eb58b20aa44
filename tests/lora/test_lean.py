"""The short pass says what transformers' own says, bit by bit, or is not used."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import CamembertConfig, CamembertModel, ElectraConfig, ElectraModel

from lora.base import Base
from lora.lean import is_short, lean, whole
from lora.network import Network, pad
from lora.packed import can_pack
from lora.weights import Mode
from tests.lora.kinds import SIZE, kind_of
from tests.lora.made import tensors_of

ROWS = pad([[2, 5, 9, 11, 4, 3], [2, 7, 3], [2, 3]], 0)
ids, mask = ROWS["input_ids"], ROWS["attention_mask"]
HALF = pytest.param(
    torch.bfloat16,
    marks=pytest.mark.skipif(
        not can_pack(torch.bfloat16, "cpu"), reason="this processor multiplies no bfloat16"
    ),
)


def camembert() -> CamembertModel:
    return CamembertModel(CamembertConfig(vocab_size=40, intermediate_size=64, **SIZE)).eval()


def electra() -> ElectraModel:
    size = SIZE | {"intermediate_size": 64, "embedding_size": 16}
    return ElectraModel(ElectraConfig(vocab_size=40, **size)).eval()


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("dtype", [torch.float32, HALF])
@pytest.mark.parametrize("merged", [True, False])
def test_it_is_used_and_says_the_same_with_any_adapter(
    name: str, dtype: torch.dtype, merged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = kind_of(name)
    network = Network(base, Mode(merged, dtype))
    assert is_short(network._states)
    said = []
    for seed in (0, 1, 2):
        tensors = tensors_of(base, seed) if seed else {}
        network.activate(seed, tensors)
        with monkeypatch.context() as patched:
            patched.setattr("lora.weights.can_pack", lambda dtype, device: False)
            plain = Network(base, Mode(merged, dtype))
            plain.activate(seed, tensors)
            own = whole(plain.model)
        with torch.inference_mode():
            for n in (3, 1):
                assert torch.equal(network._states(ids[:n], mask[:n]), own(ids[:n], mask[:n]))
            said.append(own(ids, mask))
    assert not torch.equal(said[0], said[1])
    assert not torch.equal(said[1], said[2])


@pytest.mark.parametrize("make", [camembert, electra])
def test_others_built_so_use_it_too(make: Callable[[], torch.nn.Module]) -> None:
    torch.manual_seed(0)
    model = make()
    run = lean(model)
    assert is_short(run)
    with torch.inference_mode():
        assert torch.equal(run(ids, mask), whole(model)(ids, mask))


@pytest.mark.parametrize("name", ["deberta-v2", "modernbert", "distilbert", "albert"])
def test_what_is_built_otherwise_keeps_its_own_pass(name: str) -> None:
    assert not is_short(Network(kind_of(name))._states)


def test_a_model_that_does_something_more_keeps_its_own_pass(tiny: Base) -> None:
    class Louder(torch.nn.Module):
        """A block with one thing more than BERT's."""

        def __init__(self, block: torch.nn.Module) -> None:
            super().__init__()
            self.attention, self.output = block.attention, block.output
            self.intermediate, self._own = block.intermediate, [block]

        def forward(self, *given: object, **named: object) -> torch.Tensor:
            said: torch.Tensor = self._own[0](*given, **named)
            return said * 1.001

    model = Network(tiny).model
    assert is_short(lean(model))
    model.encoder.layer[1] = Louder(model.encoder.layer[1])
    assert not is_short(lean(model))
