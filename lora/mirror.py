"""A project's files in a bucket, and the folder here that mirrors them.

The bucket holds the same names as a folder would (`lora/store.py`). What is written goes there
first and into the mirror after it; `remote.index` says of each small file here which ETag it has
there. Versions and snapshots are never changed, so they are brought when somebody needs them, and
a version's manifest is there last: what a kill leaves half-done is debris that nobody sees.

    manifests/<version>/manifest.json   of every complete version, whether its files are here or not
    numbers/v7                          (in the bucket) who got number 7
    train.lease and others              (in the bucket) who trains, renewed while it does
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from lora.adapter import MANIFEST, VERSION, Manifest, verify
from lora.atomic import read_json, sync_folder, write_atomic
from lora.errors import BrokenAdapter, BrokenFile, Raced, StoreDown, Taken
from lora.lease import held
from lora.marks import locked
from lora.place import ADAPTERS, SNAPSHOTS, Place
from lora.s3 import S3, Listing, Missing, Seen

INDEX, MANIFESTS, NUMBERS = "remote.index", "manifests", "numbers"
MIRRORED = ("verdicts", "expansions", "doubts")
"""Folders of small files that come here whole, beside those at the top."""
FOLDERS = (*MIRRORED, ADAPTERS, SNAPSHOTS)
DEBRIS_S = 86_400.0
"""An upload that nothing was added to for a day is one that was cut off."""
REFUSED_S = 60.0
"""A version whose bytes are not its manifest's is not brought again for so long."""
LOCK_S, BRISK_S = 600.0, 2.0
"""How long we wait for another process of this machine that is at the mirror: a patient worker
while the bucket is away, say; and where what is here does meanwhile."""
WRITTEN, OWN = "expansions/written.jsonl", {"progress.json"}
"""Never leave the machine that makes them."""


class Mirror(Place):
    """One project of a bucket. `light`: the server's, which needs CURRENT, the lists and manifests
    alone. `fresh_s`: how old may be what `refresh_if_due` leaves; None: refresh alone looks."""

    def __init__(self, folder: Path, s3: S3, fresh_s: float | None, light: bool = False) -> None:
        super().__init__(folder)
        self._s3, self._fresh_s, self._light = s3, fresh_s, light
        self._under = f"projects/{folder.name}/"
        self._seen = Listing()
        self._held: dict[str, str] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self._looked, self._tried = False, float("-inf")
        self._pause = 0.0

    # ---- looking

    def refresh(self, lock_s: float = LOCK_S) -> None:
        """Have the mirror show what lies there now; a file that cannot be read keeps what it had
        here. Raises StoreDown, and BrokenFile once all others were brought."""
        self._tried = time.monotonic()
        try:
            broken = self._look(lock_s)
        except StoreDown as down:
            self.problem = str(down)
            raise
        self._pause = 0.0
        self.problem = broken
        if broken:
            raise BrokenFile(broken)

    def _look(self, lock_s: float) -> str | None:
        """Returns what is wrong with a file that did not come."""
        with self._index(lock_s) as index:
            seen = self._s3.listing(self._under, deep=not self._light)
            parts: tuple[str, ...] = ("",) if self._light else ("", *FOLDERS)
            if self._light and (_changed(seen, index) or not self._looked):
                own = self._s3.listing(f"{self._under}{ADAPTERS}/", deep=True)
                versions = {f"{ADAPTERS}/{name}": one for name, one in own.files.items()}
                seen, parts = Listing({**seen.files, **versions}, seen.now), ("", ADAPTERS)
            broken = self._bring(seen, index)
            self._drop_gone(seen, index, parts)
            self._seen, self._looked = seen, True
            return broken

    def refresh_if_due(self) -> None:
        wait = max(self._fresh_s or 0.0, self._pause)
        if self._fresh_s is None or time.monotonic() - self._tried < wait:
            return
        if time.monotonic() < self._s3.quiet_until:  # another project has just asked in vain
            self.problem = self._s3.problem
            return
        try:
            self.refresh(BRISK_S)
        except (StoreDown, BrokenFile) as problem:
            self._pause = min(30.0, max(1.0, 2 * self._pause))
            self.problem = str(problem)
            if isinstance(problem, StoreDown):
                self._s3.quiet_until = time.monotonic() + self._pause

    def _bring(self, seen: Listing, index: dict[str, str]) -> str | None:
        """Bring what changed; returns what is wrong with a file that did not come."""
        broken: str | None = None
        for name, one in sorted(seen.files.items(), key=_turn):
            if not _comes(name) or index.get(name) == one.etag:
                continue
            try:
                raw, etag = self._s3.get(self._under + name)
            except BrokenFile as error:
                broken = str(error)
            except Missing:  # gone since
                pass
            else:
                self._keep(name, raw)
                index[name] = etag
        return broken

    def _keep(self, name: str, raw: bytes) -> None:
        """Put here what was brought. What is newly forgotten takes with it what writers said of
        anything, which no bucket knows of."""
        path = self.folder / _here(name)
        known = path.stat().st_size if path.exists() else 0
        if name == "forgotten.json" and len(raw) > known:
            (self.folder / WRITTEN).unlink(missing_ok=True)
        super().write(_here(name), raw.decode("utf-8", "surrogatepass"))

    def _drop_gone(self, seen: Listing, index: dict[str, str], parts: Sequence[str]) -> None:
        """`parts`: the folders that were listed; of others nothing is known."""
        for name in [n for n in index if n not in seen.files and _part(n) in parts]:
            (self.folder / _here(name)).unlink(missing_ok=True)
            if name.endswith(f"/{MANIFEST}"):
                version = name.split("/")[1]
                shutil.rmtree(self.folder / MANIFESTS / version, ignore_errors=True)
                super().drop_version(version)
            del index[name]

    @contextmanager
    def _index(self, lock_s: float = LOCK_S) -> Iterator[dict[str, str]]:
        """Hold the mirror; the ETags by name, each set once its file is here: after a crash more is
        brought again than need be."""
        with locked(self.ensure() / "mirror.lock", lock_s) as free:
            if not free:
                raise StoreDown(
                    f"{self.folder / 'mirror.lock'} is held by another process of this machine, "
                    "which waits for the bucket"
                )
            index: dict[str, str] = read_json(self.folder / INDEX, {})
            before = dict(index)
            try:
                yield index
            finally:
                if index != before:
                    write_atomic(self.folder / INDEX, json.dumps(index, sort_keys=True))

    # ---- small files

    @contextmanager
    def alone(self) -> Iterator[None]:
        with super().alone():
            with suppress(BrokenFile):  # a swap of that file is refused; others go on
                self.refresh()
            with self._index() as index:
                self._held = dict(index)  # what a swap holds to: others may renew the mirror
            yield

    def write(self, name: str, text: str) -> None:
        self._put(name, text)

    def swap(self, name: str, text: str) -> None:
        match = self._held.get(name)
        self._held[name] = self._put(name, text, match=match, new=match is None)

    def _put(self, name: str, text: str, *, match: str | None = None, new: bool = False) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        with self._index() as index:
            etag = self._s3.put(self._under + name, raw, match=match, new=new)
            super().write(_here(name), text)
            index[name] = etag
            return etag

    def create(self, name: str, text: str, mode: int = 0o644) -> None:
        try:
            self._put(name, text, new=True)
        except Raced as error:
            raise Taken(f"{self._s3.where(self._under + name)} exists already") from error

    def remove(self, name: str) -> None:
        with self._index() as index:
            self._s3.delete(self._under + name)
            index.pop(name, None)
            super().remove(_here(name))

    # ---- snapshots and versions

    def names(self, folder: str) -> list[str]:
        self.refresh()
        own = f"{folder}/"
        found = (n[len(own) : -5] for n in self._seen.files if n.startswith(own))
        return sorted(found)

    def is_last(self, folder: str, name: str) -> bool:
        self.refresh()
        files, own = self._seen.files, f"{folder}/{name}.json"
        own_folder = [s.modified for n, s in files.items() if _part(n) == folder]
        return own in files and files[own].modified >= max(own_folder)

    def fetch(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            with self._index() as index, suppress(Missing):
                raw, etag = self._s3.get(self._under + name)
                super().write(name, raw.decode("utf-8", "surrogatepass"))
                index[name] = etag
        return path

    def versions(self) -> list[str]:
        folder = self.folder / MANIFESTS
        return [p.name for p in folder.iterdir()] if folder.is_dir() else []

    def manifest_at(self, version: str) -> Path:
        return self.folder / MANIFESTS / version

    def version(self, version: str) -> Path:
        """Brought where it is not here: each file by its manifest's SHA-256, then one rename."""
        folder = self.folder / ADAPTERS / version
        at, why = self._refused.get(version, (float("-inf"), ""))
        if time.monotonic() - at < REFUSED_S:
            raise BrokenAdapter(why)
        if not folder.exists() and (self.manifest_at(version) / MANIFEST).exists():
            manifest = Manifest.read(self.manifest_at(version))
            staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=self.ensure(ADAPTERS)))
            try:
                for name, expected in manifest.files.items():
                    self._load(version, name, expected, staging / name)
                shutil.copyfile(self.manifest_at(version) / MANIFEST, staging / MANIFEST)
                staging.chmod(0o755)
                try:
                    os.rename(staging, folder)
                except OSError:
                    if not folder.exists():  # else another process has brought it meanwhile
                        raise
                sync_folder(folder.parent)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return folder

    def _load(self, version: str, name: str, expected: str, to: Path) -> None:
        """Twice where its bytes are odd: they may have been hurt on the way."""
        if Path(name).name != name:
            raise BrokenAdapter(f"{version}: {name!r} is no file's name")
        there = f"{self._under}{ADAPTERS}/{version}/{name}"
        came = "nothing"
        for _ in range(2):
            with suppress(Missing):
                came = self._s3.load(there, to)
            if came == expected:
                with to.open("rb") as handle:
                    os.fsync(handle.fileno())
                return
        why = f"{self._s3.where(there)} should have SHA-256 {expected[:12]}..., found {came[:12]}"
        self._refused[version] = time.monotonic(), why
        raise BrokenAdapter(why)

    def claim(self, at_least: int) -> int:
        names = [n.split("/")[1] for n in self._seen.files if n.startswith(f"{ADAPTERS}/")]
        found = [int(v[1]) for v in map(VERSION.match, names) if v]
        found += [int(n[len(NUMBERS) + 2 :]) for n in self._seen.files if n.startswith(NUMBERS)]
        number = max(at_least, 1 + max(found, default=0))
        while True:
            with suppress(Raced):
                raw = os.urandom(16).hex().encode()
                self._s3.put(f"{self._under}{NUMBERS}/v{number}", raw, new=True)
                return number
            number += 1

    def publish(self, staging: Path, manifest: Manifest) -> None:
        there = f"{ADAPTERS}/{manifest.version}"
        for name in manifest.files:
            self._s3.store(f"{self._under}{there}/{name}", staging / name)
        self._put(f"{there}/{MANIFEST}", manifest.to_json(), new=True)
        super().publish(staging, manifest)

    def distrust(self, version: str) -> None:
        try:
            verify(self.folder / ADAPTERS / version)
        except BrokenAdapter:
            super().drop_version(version)

    def drop_version(self, version: str) -> None:
        """The manifest goes first: from then on it is no version."""
        self.remove(f"{ADAPTERS}/{version}/{MANIFEST}")
        shutil.rmtree(self.folder / MANIFESTS / version, ignore_errors=True)
        there = f"{self._under}{ADAPTERS}/{version}/"
        self._s3.delete(*(there + name for name in self._s3.listing(there).files))
        super().drop_version(version)

    def sweep(self) -> list[str]:
        self.refresh()
        by_version: dict[str, list[str]] = {}
        for name in self._seen.files:
            if name.startswith(f"{ADAPTERS}/"):
                by_version.setdefault(name.split("/")[1], []).append(name)
        gone: list[str] = []
        for version, names in by_version.items():
            last = max(self._seen.files[n].modified for n in names)
            whole = f"{ADAPTERS}/{version}/{MANIFEST}" in names
            if not whole and (self._seen.now - last).total_seconds() > DEBRIS_S:
                self._s3.delete(*(self._under + name for name in names))
                gone.append(version)
        return gone

    # ---- leases

    @contextmanager
    def leased(self, name: str) -> Iterator[bool]:
        with held(self._s3, f"{self._under}{name}.lease", self.folder) as ours:
            yield ours

    def is_leased(self, name: str) -> bool:
        found = self._seen.files.get(f"{name}.lease")
        if found is None:
            return False
        return (self._seen.now - found.modified).total_seconds() < self._s3.patience.lease_s


def _turn(found: tuple[str, Seen]) -> tuple[bool, datetime]:
    """The oldest first, as files here are older and newer; CURRENT once all it may name is here."""
    return found[0] == "CURRENT.json", found[1].modified


def _comes(name: str) -> bool:
    """Whether a file is mirrored whenever it changes; snapshots, keys and weights are not."""
    folder, _, file = name.rpartition("/")
    if name.startswith(f"{ADAPTERS}/"):
        return file == MANIFEST and VERSION.match(folder.partition("/")[2]) is not None
    return file.endswith(".json") and name not in OWN and (not folder or folder in MIRRORED)


def _part(name: str) -> str:
    """The project's folder that a file is in; empty at the top."""
    return name.partition("/")[0] if "/" in name else ""


def _here(name: str) -> str:
    """Where a file of the bucket lies in the mirror: manifests apart from versions, so that a
    version's folder is never there in part."""
    known = name.startswith(f"{ADAPTERS}/") and name.endswith(f"/{MANIFEST}")
    return f"{MANIFESTS}{name[len(ADAPTERS) :]}" if known else name


def _changed(seen: Listing, index: dict[str, str]) -> bool:
    """Whether anything at the top changed, so that versions may have come or gone."""
    return any(index.get(name) != one.etag for name, one in seen.files.items() if _comes(name))
