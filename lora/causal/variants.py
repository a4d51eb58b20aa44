"""LoRA and the kinds of it that PEFT has; all of them leave the house as plain LoRA.

What serves (ours, vLLM, llama.cpp) then needs to know one form only: 2 B A beside the weights.
rsLoRA and LoRA+ are that already but for a factor; PiSSA becomes one of twice the rank, without
loss; DoRA, whose change has no low rank, is cut to the largest parts of its change.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.optimizers import create_loraplus_optimizer
from peft.utils.integrations import dequantize_module_weight

from lora.base import Base
from lora.causal.crew import whole
from lora.network import share
from lora.targets import lora_targets
from lora.weights import SCALE

PLUS_RATIO = 16.0  # LoRA+: how much faster B learns than A (the paper's)
DORA_RANKS = 4  # DoRA's change is stored with so many times the rank it was trained with
A, B = "lora_A.weight", "lora_B.weight"


@dataclass(frozen=True, eq=False)
class Adapted:
    """A PeftModel and what it started from, where that has to be taken off again (PiSSA)."""

    model: Any
    variant: str
    rank: int
    start: Mapping[str, torch.Tensor]
    checkpointing: bool = False


@dataclass(frozen=True, eq=False)
class Plain:
    """Plain LoRA by PEFT's names, scaled by SCALE. `kept`: the share of the change it holds."""

    tensors: Mapping[str, torch.Tensor]
    rank: int
    targets: tuple[str, ...]
    kept: float = 1.0

    def config(self, base: Base) -> dict[str, Any]:
        """PEFT's adapter_config.json."""
        made = LoraConfig(
            r=self.rank,
            lora_alpha=int(SCALE * self.rank),
            target_modules=list(self.targets),
            task_type="CAUSAL_LM",
            base_model_name_or_path=base.upstream,
            inference_mode=True,
        )
        return {k: sorted(v) if isinstance(v, set) else v for k, v in made.to_dict().items()}


def adapt(base: Base, variant: str, rank: int, checkpointing: bool = False) -> Adapted:
    """A PeftModel on the base's own weights (PiSSA: on copies of those it changes)."""
    targets = lora_targets(base.model)
    model = share(base.model)
    if variant == "pissa":  # takes its start off the weights, which others use
        for name in targets:
            layer = model.get_submodule(name)
            layer.weight = torch.nn.Parameter(layer.weight.detach().clone(), False)
    config = LoraConfig(
        r=rank,
        lora_alpha=int(SCALE * rank),
        target_modules=targets,
        task_type="CAUSAL_LM",
        use_rslora=variant == "rslora",
        use_dora=variant == "dora",
        init_lora_weights="pissa_niter_16" if variant == "pissa" else True,
    )
    with warnings.catch_warnings():  # peft asks transformers for a name it is about to rename
        warnings.simplefilter("ignore", FutureWarning)
        made = get_peft_model(model, config)
    for p in made.parameters():
        if p.requires_grad:
            p.data = p.data.float()
    for layer in made.modules():  # bitsandbytes would reorder the base's weights in evaluation
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
    if checkpointing:
        made.gradient_checkpointing_enable({"use_reentrant": False})
    start = _tensors(made) if variant == "pissa" else {}
    return Adapted(made, variant, rank, start, checkpointing)


def optimiser(adapted: Adapted, rate: float) -> torch.optim.AdamW:
    """AdamW without decay; LoRA+ lets B learn faster."""
    if adapted.variant == "lora+":
        made: torch.optim.AdamW = create_loraplus_optimizer(
            adapted.model, torch.optim.AdamW, lr=rate, loraplus_lr_ratio=PLUS_RATIO
        )
        return made
    learning = [p for p in adapted.model.parameters() if p.requires_grad]
    return torch.optim.AdamW(learning, lr=rate, weight_decay=0.0)


@torch.no_grad()  # type: ignore[untyped-decorator]
def plain(adapted: Adapted) -> Plain:
    """What was learned, as plain LoRA on the base's own weights."""
    tensors = _tensors(adapted.model)
    names = [k.removesuffix(A) for k in tensors if k.endswith(A)]
    targets = tuple(n.removeprefix("base_model.model.").removesuffix(".") for n in names)
    rank, kept = adapted.rank, 1.0
    if adapted.variant == "rslora":  # scaled by alpha / sqrt(rank) in training
        for n in names:
            tensors[n + B] = tensors[n + B] * adapted.rank**0.5
    elif adapted.variant == "pissa":
        rank = 2 * adapted.rank
        for n in names:
            tensors[n + A] = torch.cat([tensors[n + A], adapted.start[n + A]])
            tensors[n + B] = torch.cat([tensors[n + B], -adapted.start[n + B]], dim=1)
    elif adapted.variant == "dora":
        tensors, rank, kept = _cut(adapted, names, targets)
    ready = {k: v.contiguous() for k, v in sorted(tensors.items())}
    return Plain(ready, rank, targets, kept)


def _tensors(model: Any) -> dict[str, torch.Tensor]:
    found = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {k: whole(v).float().cpu().clone() for k, v in found.items()}


def _cut(
    adapted: Adapted, names: Sequence[str], targets: Sequence[str]
) -> tuple[dict[str, torch.Tensor], int, float]:
    """DoRA's change of each weight by its largest singular parts."""
    rank = DORA_RANKS * adapted.rank
    changes = [_change(adapted.model.base_model.model.get_submodule(t)) for t in targets]
    rank = min([rank, *(min(c.shape) for c in changes)])
    tensors: dict[str, torch.Tensor] = {}
    whole = held = 0.0
    for name, change in zip(names, changes, strict=True):
        u, s, v = torch.linalg.svd(change, full_matrices=False)
        tensors[name + A] = v[:rank]
        tensors[name + B] = u[:, :rank] * s[:rank] / SCALE
        whole, held = whole + float((s**2).sum()), held + float((s[:rank] ** 2).sum())
    return tensors, rank, held / whole if whole else 1.0


def _change(layer: Any) -> torch.Tensor:
    """What DoRA does to one weight: direction W + s B A, its rows stretched to the magnitude."""
    weight = dequantize_module_weight(layer.get_base_layer()).detach().float().cpu()
    a, b = (getattr(layer, n)["default"].weight.float().cpu() for n in ("lora_A", "lora_B"))
    moved = torch.addmm(weight, b, a, alpha=layer.scaling["default"])
    size = layer.lora_magnitude_vector["default"].weight.float().cpu()
    return moved * (size / moved.norm(dim=1)).unsqueeze(1) - weight
