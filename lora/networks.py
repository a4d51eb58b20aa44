"""Which network a base needs: an encoder's, or a causal model's."""

from __future__ import annotations

from lora.base import Base
from lora.network import Network, Tree
from lora.weights import Mode, pick_mode


def network_of(base: Base, mode: Mode | None = None) -> Tree:
    """A network around a base, in which nothing is active yet."""
    if base.kind == "encoder":
        return Network(base, mode)
    from lora.causal.network import CausalNetwork  # here: an encoder's server needs none of it

    return CausalNetwork(base, mode or pick_mode(base, "merged"))
