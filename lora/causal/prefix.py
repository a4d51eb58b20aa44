"""What prompts begin with alike is read once: the system's message of a project, above all.

Of each adapter the last prompt's tokens are remembered; what the next prompts share with it is
computed once and kept, for as long as the adapter itself is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lora.causal.kv import Prefix
from lora.causal.network import CausalNetwork

WORTH = 16  # tokens in common that are worth a pass of their own


@dataclass(frozen=True, eq=False)
class Memory:
    """`last`: a prompt; `prefix`: what it shared with one before, where that was worth it."""

    last: Sequence[int]
    prefix: Prefix | None = None


def shared_prefix(net: CausalNetwork, prompts: Sequence[Sequence[int]]) -> Prefix | None:
    """Keys and values that all prompts begin with, under the active adapter; None where that is
    too little. At least one token of each prompt stays outside."""
    memory = _recall(net)
    most = min(len(p) for p in prompts) - 1
    known = [memory.last] if memory else []
    count = min(common([*prompts, *known]), most)
    held = memory.prefix if memory else None
    start = held.first(min(common([*prompts, held.ids]), most)) if held else None
    if count >= (len(start) if start else 0) + WORTH:
        start = held = net.prefix(prompts[0][:count], start)
    _remember(net, Memory(list(prompts[-1]), held))
    return start if start and len(start) >= WORTH else None


def common(rows: Sequence[Sequence[int]]) -> int:
    """How many first tokens all rows have in common."""
    low, high = min(rows, key=tuple), max(rows, key=tuple)  # the two least alike
    for i, (a, b) in enumerate(zip(low, high, strict=False)):
        if a != b:
            return i
    return min(len(low), len(high))


def _recall(net: CausalNetwork) -> Memory | None:
    try:
        return net.remembered.get(net.active)
    except TypeError:  # a key that nothing can hold weakly
        return None


def _remember(net: CausalNetwork, memory: Memory) -> None:
    try:
        net.remembered[net.active] = memory
    except TypeError:
        return
