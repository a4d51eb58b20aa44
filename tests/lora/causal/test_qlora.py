"""QLoRA on a base in 4 bits, really on the processor at hand: it learns, is stored, and serves on
4 bits and on the whole weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lora.base import Base, load_base
from lora.causal.files import write_causal
from lora.causal.fit import RATES, fit_causal
from lora.causal.network import CausalNetwork
from lora.causal.score import score
from lora.weights import Mode
from tests.lora.causal.made import END, causal_base
from tests.lora.causal.rowed import FAST, examples, rows, schema


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    causal_base("llama", folder)
    return folder


def loss(base: Base, adapter: Path | None) -> float:
    """Mean -log p of the right option, by the code that serves."""
    network = CausalNetwork(base, Mode(merged=False, dtype=torch.float32))
    weights = network.prepare(load_file(adapter / "adapter_model.safetensors") if adapter else {})
    network.activate(weights, weights)
    some = [r for r in rows(base) if r.gold is not None]
    tables = score(network, [r.ask for r in some], END)
    chances = [torch.log_softmax(t, -1)[r.gold] for t, r in zip(tables, some, strict=True)]
    return -float(torch.stack(chances).mean())


@pytest.mark.model  # loads bitsandbytes: seconds
@pytest.mark.parametrize("variant", ["lora", "dora"])
def test_qlora_learns_and_its_adapter_serves_on_four_bits_and_on_all(
    folder: Path, tmp_path: Path, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = load_base(str(folder), quantize="nf4")
    layer = small.model.get_submodule("model.layers.0.mlp.up_proj")
    before = layer.weight.data.clone()
    monkeypatch.setitem(RATES, variant, 1e-2)  # random weights move slowly
    settings = replace(FAST, steps=60, quantize="nf4", variant=variant)
    made = fit_causal(small, schema(), examples(), [], settings)
    assert layer.weight.data.equal(before) and before.dtype == torch.uint8
    assert sum(made.losses[-5:]) < 0.5 * sum(made.losses[:5])
    write_causal(tmp_path, made)
    for base in (small, load_base(str(folder))):
        assert loss(base, tmp_path) < 0.7 * loss(base, None)
