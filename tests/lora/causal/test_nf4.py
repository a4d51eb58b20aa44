"""A base with 4 bits a weight: loaded, served beside an adapter as PEFT serves it, and merged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from lora.base import Base, load_base
from lora.causal.network import CausalNetwork
from lora.errors import BaseUnavailable
from lora.network import share
from lora.nf4 import plain
from lora.weights import Mode, pick_mode, prepare
from tests.lora.causal.made import causal_base, causal_tensors, write_causal
from tests.lora.causal.test_network import IDS, logits

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("causal")
    causal_base("llama", made)
    return made


@pytest.fixture(scope="module")
def quantised(folder: Path) -> Base:
    return load_base(str(folder), quantize="nf4")


def near(have: torch.Tensor, want: torch.Tensor) -> bool:
    """Alike but for what bf16 rounds."""
    return bool(torch.nn.functional.cosine_similarity(have, want, dim=-1).min() > 0.995)


def test_it_is_smaller_and_nearly_the_same(folder: Path, quantised: Base) -> None:
    whole = CausalNetwork(load_base(str(folder)))
    four = CausalNetwork(quantised, pick_mode(quantised))
    sizes = [
        sum(p.numel() * p.element_size() for n, p in net._weights.items() if ".layers." in n
            and p.dim() == 2)
        for net in (whole, four)
    ]  # fmt: skip
    assert sizes[1] * 3.9 < sizes[0]
    alike = torch.nn.functional.cosine_similarity(logits(four), logits(whole), dim=-1)
    assert alike.mean() > 0.7  # of random weights; those of a trained model lose far less


def test_an_adapter_beside_it_computes_what_peft_computes(
    folder: Path, quantised: Base, tmp_path: Path
) -> None:
    write_causal(tmp_path, quantised, seed=1)
    own = load_base(str(folder), quantize="nf4")  # peft's forward may reorder its weights
    peft = PeftModel.from_pretrained(share(own.model), tmp_path).eval()
    network = CausalNetwork(quantised, pick_mode(quantised))
    cold = logits(network)
    network.activate(1, causal_tensors(quantised, 1))
    with torch.inference_mode():
        want = peft(input_ids=IDS).logits[0].float()
    assert near(logits(network), want)
    assert not near(cold, want)


def test_serving_leaves_the_base_as_it_is(quantised: Base) -> None:
    before = {n: p.detach().clone() for n, p in quantised.model.named_parameters()}
    network = CausalNetwork(quantised, pick_mode(quantised))
    network.activate(1, causal_tensors(quantised, 1))
    logits(network)
    for name, weight in quantised.model.named_parameters():
        assert torch.equal(weight, before[name])


def test_twins_share_its_weights(quantised: Base) -> None:
    one = CausalNetwork(quantised, pick_mode(quantised))
    two = one.twin()
    assert [p.data_ptr() for p in one.model.parameters()] == [
        p.data_ptr() for p in two.model.parameters()
    ]
    assert torch.equal(logits(one), logits(two))


def test_it_is_merged_as_the_plain_weights_it_stands_for(quantised: Base, tmp_path: Path) -> None:
    beside = CausalNetwork(quantised, pick_mode(quantised))
    beside.activate(1, causal_tensors(quantised, 1))
    whole = replace(quantised, model=plain(quantised.model, torch.float32), quantize="")
    merged = CausalNetwork(whole, Mode())
    merged.activate(1, causal_tensors(whole, 1))
    assert near(logits(merged), logits(beside))
    merged.model.save_pretrained(tmp_path)
    assert "quantization_config" not in json.loads((tmp_path / "config.json").read_text())


def test_it_is_never_merged_in_four_bits(quantised: Base) -> None:
    assert not pick_mode(quantised, "merged").merged
    with pytest.raises(ValueError, match="serve its adapters unmerged"):
        prepare(quantised, Mode(True), {})


def test_what_cannot_be_quantised_is_refused(folder: Path, tiny_folder: Path) -> None:
    with pytest.raises(BaseUnavailable, match="nf4 is"):
        load_base(str(folder), quantize="int3")
    with pytest.raises(BaseUnavailable, match="is an encoder"):
        load_base(str(tiny_folder), quantize="nf4")
