"""Where a training stands, in one file that is whole or not there.

Beside the candidate's staging folder and named by the recipe, so that a training that was killed
is found again by its next try; the store sweeps it an hour after it was last written. Safetensors,
not pickles (law 9).
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class Begun:
    """What an earlier fit of a training has found on rows held back, by control: the temperature
    that suits them, and the share of them that it answered rightly."""

    temperatures: Mapping[str, float] = field(default_factory=dict)
    right: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stand:
    """How far a training has come. `plan`: digest of the planned steps, so that another plan does
    not go on from here; `stage`: which fit of the training; `tokens`: what a part may hold since
    memory ran out; `temperatures`, `right`: of Begun."""

    plan: str
    stage: str
    step: int
    tokens: int
    temperatures: Mapping[str, float] = field(default_factory=dict)
    right: Mapping[str, float] = field(default_factory=dict)


def folder_beside(out: Path, recipe_id: str) -> Path:
    """The checkpoint's folder of a candidate that is written to `out`."""
    return out.parent / f".checkpoint-{recipe_id[:16]}"


class Keeper:
    """Writes and reads the checkpoint of one training. `folder` None: nothing is kept.
    `every_s`: seconds between two checkpoints; 0: after each step."""

    def __init__(self, folder: Path | None, every_s: float) -> None:
        self._folder = folder
        self._every_s = every_s
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to keep where the training stands."""
        return self._folder is not None and time.monotonic() - self._last >= self._every_s

    def keep(self, stand: Stand, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put the checkpoint in the place of the last one."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / FILE
        fresh = path.with_suffix(".new")
        ready = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        save_file(ready, fresh, metadata={"stand": json.dumps(asdict(stand))})
        with fresh.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(fresh, path)
        self._last = time.monotonic()

    def last(self) -> tuple[Stand, dict[str, torch.Tensor]] | None:
        """Where a training of this recipe stood; None where there is nothing that can be read."""
        if self._folder is None:
            return None
        try:
            with safe_open(self._folder / FILE, "pt") as handle:
                stand = Stand(**json.loads((handle.metadata() or {})["stand"]))
                names: Any = handle.keys()
                return stand, {name: handle.get_tensor(name) for name in names}
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None

    def forget(self) -> None:
        """Remove the checkpoint, once what was trained is written elsewhere."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
