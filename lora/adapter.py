"""An adapter version: an immutable folder, and the manifest that was written last.

The manifest says what the adapter is a function of (base revision, snapshot, settings, seed),
and carries each file's SHA-256, so that a truncated or altered folder is noticed before it serves.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lora.errors import BrokenAdapter, NewerFormat
from lora.scores import check_scores

MANIFEST = "manifest.json"
VERSION = re.compile(r"^v(\d+)-[0-9a-f]{8}$")
Step = Callable[[dict[str, Any]], dict[str, Any]]
UPGRADES: tuple[Step, ...] = ()
"""Step n makes a manifest of format n one of n+1 when it is read; the file stays as it was written
(docs/decisions/0013). One that was released is never changed."""
FORMAT = 1 + len(UPGRADES)
ALLOWED_SUFFIXES = {".safetensors", ".json", ".md"}
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Recipe:
    """Everything an adapter is a function of (law 3). `settings` are the fit's own, JSON-able."""

    base: str
    base_revision: str
    snapshot: str
    settings: Mapping[str, Any]
    seed: int

    @property
    def id(self) -> str:
        """Hex SHA-256 of the recipe; the first eight digits end the version's name."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Manifest:
    """The card's machine-readable half. `scores` are the judge's numbers on the holdout."""

    version: str
    number: int
    recipe: Recipe
    schema: str
    config: str
    files: Mapping[str, str]
    labels: int
    parent: str | None
    scores: Mapping[str, Any]
    created_at: str
    format: int = FORMAT

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, indent=1, ensure_ascii=False)

    @staticmethod
    def read(folder: Path) -> Manifest:
        """The manifest of a version folder; raises BrokenAdapter when it is not a complete one."""
        path = folder / MANIFEST
        try:
            raw = _upgraded(path, json.loads(path.read_text(encoding="utf-8")))
            raw["recipe"] = Recipe(**raw["recipe"])
            manifest = Manifest(**raw)
            _check_kinds(manifest)
            _check_names(manifest, folder)
            check_scores(manifest.scores)
        except FileNotFoundError as error:
            raise BrokenAdapter(
                f"{folder.name} has no {MANIFEST}: it was never finished"
            ) from error
        except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
            raise BrokenAdapter(f"{path} cannot be read: {error}") from error
        return manifest


def _upgraded(path: Path, raw: dict[str, Any]) -> dict[str, Any]:
    """A manifest of any released format as one of this program's; the format is looked at first,
    since a later one may look like nothing we know. Raises BrokenAdapter, KeyError, TypeError."""
    found, known = raw["format"], 1 + len(UPGRADES)
    if type(found) is not int or not 1 <= found <= known:
        kind = NewerFormat if type(found) is int and found > known else BrokenAdapter
        raise kind(f"{path} has format {found}; this program reads up to {known}")
    for step in UPGRADES[found - 1 :]:
        raw = step(raw)
    return {**raw, "format": known}


def _check_kinds(manifest: Manifest) -> None:
    """Raises TypeError where JSON brought something else than what this program writes: one odd
    manifest must cost its own version alone."""
    numbers = (manifest.number, manifest.labels, manifest.format, manifest.recipe.seed)
    words = (manifest.version, manifest.schema, manifest.config, manifest.created_at)
    recipe = (manifest.recipe.base, manifest.recipe.base_revision, manifest.recipe.snapshot)
    parts = (manifest.files, manifest.scores, manifest.recipe.settings)
    digests = (*manifest.files.values(),) if isinstance(manifest.files, dict) else ()
    for kind, values in ((dict, parts), (int, numbers), (str, (*words, *recipe, *digests))):
        for value in values:
            if not isinstance(value, kind):
                raise TypeError(f"{str(value)[:40]!r} is no {kind.__name__}")
    if manifest.parent is not None and not isinstance(manifest.parent, str):
        raise TypeError("its parent is no version's name")


def _check_names(manifest: Manifest, folder: Path) -> None:
    """Raises ValueError where the manifest is of another version than its folder, or of a snapshot
    that the store could not have."""
    if manifest.version != folder.name:
        raise ValueError(f"it is of version {manifest.version[:40]!r}, not {folder.name}")
    if not manifest.version.startswith(f"v{manifest.number}-"):
        raise ValueError(f"{manifest.version} is not number {str(manifest.number)[:40]}")
    if not SHA256.fullmatch(manifest.recipe.snapshot):
        raise ValueError(f"snapshot {manifest.recipe.snapshot[:40]!r} is no SHA-256")


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return (
            hashlib.file_digest(handle, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else (hashlib.sha256(handle.read()).hexdigest())
        )


def digest_files(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of every file of a folder but the manifest.

    Raises BrokenAdapter on a sub-folder, a link or a file type that an adapter never has.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.name == MANIFEST:
            continue
        if path.is_symlink() or not path.is_file() or path.suffix not in ALLOWED_SUFFIXES:
            raise BrokenAdapter(
                f"{path} does not belong in an adapter; only {sorted(ALLOWED_SUFFIXES)} do"
            )
        found[path.name] = file_digest(path)
    return found


def verify(folder: Path) -> Manifest:
    """The manifest, once every file is present with the digest it names; raises BrokenAdapter."""
    manifest = Manifest.read(folder)
    found = digest_files(folder)
    for name, expected in manifest.files.items():
        if found.get(name) != expected:
            came = found.get(name, "nothing")[:12]
            raise BrokenAdapter(
                f"{folder / name} should have SHA-256 {expected[:12]}..., found {came}"
            )
    extra = sorted(set(found) - set(manifest.files))
    if extra:
        raise BrokenAdapter(f"{folder} holds files its manifest does not name: {extra}")
    return manifest
