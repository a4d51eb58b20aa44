"""Where replays lie, and who is in there: one process at a time, and whatever forgets a project's
texts waits for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lora.marks import locked

FOLDER, LOCK = "replays", "lock"


class Busy(Exception):
    """Another process is at a replay there."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others out of a folder of replays. Raises Busy where one is in."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, 0.0) as free:
        if not free:
            raise Busy(f"another process is at a replay in {folder}")
        yield


def forget_replays(place: Path) -> bool:
    """Remove what replays keep of a project, whose texts they hold while they go on; False where
    one is at work, which gives way before its next training."""
    for lock in (place / FOLDER).rglob(LOCK):
        with locked(lock, 0.0) as free:
            if not free:
                return False
    shutil.rmtree(place / FOLDER, ignore_errors=True)
    return True
