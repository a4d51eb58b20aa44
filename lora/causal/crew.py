"""The processes that train together: this one alone, or those that `accelerate launch` started.

All follow the same plan; each runs its own rows of a step, and gradients are averaged. The base's
weights are spread over them as accelerate was told (FSDP; lora/causal/launch.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from lora.causal.plan import Step


class Crew(Protocol):
    """What a training loop asks of the processes it runs in."""

    rank: int
    size: int

    def wrap(self, learner: Any, optimiser: Any) -> tuple[Any, Any]:
        """The learner and its optimiser as this crew runs them."""

    def backward(self, loss: torch.Tensor) -> None:
        """Add a loss's gradients."""

    def clip(self, parameters: Sequence[Any], most: float) -> None:
        """Bound the length of the whole gradient."""


class Alone:
    """One process."""

    rank, size = 0, 1

    def wrap(self, learner: Any, optimiser: Any) -> tuple[Any, Any]:
        return learner, optimiser

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def clip(self, parameters: Sequence[Any], most: float) -> None:
        torch.nn.utils.clip_grad_norm_(list(parameters), most)


class Launched:
    """The processes of `accelerate launch`."""

    def __init__(self, device: str) -> None:
        from accelerate import Accelerator  # type: ignore[import-untyped]  # only where needed

        self._accelerator = Accelerator(cpu=device == "cpu")
        self.rank = int(self._accelerator.process_index)
        self.size = int(self._accelerator.num_processes)

    def wrap(self, learner: Any, optimiser: Any) -> tuple[Any, Any]:
        made: tuple[Any, Any] = self._accelerator.prepare(learner, optimiser)
        return made

    def backward(self, loss: torch.Tensor) -> None:
        self._accelerator.backward(loss * self.size)  # it averages; the loss is a sum's share

    def clip(self, parameters: Sequence[Any], most: float) -> None:
        self._accelerator.clip_grad_norm_(list(parameters), most)


def shares(step: Step, size: int) -> list[Step]:
    """The rows of each process; one with none would leave the others waiting for it."""
    return [step[rank::size] for rank in range(size)]


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor's whole value, where processes hold a part each."""
    gather = getattr(tensor, "full_tensor", None)
    found: torch.Tensor = gather() if gather else tensor
    return found.detach()


def like(tensor: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A whole tensor, placed and shared out as a parameter is."""
    moved = tensor.to(parameter.device)
    if not hasattr(parameter, "device_mesh"):
        return moved
    from torch.distributed.tensor import distribute_tensor

    shared: torch.Tensor = distribute_tensor(moved, parameter.device_mesh, parameter.placements)
    return shared
