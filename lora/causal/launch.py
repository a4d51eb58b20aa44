"""How a trainer is started: alone, or once for each GPU by `accelerate launch` with FSDP.

Imports no model library: sync starts trainers and stays light.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from settings import Train

FSDP = [
    "--use_fsdp",
    *("--fsdp_version", "2"),  # shards tensor by tensor: bf16 weights beside float32 LoRA
    *("--fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP"),
    *("--fsdp_reshard_after_forward", "true"),
    *("--fsdp_state_dict_type", "FULL_STATE_DICT"),
]


def command(module: str, settings: Train, extra: Sequence[str] = ()) -> list[str]:
    """The command line that starts `python -m module` on the GPUs that settings name; its own
    arguments follow. `extra`: more of accelerate's, before the module."""
    if settings.gpus == 1:
        return [sys.executable, "-m", module]
    launched = [sys.executable, "-m", "accelerate.commands.launch"]
    launched += ["--num_machines", "1", "--num_processes", str(settings.gpus)]
    launched += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    return [*launched, *FSDP, *extra, "-m", module]


def processes(environ: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """(rank, count) of this process among those started together."""
    return int(environ.get("RANK", "0")), int(environ.get("WORLD_SIZE", "1"))


def is_main(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process writes, judges and reports; the others only help to fit."""
    return processes(environ)[0] == 0
