"""Whatever LoRA a base was trained with, what is stored is plain LoRA that does the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lora.base import Base
from lora.causal.variants import Adapted, adapt, optimiser, plain
from lora.weights import Mode, prepare
from settings import VARIANTS
from tests.lora.causal.made import causal_base

IDS = torch.tensor([[5, 9, 17, 30, 44, 7]])


def trained(base: Base, variant: str) -> Adapted:
    """A variant after some steps towards nothing in particular."""
    torch.manual_seed(0)
    adapted = adapt(base, variant, 4)
    steps = optimiser(adapted, 1e-2)
    for n in range(5):
        steps.zero_grad()
        (adapted.model(input_ids=IDS + n).logits.float() ** 2).mean().backward()
        steps.step()
    return adapted


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits.float()  # type: ignore[no-any-return]


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_what_is_stored_does_what_was_trained(variant: str) -> None:
    base = causal_base("llama")
    before = logits(base.model)
    adapted = trained(base, variant)
    stored = plain(adapted)
    want = logits(adapted.model.eval())
    assert logits(base.model).equal(before)  # the base is nobody's to change
    for name, weight in prepare(base, Mode(), stored.tensors).merged.items():
        base.model.get_submodule(name.removesuffix(".weight")).weight = weight
    moved = float((want - before).abs().max())
    close = float((logits(base.model) - want).abs().max())
    assert moved > 0.01 and close < (0.2 if variant == "dora" else 1e-3) * moved
    assert stored.kept > 0.9 if variant == "dora" else stored.kept == 1.0


def test_the_config_says_plain_lora_with_the_scale_that_is_served() -> None:
    base = causal_base("llama")
    config = plain(trained(base, "pissa")).config(base)
    assert config["r"] == 8 and config["lora_alpha"] == 16
    assert not config["use_rslora"] and not config["use_dora"]
    assert (
        config["init_lora_weights"] is True and config["base_model_name_or_path"] == base.upstream
    )


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_what_is_stored_is_what_other_programs_take_of_an_adapter(variant: str) -> None:
    """Read off their sources: vLLM's lora/peft_helper.py, LoRAX's adapters/lora.py and llama.cpp's
    convert_lora_to_gguf.py, which all want pairs of A and B of the base's own linear layers, scaled
    by alpha / r; the converter ends at any other tensor, vLLM at DoRA and saved modules, LoRAX
    drops a kind of layer that one block lacks, and llama.cpp does not know rsLoRA's scale."""
    base = causal_base("llama")
    stored = plain(adapt(base, variant, 4))
    config, weights = stored.config(base), base.model.state_dict()
    found: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in stored.tensors.items():
        layer, _, matrix = name.removeprefix("base_model.model.").partition(".lora_")
        found.setdefault(layer, {})[matrix] = tensor
    assert sorted(found) == sorted(config["target_modules"])
    for layer, pair in found.items():
        assert set(pair) == {"A.weight", "B.weight"}
        assert pair["A.weight"].shape[0] == pair["B.weight"].shape[1] == config["r"]
        whole = pair["B.weight"] @ pair["A.weight"]
        assert whole.shape == weights[f"{layer}.weight"].shape
    kinds = [{n.split(".", 3)[3] for n in found if f".layers.{i}." in n} for i in (0, 1)]
    assert kinds[0] == kinds[1] and len(kinds[0]) == 7
    assert config["peft_type"] == "LORA" and config["task_type"] == "CAUSAL_LM"
    assert config["lora_alpha"] == 2 * config["r"] and config["bias"] == "none"
    assert not config["use_dora"] and not config["use_rslora"] and not config["fan_in_fan_out"]
    others = ("modules_to_save", "alora_invocation_tokens", "rank_pattern", "alpha_pattern")
    assert not any(config[key] for key in others)


def test_lora_plus_teaches_b_faster() -> None:
    groups = optimiser(adapt(causal_base("llama"), "lora+", 4), 1e-3).param_groups
    assert sorted({g["lr"] for g in groups if g["params"]}) == [1e-3, 16e-3]
