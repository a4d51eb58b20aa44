"""Where LoRA goes: found from the architecture, not from a list of models.

An encoder is a stack of equal blocks. Every linear layer inside the stack gets an adapter;
embeddings, poolers and heads lie outside it.
"""

from __future__ import annotations

from typing import Any

import torch

from lora.errors import BaseUnavailable


def lora_targets(model: Any) -> list[str]:
    """The full names of all linear layers in the model's stack of blocks, in order.

    The stack is the outermost list of modules that holds the most weights in linear layers.
    Raises BaseUnavailable when a model has none.
    """
    stacks = [n for n, m in model.named_modules() if isinstance(m, torch.nn.ModuleList)]
    outermost = [n for n in stacks if not any(n.startswith(f"{o}.") for o in stacks)]
    found = {n: _linears(model.get_submodule(n), n) for n in outermost}
    best = max(found.values(), key=lambda layers: sum(layers.values()), default={})
    if not best:
        raise BaseUnavailable(
            f"a {model.config.model_type} has no stack of blocks with linear layers; LoRA needs one"
        )
    return list(best)


def _linears(stack: torch.nn.Module, prefix: str) -> dict[str, int]:
    return {
        f"{prefix}.{name}": layer.weight.numel()
        for name, layer in stack.named_modules()
        if isinstance(layer, torch.nn.Linear)
    }
