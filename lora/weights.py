"""An adapter made ready for a network, away from the lane: merged weights, or pairs beside them.

merged: each adapter has its own copy of the weights it changes, base + 2 B A; a forward pass costs
what the base's costs. unmerged: A and B stay small beside the one copy; each linear layer adds
2 B (A x), which made a forward of MiniLM 19-34 % slower but lets a large base serve many. The 2
is an encoder's; a causal adapter's scale comes from its adapter_config.json (`scale_of`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch

from lora.base import Base, bf16_is_fast
from lora.joint import Joint
from lora.packed import can_pack, pack

SCALE = 2.0  # alpha / rank of every encoder's adapter (lora/fit.py writes it, loaded.py checks)
SMALL = 200_000_000  # parameters up to which `auto` merges

WRITTEN = frozenset(
    "peft_type peft_version task_type base_model_name_or_path inference_mode r lora_alpha "
    "lora_dropout target_modules init_lora_weights use_rslora use_dora rank_pattern "
    "alpha_pattern".split()
)
"""What an adapter_config.json of ours says; all else that PEFT knows (code of others by name, other
layers to replace) is switched off there."""
IDLE = {"megatron_core": "megatron.core", "qalora_group_size": 16}  # written, and used by nothing

LoraTensors = Mapping[str, torch.Tensor]
"""PEFT's matrices by PEFT's names."""
Pair = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Mode:
    """How a network serves: adapters merged or beside the weights, and in which numbers."""

    merged: bool = True
    dtype: torch.dtype = torch.float32


def pick_mode(base: Base, serve: str = "auto", dtype: str = "auto") -> Mode:
    """A Mode from settings.Backend's words: merged|unmerged|auto and float32|bfloat16|auto."""
    small = sum(p.numel() for p in base.model.parameters()) < SMALL
    merged = small if serve == "auto" else serve == "merged"
    merged = merged and not base.quantize  # its weights stay in 4 bits
    half = bf16_is_fast(base.model.device.type) if dtype == "auto" else dtype == "bfloat16"
    return Mode(merged, torch.bfloat16 if half else torch.float32)


@dataclass(frozen=True, eq=False)
class Weights:
    """An adapter ready for networks of one base and mode; immutable. By the weight's name either
    its `merged` replacement, or the `pairs` (A, 2 B) to add to it; `joint`: whose replacement holds
    others, too (lora/joint.py)."""

    revision: str
    mode: Mode
    merged: Mapping[str, torch.nn.Parameter] = field(default_factory=dict)
    joint: frozenset[str] = frozenset()
    pairs: Mapping[str, Pair] = field(default_factory=dict)

    @property
    def adapts(self) -> bool:
        """Whether there is an adapter at all, or only the plain base."""
        return bool(self.merged or self.pairs)

    @property
    def nbytes(self) -> int:
        both = [*self.merged.values(), *(t for pair in self.pairs.values() for t in pair)]
        return sum(t.numel() * t.element_size() for t in both)


def scale_of(config: Mapping[str, Any]) -> float:
    """What B A is multiplied by, read from an adapter_config.json.

    Raises ValueError when it is no LoRA, one with other ranks or scales for some layers, or one
    that asks for anything else that training here never writes: what is not known is not loaded.
    """
    if config.get("peft_type") != "LORA" or config.get("use_dora"):
        kind = "DoRA" if config.get("use_dora") else repr(config.get("peft_type"))
        raise ValueError(f"it is {kind}; plain LORA is served")
    for other in ("rank_pattern", "alpha_pattern"):
        if config.get(other):
            raise ValueError(f"it sets {other}; one rank and one alpha for all layers are served")
    for key, value in config.items():
        off = value in (None, False, [], {}, "none") or value == IDLE.get(key)
        if key not in WRITTEN and not off and not (key == "auto_mapping" and _names_ours(value)):
            raise ValueError(f"it sets {str(key)[:40]!r}, which is not known here")
    try:
        rank, alpha = float(config["r"]), float(config["lora_alpha"])
        return alpha / (rank**0.5 if config.get("use_rslora") else rank)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:  # 0, or hundreds of digits
        raise ValueError("it has no rank r or lora_alpha that are numbers") from error


def _names_ours(mapping: object) -> bool:
    """Whether PEFT's note of the base's class names one of transformers; nothing here imports it,
    but PEFT's own AutoPeftModel would."""
    if not isinstance(mapping, dict) or set(mapping) != {"base_model_class", "parent_library"}:
        return False
    return str(mapping["parent_library"]).startswith("transformers.models.")


def prepare(
    base: Base,
    mode: Mode,
    tensors: LoraTensors,
    scale: float = SCALE,
    joint: Joint = MappingProxyType({}),
) -> Weights:
    """Make PEFT's tensors ready; none of them: the plain base.

    Merged in float32, then cast. Raises KeyError or ValueError when they are not of this base.
    """
    if mode.merged and base.quantize:
        raise ValueError(f"base {base.name!r} is {base.quantize}; serve its adapters unmerged")
    weights = dict(base.model.named_parameters())
    pairs = _pairs(tensors)
    for name, (a, b) in pairs.items():
        _check(base, weights.get(name), name, a, b)
    if mode.merged:
        merged = {n: _merged(weights[n], a, b, scale, mode.dtype) for n, (a, b) in pairs.items()}
        for names in joint.values():
            if merged.keys() & set(names):
                merged |= {n: weights[n].to(mode.dtype) for n in names if n not in merged}
        for_packing = {n: merged.pop(n) for n in packable(base, mode) if n in merged}
        packed = pack_all(for_packing, joint)
        return Weights(base.revision, mode, merged={**merged, **packed}, joint=frozenset(joint))
    to: dict[str, Any] = {"device": base.model.device, "dtype": mode.dtype}
    return Weights(
        base.revision,
        mode,
        pairs={n: (a.to(**to), (scale * b.float()).to(**to)) for n, (a, b) in pairs.items()},
    )


def packable(base: Base, mode: Mode) -> list[str]:
    """The weights that a network of this mode holds packed: of an encoder's plain linear layers,
    where adapters are merged into them."""
    fits = mode.merged and base.kind == "encoder"
    if not fits or not can_pack(mode.dtype, base.model.device.type):
        return []
    layers = base.model.named_modules()
    return [f"{n}.weight" for n, layer in layers if type(layer) is torch.nn.Linear]


def pack_all(
    weights: Mapping[str, torch.Tensor], joint: Joint = MappingProxyType({})
) -> dict[str, torch.nn.Parameter]:
    """Weights by name, packed; those that lie in one under the name of the first."""
    inside = {name for names in joint.values() for name in names}
    whole = {f: torch.cat([weights[n] for n in ns]) for f, ns in joint.items() if f in weights}
    rest = {n: w for n, w in weights.items() if n not in inside}
    return {n: pack(w) for n, w in {**whole, **rest}.items()}


def _merged(
    weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scale: float, dtype: torch.dtype
) -> torch.nn.Parameter:
    with torch.no_grad():
        b, a = (t.to(weight.device, torch.float32) for t in (b, a))
        whole = torch.addmm(weight.float(), b, a, alpha=scale).to(dtype)
    return torch.nn.Parameter(whole, requires_grad=False)


def _check(
    base: Base, weight: torch.Tensor | None, name: str, a: torch.Tensor, b: torch.Tensor
) -> None:
    if weight is None or weight.dim() != 2:
        raise KeyError(f"adapter changes {name!r}, which base {base.name!r} has not")
    state = getattr(weight, "quant_state", None)  # of 4 bits a weight: it knows the true shape
    shape = tuple(weight.shape if state is None else state.shape)
    if (b.shape[0], a.shape[1]) != shape or a.shape[0] != b.shape[1]:
        came = f"{tuple(b.shape)} x {tuple(a.shape)}"
        raise ValueError(f"adapter of {name!r} is {came}, the weight {shape}")


def _pairs(tensors: LoraTensors) -> dict[str, Pair]:
    """PEFT's `base_model.model.X.lora_A.weight` and `...lora_B.weight` by the weight's name."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        module, _, part = key.removesuffix(".weight").rpartition(".")
        if part not in {"lora_A", "lora_B"} or tensor.dim() != 2:
            raise KeyError(f"tensor {key!r} is no LoRA matrix")
        found.setdefault(module.removeprefix("base_model.model.") + ".weight", {})[part] = tensor
    lone = sorted(name for name, pair in found.items() if len(pair) != 2)
    if lone:
        raise KeyError(f"adapter of {lone[0]!r} lacks one of its two matrices")
    return {name: (pair["lora_A"], pair["lora_B"]) for name, pair in found.items()}
