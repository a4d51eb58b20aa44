"""A base with 4 bits a weight (NF4, Dettmers et al. 2023, arXiv:2305.14314).

The one file that knows bitsandbytes. On a CPU with bf16 instructions its kernel wants the weights
in an order of their own and puts them so at the first forward pass, in place and for good; since
such weights can be neither trained beside nor read exactly, a network that serves gets its own.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn.modules import Linear4bit, Params4bit
from transformers import BitsAndBytesConfig

from lora.errors import BaseUnavailable
from lora.weights import Pair

BLOCK = 32  # rows that the CPU kernel takes together


def settings(quantize: str, dtype: torch.dtype) -> Any:
    """What transformers loads a quantised base by; raises BaseUnavailable for an unknown word."""
    if quantize != "nf4":
        raise BaseUnavailable(f"quantize={quantize!r} is not known; nf4 is, and empty for none")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_use_double_quant=True,
    )


def is_four_bit(layer: Any) -> bool:
    return isinstance(layer, Linear4bit)


def shape_of(weight: Any) -> tuple[int, ...]:
    """A weight's shape as a matrix, 4 bits or not."""
    state = getattr(weight, "quant_state", None)
    return tuple(weight.shape if state is None else state.shape)


def whole(weight: Any) -> torch.Tensor:
    """A 4-bit weight as the float32 matrix it stands for."""
    return dequantize_4bit(weight.data, weight.quant_state).float()


def for_serving(model: Any) -> Any:
    """The model with 4-bit weights of its own on a CPU, where the kernel reorders them; all else,
    and the whole model elsewhere, is shared."""
    if model.device.type != "cpu":
        return model
    made: dict[int, Any] = {id(b): b for b in model.buffers()}
    for p in model.parameters():
        made[id(p)] = copy.deepcopy(p) if isinstance(p, Params4bit) else p
    own = copy.deepcopy(model, made).eval()
    for layer in own.modules():
        if isinstance(layer, Linear4bit):
            _put_in_order(layer)
    return own


def _put_in_order(layer: Any) -> None:
    """Have the kernel reorder a weight now, so that no later forward pass changes anything."""
    rows, columns = shape_of(layer.weight)
    if rows % BLOCK or columns % layer.weight.quant_state.blocksize:
        layer.support_avx512bf16_for_cpu = False  # it asserts this
        return
    probe = torch.zeros(1, columns, dtype=layer.compute_dtype or torch.float32)
    with torch.inference_mode():
        layer(probe)


def plain(model: Any, dtype: torch.dtype) -> Any:
    """A model like this one whose 4-bit layers are ordinary ones, to merge an adapter into."""
    made: dict[int, Any] = {id(t): t for t in (*model.parameters(), *model.buffers())}
    own = copy.deepcopy(model, made).eval()
    for name, layer in list(own.named_modules()):
        if isinstance(layer, Linear4bit):
            full = torch.nn.Linear(
                layer.in_features, layer.out_features, layer.bias is not None, "meta", dtype
            )
            full.weight = torch.nn.Parameter(whole(layer.weight).to(dtype), False)
            full.bias = layer.bias
            own.set_submodule(name, full)
    for leftover in ("hf_quantizer", "quantization_method", "is_quantized", "is_loaded_in_4bit"):
        own.__dict__.pop(leftover, None)
    own.config.__dict__.pop("quantization_config", None)
    return own


class LowRank4(Linear4bit):
    """A 4-bit layer that adds 2 B (A x) while a pair (A, 2 B) is set."""

    pair: Pair | None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        if self.pair is None:
            return y
        a, b = self.pair
        return y + torch.nn.functional.linear(torch.nn.functional.linear(x, a), b)
