"""One of several processes of a training, started by tests/lora/causal/test_crew.py.

`python -m tests.lora.causal.together HOW OUT`: by accelerate as `Launched` does (ddp), or with the
weights sharded by torch's own fully_shard (fsdp), to which accelerate hands FSDP 2 on GPUs only.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from safetensors.torch import save_file
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import lora.causal.learner
import lora.causal.loop
from lora.causal.checkpoint import Keeper
from lora.causal.crew import Launched
from lora.causal.fit import CausalFitted, fit_causal
from tests.lora.causal.made import causal_base
from tests.lora.causal.rowed import FAST, examples, schema


class Sharded(Launched):
    """Launched, with the weights spread over the processes."""

    def wrap(self, learner: Any, optimiser: Any) -> tuple[Any, Any]:
        mesh = init_device_mesh("cpu", (self.size,))
        names = {id(p): name for name, p in learner.named_parameters()}
        for module in learner.modules():
            if type(module).__name__ == "LlamaDecoderLayer":
                fully_shard(module, mesh=mesh)
        fully_shard(learner, mesh=mesh)
        fresh = dict(learner.named_parameters())
        for group in optimiser.param_groups:
            group["params"] = [fresh[names[id(p)]] for p in group["params"]]
        return learner, optimiser

    def backward(self, loss: torch.Tensor) -> None:
        (loss * self.size).backward()

    def clip(self, parameters: Any, most: float) -> None:
        torch.nn.utils.clip_grad_norm_(list(parameters), most)


def fitted(out: Path, crew: Any = None) -> CausalFitted:
    """A training of three steps in float32, calibrated, and gone on from its last checkpoint."""
    for module in (lora.causal.loop, lora.causal.learner):
        module.bf16_is_fast = lambda device: False  # type: ignore[attr-defined]
    settings = replace(FAST, steps=3)
    found: list[CausalFitted] = []
    for _ in range(2):  # the second time there is nothing left to do
        keeper = Keeper(out.with_suffix(".kept"), 0.0)
        base = causal_base("llama")
        found.append(
            fit_causal(base, schema(), examples(60), [], settings, crew=crew, keeper=keeper)
        )
        if crew is not None:
            torch.distributed.barrier()
    assert [len(f.losses) for f in found] == [3, 0]
    one, two = (f.plain.tensors for f in found)
    assert all(one[k].equal(two[k]) for k in one)
    return found[0]


def main() -> None:
    torch.set_num_threads(1)
    how, out = sys.argv[1], Path(sys.argv[2])
    crew = Sharded("cpu") if how == "fsdp" else Launched("cpu")
    made = fitted(out, crew)
    if crew.rank == 0:
        save_file(dict(made.plain.tensors), out)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
