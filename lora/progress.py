"""How far a training is, for people who watch: `progress.json` beside the trainer's lock.

Written often, read often, and nothing depends on it. It counts only while somebody holds the lock;
what a killed trainer left is overwritten by the next one.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lora.atomic import read_json
from lora.errors import BrokenFile

log = logging.getLogger(__name__)

PROGRESS = "progress.json"
OFTEN_S = 1.0  # between two notes of one stage


class Progress:
    """One training's notes, in a project's folder."""

    def __init__(self, folder: Path, snapshot: str) -> None:
        self._path = folder / PROGRESS
        self._began = time.time()
        self._now: dict[str, Any] = {"snapshot": snapshot}
        self._noted = 0.0

    def stage(self, name: str) -> None:
        """Say which part of the work begins: load, fit, judge."""
        whose = {"snapshot": self._now["snapshot"], "began": self._began}
        self._now = {**whose, "stage": name, "stage_began": time.time()}
        self._write()
        self._noted = 0.0  # its first step is noted at once

    def step(self, done: int, of: int, loss: float | None = None) -> None:
        """So many of the optimiser's steps are done; `loss`: of the last ones."""
        self._now |= {"step": done, "of": of} | ({} if loss is None else {"loss": loss})
        if done >= of or time.monotonic() - self._noted >= OFTEN_S:
            self._write()

    def _write(self) -> None:
        """Not durable, and a full disk does not stop a training: it is for eyes alone."""
        self._noted = time.monotonic()
        fresh = self._path.with_name(f".{PROGRESS}.new")
        try:
            fresh.write_text(json.dumps({**self._now, "at": time.time()}), encoding="utf-8")
            os.replace(fresh, self._path)
        except OSError as error:
            log.warning("the progress is not noted: %s", error.strerror)


def read_progress(folder: Path, snapshot: str | None = None) -> Mapping[str, Any] | None:
    """The last note in a project's folder; None where there is none, or it is of another training
    than that of `snapshot`."""
    try:
        found = read_json(folder / PROGRESS, None)
    except (BrokenFile, OSError):
        return None
    if not isinstance(found, dict) or (snapshot and found.get("snapshot") != snapshot):
        return None
    return found
