"""Where one project's files lie: a folder, or a folder that mirrors a bucket (lora/mirror.py).

All reading is of files in `folder`. What changes a file goes through here, so that a place others
share gets it first: no other file of this house writes, renames or removes in a project's folder
but what never leaves its machine (locks, staging, progress, replays, what writers said).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from lora.adapter import MANIFEST, VERSION, Manifest
from lora.atomic import sync_folder, write_atomic
from lora.errors import Taken

SNAPSHOTS, ADAPTERS = "snapshots", "adapters"


class Remote(Protocol):
    """What a mirror's root is told of the bucket."""

    @property
    def address(self) -> object: ...

    problem: str | None
    answered: float

    def folders(self, under: str) -> list[str]: ...


class Place:
    """A plain folder: what is written there is where everybody reads it."""

    problem: str | None = None
    """Why what is read here may be older than what others wrote; a folder is never older."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def refresh(self) -> None:
        """Have the folder show what others wrote; raises StoreDown."""

    def refresh_if_due(self) -> None:
        """The same where the last look is older than the settings allow; never raises: `problem`
        says why what is there is older."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the project's files for a change that reads before it writes. Of a bucket that
        holds on this machine only: there `swap` notices who was quicker."""
        with (self.ensure() / "store.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def ensure(self, *parts: str) -> Path:
        """A folder of the project, made where it is missing."""
        folder = self.folder.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # ---- small files, by their names in the project's folder

    def write(self, name: str, text: str) -> None:
        """Write a file whole; the last one written counts."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)

    def swap(self, name: str, text: str) -> None:
        """The same within `alone`, unless somebody changed the file since it was read: raises
        Raced."""
        self.write(name, text)

    def create(self, name: str, text: str, mode: int = 0o644) -> None:
        """Write a file that is never changed; raises Taken where there is one already."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            os.link(temporary, path)  # of two that make one the first one's stays
        except FileExistsError as error:
            raise Taken(f"{path} exists already") from error
        finally:
            temporary.unlink()
        sync_folder(path.parent)

    def remove(self, name: str) -> None:
        """Take a file away; one that is gone stays gone."""
        (self.folder / name).unlink(missing_ok=True)

    # ---- snapshots and versions, which are never changed

    def names(self, folder: str) -> list[str]:
        """The names of all files of one of the project's folders, without their ending."""
        return sorted(p.stem for p in (self.folder / folder).glob("*.json"))

    def is_last(self, folder: str, name: str) -> bool:
        """Whether no file of a folder was written after this one."""
        own = self.folder / folder
        when = (own / f"{name}.json").stat().st_mtime_ns
        return all(p.stat().st_mtime_ns <= when for p in own.glob("*.json"))

    def fetch(self, name: str) -> Path:
        """Where a file lies that is never changed, once it is here; it may not exist."""
        return self.folder / name

    def version(self, version: str) -> Path:
        """Where a version lies, once it is here, whole; it may not exist. Raises StoreDown,
        and BrokenAdapter where its files are not those of its manifest."""
        return self.folder / ADAPTERS / version

    def versions(self) -> list[str]:
        """Names of all versions, finished or not, and of what lies beside them."""
        folder = self.folder / ADAPTERS
        return [p.name for p in folder.iterdir()] if folder.is_dir() else []

    def manifest_at(self, version: str) -> Path:
        """The folder to read a version's manifest from, without having its other files brought."""
        return self.folder / ADAPTERS / version

    def claim(self, at_least: int) -> int:
        """A number for a new version that nobody else gets, counting from `at_least`."""
        numbers = (VERSION.match(p.name) for p in self.ensure(ADAPTERS).iterdir())
        return max(at_least, 1 + max((int(found[1]) for found in numbers if found), default=0))

    def publish(self, staging: Path, manifest: Manifest) -> None:
        """Make a staging folder the version that its manifest names; the manifest is written last.
        Its files are on the disk already."""
        write_atomic(staging / MANIFEST, manifest.to_json())
        staging.chmod(0o755)
        os.rename(staging, self.folder / ADAPTERS / manifest.version)
        sync_folder(self.folder / ADAPTERS)

    def distrust(self, version: str) -> None:
        """Forget the copy of a version that does not load, so that it is brought again; a folder
        has no copies."""

    def drop_version(self, version: str) -> None:
        """Remove a version's folder, or what is left of it."""
        folder = self.folder / ADAPTERS / version
        if folder.exists():
            shutil.rmtree(folder)

    def sweep(self) -> list[str]:
        """Remove what unfinished writers left where others meet; returns its names."""
        return []

    # ---- long work, one process at a time

    @contextmanager
    def leased(self, name: str) -> Iterator[bool]:
        """Hold a piece of work against other machines; False where one of them holds it. A folder
        is on one machine, where a lock in a file does that."""
        yield True

    def is_leased(self, name: str) -> bool:
        """Whether another machine held it when this one last looked."""
        return False
