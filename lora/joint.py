"""Query, key and value of a block of BERT's kind multiplied as one.

Their three weights lie in one packed weight, one below the other, which the query's layer holds:
one product instead of three, of the very same numbers. A short text takes .93 of the time, a batch
what it took.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lora.packed import Packed, multiply

Joint = Mapping[str, tuple[str, ...]]
"""Names of weights that lie in one, by the name of the first, which holds it."""
PARTS = ("query", "key", "value")


def joints(model: Any) -> dict[str, tuple[str, ...]]:
    """The weights of each block that can lie in one: packed, with biases, all of one size."""
    found: dict[str, tuple[str, ...]] = {}
    for name, part in model.named_modules():
        layers = [getattr(part, leaf, None) for leaf in PARTS]
        packed = all(type(a) is Packed and a.bias is not None for a in layers)
        if packed and len({(a.in_features, a.out_features) for a in layers if a}) == 1:
            names = tuple(f"{name}.{leaf}.weight" for leaf in PARTS)
            found[names[0]] = names
    return found


def join(model: Any, joint: Joint, on: bool = True) -> None:
    """Say to the blocks of these weights that the query's holds all three, or that it does not."""
    for first in joint:
        part = model.get_submodule(first.removesuffix(f".{PARTS[0]}.weight"))
        biases = [getattr(part, leaf).bias.detach() for leaf in PARTS]
        part.joint_bias = torch.cat(biases) if on else None


def parts_of(own: Any, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Query, key and value [rows, heads, pieces, size of a head] of a block's attention."""
    rows, pieces, _ = x.shape
    size, bias = own.attention_head_size, getattr(own, "joint_bias", None)
    if bias is None:
        found = (layer.forward(x) for layer in (own.query, own.key, own.value))
        return tuple(part.view(rows, pieces, -1, size).transpose(1, 2) for part in found)
    shape = rows, pieces, len(PARTS), -1, size
    found = multiply(x, own.query.weight, bias).view(shape)
    return tuple(found.permute(2, 0, 3, 1, 4))
