"""Backups as they lie in their folders: what is in each, when it expires, and what was forgotten
since, by its ids alone.

    HOME/backups.json                        the home's own name; folders with backups of it
    HOME/forgotten.json                      what was forgotten, ever
    FOLDER/annotune-<home>-<time>.tar.gz     one backup: backup.json first, digests.json last
    FOLDER/forgotten-<home>.json             a copy of that list, which a restore applies
"""

from __future__ import annotations

import json
import re
import secrets
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from shutil import rmtree
from typing import Any

from lora.atomic import read_json, write_atomic
from lora.errors import BrokenFile
from lora.marks import locked
from settings import Settings

FORMAT = 1
"""Of a backup; a program that reads more raises it."""
NAME = re.compile(r"^annotune-([0-9a-f]{8})-\d{8}T\d{12}Z\.tar\.gz$")
STAMP = "%Y%m%dT%H%M%S%fZ"
HEAD, DIGESTS, FORGOTTEN, REGISTER = "backup.json", "digests.json", "forgotten.json", "backups.json"
STAGE = ".backup-"
NOTE = 64_000_000  # bytes of backup.json or digests.json, at most
DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, KeyError, TypeError)


class BrokenBackup(Exception):
    """A backup is damaged or is none; the message names the file and what is wrong with it."""


class NewerBackup(BrokenBackup):
    """A later program wrote it; this one leaves it alone."""


@dataclass(frozen=True)
class Head:
    """What a backup says of itself. `at`: when its log was copied; `upto`: nothing in it is newer;
    `bytes`: what it takes on the disk once it is restored."""

    home: str
    at: str
    upto: str
    program: str
    log_schema: int
    bytes: int
    projects: Mapping[str, Mapping[str, Any]]
    format: int = FORMAT


@dataclass(frozen=True)
class Kept:
    """A backup in its folder; `expires` None: never."""

    path: Path
    head: Head
    size: int
    expires: datetime | None

    def to_dict(self) -> dict[str, Any]:
        expires = self.expires.isoformat() if self.expires else None
        named = {"file": str(self.path), "at": self.head.at, "expires": expires, "size": self.size}
        return named | {"projects": {p: dict(said) for p, said in self.head.projects.items()}}


@dataclass(frozen=True)
class Forgotten:
    """What was forgotten, by ids: `wish` names the wish (its time), `since` is when the log first
    knew of it, `until` when it was gone."""

    project: str
    kind: str
    id: int
    wish: str
    since: str | None
    until: str
    tasks: tuple[int, ...] = ()
    annotations: tuple[int, ...] = ()

    @staticmethod
    def of(raw: Mapping[str, Any]) -> Forgotten:
        """From its JSON. Raises KeyError, TypeError."""
        ids = {key: tuple(raw[key]) for key in ("tasks", "annotations")}
        return Forgotten(**{**raw, **ids})

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.id}"

    def is_in(self, head: Head) -> bool:
        """Whether a backup holds it: made after it was first seen and before it went."""
        known = self.since is not None and datetime.fromisoformat(self.since) <= _time(head.upto)
        return known and self.project in head.projects and _time(head.at) <= _time(self.until)

    def joined(self, other: Forgotten) -> Forgotten:
        """The same wish, noted twice: one that was cut off is begun again, and finds less."""
        since = min((s for s in (self.since, other.since) if s), default=None)
        until = max(self.until, other.until)
        tasks = tuple(sorted({*self.tasks, *other.tasks}))
        annotations = tuple(sorted({*self.annotations, *other.annotations}))
        named = (self.project, self.kind, self.id, self.wish, since, until)
        return Forgotten(*named, tasks, annotations)


@dataclass(frozen=True)
class Backups:
    """The backups of one home folder."""

    home: Path
    folder: Path
    keep_days: float = 30.0

    @staticmethod
    def of(settings: Settings) -> Backups:
        return Backups(settings.home, settings.backups, settings.backup.keep_days)

    # ---- the home's name, and where its backups are

    def name(self) -> str:
        """The home's own name, drawn with its first backup: a folder may hold several homes'."""
        raw = read_json(self.home / REGISTER, None)
        return str(raw["home"]) if raw else ""

    def register(self, folder: Path, name: str = "") -> str:
        """Note that a folder holds backups of this home; returns the home's name."""
        raw = read_json(self.home / REGISTER, {"home": "", "folders": []})
        own = name or raw["home"] or secrets.token_hex(4)
        folders = sorted({*raw["folders"], str(folder)})
        write_atomic(self.home / REGISTER, json.dumps({"home": own, "folders": folders}))
        return own

    def folders(self) -> list[Path]:
        """Every folder that backups of this home were written to, and the usual one."""
        raw = read_json(self.home / REGISTER, {"folders": []})
        return sorted({self.folder, *map(Path, raw["folders"])})

    def alone(self, patience_s: float = 0.0) -> AbstractContextManager[bool]:
        """Hold the home's one place of a backup; yields False when another process keeps it."""
        return locked(self.home / "backup.lock", patience_s)

    def sweep(self) -> None:
        """Remove what killed backups left; the caller is alone."""
        for path in self.home.glob(f"{STAGE}*"):
            rmtree(path)
        name = self.name()
        for folder in self.folders() if name else ():
            for path in folder.glob(f".annotune-{name}-*"):
                path.unlink()

    # ---- what there is

    def kept(self) -> list[Kept]:
        """Every backup that can be read, oldest first; of this home, or of any where it has no name
        (say, it was wiped)."""
        found = [self._kept(p) for folder in self.folders() for p in self._files(folder)]
        return sorted((k for k in found if k), key=lambda k: k.head.at)

    def unreadable(self) -> list[Path]:
        """Files under a backup's name that cannot be read: damaged, or of a newer format."""
        files = [p for folder in self.folders() for p in self._files(folder)]
        return [p for p in files if self._kept(p) is None]

    def _files(self, folder: Path) -> Iterator[Path]:
        own = self.name()
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            named = NAME.match(path.name)
            if named and own in {"", named[1]}:
                yield path

    def _kept(self, path: Path) -> Kept | None:
        try:
            head = read_head(path)
            return Kept(path, head, path.stat().st_size, self._expires(head))
        except (BrokenBackup, FileNotFoundError):
            return None

    def _expires(self, head: Head) -> datetime | None:
        return _time(head.at) + timedelta(days=self.keep_days) if self.keep_days else None

    def expire(self, folder: Path) -> list[Path]:
        """Remove from a folder what has expired, never the newest; returns what went."""
        gone: list[Path] = []
        for one in [k for k in self.kept() if k.path.parent == folder][:-1]:
            if one.expires and one.expires <= datetime.now(timezone.utc):
                one.path.unlink()
                gone.append(one.path)
        return gone

    # ---- what was forgotten

    def forgotten(self) -> list[Forgotten]:
        return read_forgotten(self.home / FORGOTTEN)

    def note(self, *gone: Forgotten) -> None:
        """Keep what was forgotten in the home's list, and in the one beside the backups."""
        write_forgotten(self.home / FORGOTTEN, gone)
        self.tell()

    def tell(self) -> list[str]:
        """Bring the lists beside the backups up to date; returns the folders where that cannot be,
        and why."""
        name, unreached = self.name(), list[str]()
        for folder in self.folders() if name else ():
            try:
                if folder.is_dir() or folder != self.folder:
                    write_forgotten(listed(folder, name), self.forgotten())
            except (OSError, BrokenFile) as error:
                unreached.append(f"{folder}: {getattr(error, 'strerror', None) or error}")
        return unreached

    def holding(self, gone: Forgotten) -> list[Kept]:
        """The backups that still hold what was forgotten."""
        return [k for k in self.kept() if gone.is_in(k.head)]


def listed(folder: Path, name: str) -> Path:
    """Where a folder has the list of what a home forgot."""
    return folder / f"forgotten-{name}.json"


def read_forgotten(path: Path) -> list[Forgotten]:
    """What a list holds; nothing where there is none. Raises BrokenFile."""
    try:
        rows = read_json(path, {"forgotten": []})["forgotten"]
        return [Forgotten.of(row) for row in rows]
    except (KeyError, TypeError) as error:
        raise BrokenFile(f"{path} holds no list of what was forgotten") from error


def write_forgotten(path: Path, more: Iterable[Forgotten]) -> None:
    """Join more into a list; an empty one says that nothing was forgotten."""
    found = {(f.project, f.wish): f for f in read_forgotten(path)}
    for one in more:
        key = (one.project, one.wish)
        found[key] = found[key].joined(one) if key in found else one
    rows = [asdict(f) for f in sorted(found.values(), key=lambda f: (f.until, f.project))]
    write_atomic(path, json.dumps({"format": FORMAT, "forgotten": rows}, indent=0))


def read_head(path: Path) -> Head:
    """What a backup says of itself. Raises BrokenBackup, NewerBackup."""
    try:
        with tarfile.open(path, "r|gz") as tar:
            first = tar.next()
            if first is None or first.name != HEAD or not first.isreg() or first.size > NOTE:
                raise BrokenBackup(f"{path} is no backup of annotune: it begins without {HEAD}")
            held = tar.extractfile(first)
            return head_of(path, held.read() if held else b"")
    except FileNotFoundError:
        raise
    except DAMAGED as error:
        raise BrokenBackup(f"{path} cannot be read as a backup: {error}") from error


def head_of(path: Path, raw: bytes) -> Head:
    """The head of these bytes; its format is looked at before anything else."""
    said = json.loads(raw)
    if said["format"] > FORMAT:
        raise NewerBackup(
            f"{path} has backup format {said['format']}, written by annotune {said['program']}; "
            f"this program reads up to {FORMAT}: restore it with that one"
        )
    return Head(**said)


def _time(iso: str) -> datetime:
    return datetime.fromisoformat(iso)
