"""Memory is estimated from a config, and a refusal names what would make it fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lora.causal.memory import (
    DoesNotFit,
    Facts,
    facts_of,
    measure,
    need,
    tokens_that_fit,
)
from lora.errors import BaseUnavailable
from settings import Train
from tests.lora.causal.made import causal_base

SEVENTY = Facts(
    linear=68_450_000_000,
    other=2_100_000_000,
    learned=12_000_000,
    hidden=8192,
    inner=28_672,
    blocks=80,
    vocabulary=128_256,
)
GB = 10**9


def fits(settings: Train, free: int, device: str = "cuda") -> int:
    return tokens_that_fit(SEVENTY, settings, device, free, 4096)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lora.causal.memory.bf16_is_fast", lambda device: True)


def test_a_base_is_measured_by_its_config_alone(tmp_path: Path) -> None:
    base = causal_base("llama", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    facts = facts_of(tmp_path)
    assert facts == measure(base.model)
    total = sum(p.numel() for p in base.model.parameters())
    assert facts.linear + facts.other == total and facts.blocks == 2
    inner = base.model.config.intermediate_size
    assert facts.linear == 2 * (64 * (64 + 32 + 32 + 64) + 3 * 64 * inner)


def test_a_folder_that_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(BaseUnavailable, match="cannot be measured"):
        facts_of(tmp_path)


def test_seventy_billion_fit_one_large_gpu_only_in_four_bits() -> None:
    assert fits(Train(quantize="nf4", gradient_checkpointing=True), 80 * GB) >= 2048
    with pytest.raises(
        DoesNotFit, match=r"needs 14\d\.\d GB .*QUANTIZE=nf4 with .*CHECKPOINTING=1"
    ):
        fits(Train(), 80 * GB)


def test_the_cheapest_remedy_comes_first() -> None:
    with pytest.raises(DoesNotFit, match="; ANNOTUNE_TRAIN_GRADIENT_CHECKPOINTING=1 would"):
        fits(Train(), 170 * GB)
    assert fits(Train(gradient_checkpointing=True), 170 * GB) >= 2048


def test_what_no_setting_can_do_is_said_too() -> None:
    with pytest.raises(DoesNotFit, match="smaller base"):
        fits(Train(), 8 * GB)


def test_several_gpus_share_the_weights() -> None:
    one, four = need(SEVENTY, Train(), "cuda"), need(SEVENTY, Train(gpus=4), "cuda")
    assert four.fixed < one.fixed / 3


def test_a_pass_is_as_large_as_fits_up_to_the_devices_own_most() -> None:
    tiny = measure(causal_base("llama").model)
    assert tokens_that_fit(tiny, Train(), "cpu", 64 * GB, 512) == 2048
    free = need(tiny, Train(), "cpu").fixed + 1000 * need(tiny, Train(), "cpu").token
    assert tokens_that_fit(tiny, Train(), "cpu", free, 512) == 1000


def test_the_estimate_is_near_what_a_backward_pass_keeps() -> None:
    """Counted by autograd itself on a model of the usual proportions."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    from lora.causal.learner import CausalLearner, collate
    from tests.lora.causal.rowed import rows

    base = causal_base("llama")
    config = LlamaConfig(
        vocab_size=base.model.config.vocab_size,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    learner = CausalLearner(AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16))
    known = {p.untyped_storage().data_ptr() for p in learner.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in known:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    batch = collate(rows(base)[:8], 0, share=False)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        learner(**batch).sum()
    counted = sum(t.untyped_storage().nbytes() for t in kept.values()) / batch["input_ids"].numel()
    estimate = need(measure(learner.model), Train(), "cpu").token
    assert 0.5 * estimate < counted < 1.1 * estimate
