"""The store as it is at one moment, in a folder beside it: what a backup is made of.

Nothing in the store is changed in place but what writers said, which only grows: so a hard link is
a copy, and a project is held still for no longer than it takes to make links.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from lora.store import ProjectStore, Store

KEPT = {".json", ".jsonl", ".safetensors", ".md", ".key"}
PASSING = {"progress.json", "replays"}
"""What a running training says of itself; and replays, which anybody can make again."""
NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES}


def copy_store(store: Store, to: Path) -> list[str]:
    """Put all that lasts of every project under `to`; returns the projects."""
    projects = store.projects()
    for name in projects:
        place = store.project(name)
        with place.still():
            _copy(place, to / "projects" / name)
    return projects


def _copy(place: ProjectStore, to: Path) -> None:
    for folder, folders, files in os.walk(place.folder):
        here = Path(folder)
        folders[:] = [f for f in folders if _lasts(f) and not (here / f).is_symlink()]
        there = to / here.relative_to(place.folder)
        there.mkdir(parents=True)
        for name in files:
            source = here / name
            if _lasts(name) and source.suffix in KEPT and not source.is_symlink():
                with suppress(FileNotFoundError):  # a note that was taken away meanwhile
                    _link(source, there / name)


def _lasts(name: str) -> bool:
    return not name.startswith(".") and name not in PASSING


def _link(source: Path, to: Path) -> None:
    """A link, or a copy where the file system or its rules know none."""
    try:
        os.link(source, to)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copyfile(source, to)
