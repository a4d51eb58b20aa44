"""The store: a folder where sync, workers and the backend meet without knowing each other.

What changes a file goes through a place (lora/place.py): of a store in a bucket that is a mirror
(lora/mirror.py), whose files are read here like any folder's.

    projects/<id>/CURRENT.json      the serving version, moved only by compare-and-set
                  blind.json        task ids whose predictions are withheld
                  pool.json         a sample of unlabelled, never blind texts
                  snapshots/<hash>.json   adapters/<version>/   verdicts/<snapshot>.json
                  served.json       versions CURRENT ever named
                  moves.json        every move of CURRENT, who made it and why (lora/moves.py)
                  withdrawn.json    versions a person rolled back      asked.json   train by hand
                  quarantined.json  versions that did not load
                  waiting.json      what waits for a person      regulated.json   whether it must
                  train.lock        held by the one trainer of the project

Whatever is written appears by atomic rename after fsync; an adapter's manifest is written last, so
its presence means the folder is complete (law 8).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from label_config.snapshot_json import snapshot_from_json, snapshot_to_json
from label_config.values import Snapshot
from lora.adapter import SHA256, Manifest, Recipe, digest_files, verify
from lora.adapter import VERSION as VERSION
from lora.atomic import write_atomic as write_atomic
from lora.errors import (
    BrokenAdapter,
    BrokenFile,
    Forgotten,
    Moved,
    NeedsPerson,
    StoreDown,
    Withdrawn,
)
from lora.marks import Waiting, locked
from lora.moves import Current as Current
from lora.moves import Move, What, moves, noted
from lora.notes import Notes
from lora.place import ADAPTERS, SNAPSHOTS, Place, Remote
from lora.raced import again
from lora.shapes import read_object, read_one

PROJECT = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
STAGING = ".staging-"


class Store:
    """All projects under one root folder; `place` says how one project's files get there."""

    def __init__(
        self,
        root: Path,
        place: Callable[[Path], Place] = Place,
        remote: Remote | None = None,
        later: bool = False,
    ) -> None:
        """`remote`: what the root mirrors; `later`: whoever asks for a project looks there itself,
        so that asking never waits."""
        self.root = root
        self.remote = remote
        self._place, self._later = place, later
        self._places: dict[str, Place] = {}

    def project(self, project: str) -> ProjectStore:
        """One project's part; raises ValueError on an id that could leave the folder."""
        if not PROJECT.fullmatch(project):
            raise ValueError(f"project id {project!r} is not one; letters, digits, - and _ are")
        if project not in self._places:
            made = self._place(self.root / "projects" / project)
            self._places.setdefault(project, made)
        place = self._places[project]
        if not self._later:
            place.refresh_if_due()
        return ProjectStore(place, project)

    def projects(self) -> list[str]:
        """The names of all projects; while a bucket does not answer, of those known here."""
        folder = self.root / "projects"
        known = {p.name for p in folder.iterdir() if p.is_dir()} if folder.is_dir() else set()
        if self.remote is not None and not self._later:
            with suppress(StoreDown):  # `remote.problem` says so
                known |= set(self.remote.folders("projects/"))
        return sorted(known)


class ProjectStore(Notes):
    """One project's snapshots, adapters, verdicts, blind list and CURRENT."""

    def stamp(self) -> tuple[int, ...]:
        """Another one once CURRENT, an ask, a verdict or a quarantine has come or changed."""
        names = ("CURRENT.json", "asked.json", "verdicts", "quarantined.json", "wishes.json")
        return tuple(_changed(self.folder / n) for n in names)

    # ---- CURRENT

    def current(self) -> Current:
        """The serving version; the cold start where nothing was promoted yet."""
        return read_one(self.folder / "CURRENT.json", Current) or Current()

    @again
    def move_current(
        self,
        expect: str | None,
        to: str | None,
        by: str,
        why: str,
        by_hand: bool = False,
        *,
        what: What = "promoted",
        login: str = "",
    ) -> Current:
        """Point CURRENT at `to` if it still is `expect`, and note who did.

        By hand, marks against `to` are lifted; a version that is rolled back is marked so. Raises
        Moved when CURRENT is not `expect`, BrokenAdapter when `to` is not a complete version; and
        where this is no person, Withdrawn when one rolled `to` back or it did not load, NeedsPerson
        when the project is regulated and this is a promotion.
        """
        if to is not None:
            verify(self.adapter_folder(to))
        with self._locked():
            now = self.current()
            if now.version != expect:
                is_now, was = now.version or "the cold start", expect or "the cold start"
                raise Moved(f"CURRENT is {is_now}, not {was}")
            if to is not None and not by_hand:
                self._allow(to, what)
            if by_hand and to is not None:
                self._withdraw(to, False)
                self._quarantine(to, None)
            if by_hand and what == "rolled back" and expect is not None:
                self._withdraw(expect, True)
            if to is not None:  # noted first: whatever CURRENT ever named is in the list
                self._note_served(to)
            stamp = datetime.now(timezone.utc).isoformat()
            moved = Current(to, stamp, by, why, previous=now.version)
            move = Move(to, now.version, stamp, by, why, what, login)
            self.place.swap("moves.json", noted(self.folder, move))
            self.place.swap("CURRENT.json", json.dumps(moved.__dict__, ensure_ascii=False))
            return moved

    def _allow(self, to: str, what: What) -> None:
        if to in self.withdrawn():
            raise Withdrawn(
                f"{to} was rolled back by a person; promote it by hand or train a new one"
            )
        if to in self.quarantined():
            raise Withdrawn(f"{to} is in quarantine: {self.quarantined()[to]}")
        if what == "promoted" and self.regulated():
            raise NeedsPerson(f"project {self.name} is regulated: a named person promotes {to}")

    def moves(self) -> list[Move]:
        """Every move of CURRENT, oldest first."""
        return moves(self.folder)

    def stand_ins(self, version: str | None) -> list[str]:
        """Who may serve in its place, the best first: who served just before it, then complete
        versions before it that served once, newest first; none that a person withdrew or that did
        not load, no candidate that the gate kept back. None: in place of any."""
        bad = self.withdrawn() | set(self.quarantined()) | {version}
        found = [m for m in self.versions() if m.version in self.served() and m.version not in bad]
        if version is None:
            return [m.version for m in reversed(found)]
        now, named = self.current(), VERSION.match(version)
        first = [m.version for m in found if now.version == version and m.version == now.previous]
        older = [m.version for m in reversed(found) if named and m.number < int(named[1])]
        return list(dict.fromkeys([*first, *older]))

    @again
    def retire(self, versions: dict[str, str], snapshots: frozenset[str]) -> None:
        """Note that versions and snapshots are forgotten: no worker brings one back."""
        with self._locked():
            self._forget_snapshots(snapshots)
            self._retire(versions)

    @again
    def recall(self, digest: str) -> None:
        """Take a snapshot's mark as forgotten back, unless something is to be forgotten now."""
        if digest in self.forgotten():
            with self._locked():
                if not self.wishes():
                    self._recall(digest)

    def waiting(self) -> Waiting | None:
        """The candidate that waits for a person: one whose champion still serves, and that nobody
        rolled back meanwhile."""
        found = self._waiting()
        if found is None or self.current().version != found.champion:
            return None
        known = {m.version for m in self.versions()} - self.withdrawn() - set(self.quarantined())
        return found if found.version in known else None

    # ---- adapters

    def adapter_folder(self, version: str) -> Path:
        """Where a version lies; raises BrokenAdapter on a name that is no version."""
        if not VERSION.match(version):
            raise BrokenAdapter(f"{version!r} is not a version name such as v3-1a2b3c4d")
        return self.place.version(version)

    def manifest(self, version: str) -> Manifest | None:
        """What a complete version is a function of; None where there is no such version. Nothing
        but its manifest need be here."""
        try:
            found = Manifest.read(self.place.manifest_at(version))
        except BrokenAdapter:
            return None
        return found if found.version == version else None

    def versions(self) -> list[Manifest]:
        """The complete versions, oldest first; unfinished folders are left out."""
        found: list[Manifest] = []
        for name in self.place.versions():
            if VERSION.match(name) and (manifest := self.manifest(name)):
                found.append(manifest)
        return sorted(found, key=lambda m: m.number)

    def find(self, recipe: Recipe) -> Manifest | None:
        """The version already made from this very recipe, if there is one that loads."""
        bad = self.quarantined()
        made = (m for m in self.versions() if m.version not in bad)
        return next((m for m in made if m.recipe.id == recipe.id), None)

    def staging(self) -> Path:
        """A fresh folder to write an adapter into; debris until `commit`."""
        return Path(tempfile.mkdtemp(prefix=STAGING, dir=self._ensure(ADAPTERS)))

    def commit(
        self,
        staging: Path,
        recipe: Recipe,
        *,
        schema: str,
        config: str,
        labels: int,
        parent: str | None,
        scores: Mapping[str, Any],
    ) -> Manifest:
        """Turn a staging folder into the next version: manifest last, then one rename.

        The same recipe committed twice gives the version that is already there. Raises Forgotten
        when its snapshot went meanwhile.
        """
        with self._locked():
            if recipe.snapshot in self.forgotten():
                raise Forgotten(f"snapshot {recipe.snapshot[:8]} holds what was to be forgotten")
            existing = self.find(recipe)
            if existing:
                shutil.rmtree(staging, ignore_errors=True)
                return existing
            gone = (int(name[1:].partition("-")[0]) for name in self.retired())
            number = self.place.claim(1 + max(gone, default=0))
            manifest = Manifest(
                version=f"v{number}-{recipe.id[:8]}",
                number=number,
                recipe=recipe,
                schema=schema,
                config=config,
                files=digest_files(staging),
                labels=labels,
                parent=parent,
                scores=scores,
                created_at=datetime.now(timezone.utc).isoformat(),
            )
            for path in staging.iterdir():
                with path.open("rb") as handle:
                    os.fsync(handle.fileno())
            self.place.publish(staging, manifest)
            self._still_wanted(manifest)
            return manifest

    def _still_wanted(self, made: Manifest) -> None:
        """In a bucket somebody may have it forgotten while its files go up."""
        self.place.refresh()
        if made.recipe.snapshot in self.forgotten():
            self.place.drop_version(made.version)
            raise Forgotten(f"snapshot {made.recipe.snapshot[:8]} was to be forgotten meanwhile")

    def sweep(self, older_than_s: float = 3600) -> list[str]:
        """Remove what unfinished writers left and nobody touched for a while; returns its names."""
        gone: list[str] = []
        for path in [*self._ensure(ADAPTERS).glob(".*"), *self.folder.glob("**/.*.json.*")]:
            with suppress(FileNotFoundError):  # somebody else swept it
                if time.time() - path.stat().st_mtime > older_than_s:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    gone.append(path.name)
        return gone + self.place.sweep()

    # ---- snapshots and verdicts

    def put_snapshot(self, snapshot: Snapshot, clean: bool = False) -> str:
        """Write a snapshot under its hash and return the hash; writing it again changes nothing.

        `clean`: it was made after whatever was to be forgotten was, so that one which went for a
        text it shares may come back. Raises Forgotten.
        """
        if clean:
            self.recall(snapshot.hash)
        if snapshot.hash in self.forgotten():
            raise Forgotten(f"snapshot {snapshot.hash[:8]} holds what was to be forgotten")
        name = f"{SNAPSHOTS}/{snapshot.hash}.json"
        if not (self.folder / name).exists():
            self.place.write(name, snapshot_to_json(snapshot))
        return snapshot.hash

    def snapshots(self) -> list[str]:
        """The hashes of all snapshots."""
        return self.place.names(SNAPSHOTS)

    def drop_snapshot(self, digest: str) -> None:
        """Remove a snapshot, as what is forgotten goes."""
        self.place.remove(f"{SNAPSHOTS}/{_hex(digest)}.json")

    def snapshot(self, digest: str) -> Snapshot:
        """Read a snapshot; raises FileNotFoundError, or BrokenAdapter when the content changed."""
        try:
            path = self.place.fetch(f"{SNAPSHOTS}/{_hex(digest)}.json")
        except BrokenFile as error:
            raise BrokenAdapter(str(error)) from error
        text = path.read_text(encoding="utf-8", errors="surrogatepass")
        snapshot = snapshot_from_json(text)
        if snapshot.hash != digest:
            raise BrokenAdapter(
                f"snapshot {digest[:12]} holds other content ({snapshot.hash[:12]})"
            )
        return snapshot

    def put_verdict(self, snapshot: str, verdict: Mapping[str, Any]) -> None:
        """Write the verdict on a snapshot's candidate; the last one written counts."""
        text = json.dumps(verdict, sort_keys=True, ensure_ascii=False, indent=1)
        self.place.write(f"verdicts/{_hex(snapshot)}.json", text)

    def verdict(self, snapshot: str) -> dict[str, Any] | None:
        """The verdict on a snapshot's candidate, or None while there is none."""
        return read_object(self.folder / "verdicts" / f"{_hex(snapshot)}.json")

    def drop_verdict(self, snapshot: str) -> None:
        """Take a verdict back, so that the snapshot can be trained and judged again."""
        self.place.remove(f"verdicts/{_hex(snapshot)}.json")

    @contextmanager
    def training(self, patience_s: float = 2.0) -> Iterator[bool]:
        """Hold the project's one trainer lock; yields False when another process keeps it.

        An flock: the kernel lets go of it when the holder dies, however it dies. `patience_s`
        outlasts the moment for which `is_training` takes it to look.
        """
        with self.sole(self._ensure() / "train.lock", "train", patience_s) as ours:
            yield ours

    @contextmanager
    def sole(self, lock: Path, lease: str, patience_s: float) -> Iterator[bool]:
        """Hold a piece of the project's work against other processes of this machine, by a lock,
        and other machines, by a lease; yields False where another one holds it."""
        with locked(lock, patience_s) as free:
            if not free:
                yield False
                return
            with self.place.leased(lease) as ours:
                yield ours

    def is_training(self) -> bool:
        """True while some process holds the trainer lock."""
        with locked(self._ensure() / "train.lock", 0) as free:
            return not free or self.place.is_leased("train")


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _hex(digest: str) -> str:
    if not SHA256.fullmatch(digest):
        raise ValueError(f"{digest!r} is not a SHA-256")
    return digest
