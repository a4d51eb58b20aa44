"""What an adapter was made of, row by row and without a text: `lineage.json` in its folder.

Each row is named by its annotation and by a digest that is keyed with the project's own secret
(HMAC-SHA256): who holds the key can tell whether a text taught a version, who has only the adapter
cannot try guesses on it. Synthetic children name parent, maker and prompt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import platform
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from label_config.snapshot_json import region_to_dict
from label_config.values import Example, Snapshot
from lora.errors import Taken
from lora.store import ProjectStore

LINEAGE, KEY = "lineage.json", "lineage.key"
LIBRARIES = ("torch", "transformers", "peft", "safetensors", "numpy", "scikit-learn")
MAKER = ("transform", "generator", "prompt", "seed", "weight", "approved_by")
ROOT = Path(__file__).parents[1]
ROOMS = ("label_config", "lora")
"""Whose code decides what comes out of a training."""


def project_key(store: ProjectStore) -> bytes:
    """The project's secret for digests, made at first use; who loses it loses only comparisons."""
    path = store.place.fetch(KEY)
    with suppress(FileNotFoundError):
        return bytes.fromhex(path.read_text(encoding="ascii"))
    with suppress(Taken):  # of two that make one the first one's stays
        store.place.create(KEY, secrets.token_hex(32), mode=0o600)
    return bytes.fromhex(store.place.fetch(KEY).read_text(encoding="ascii"))


def row_digest(key: bytes, e: Example) -> str:
    """The keyed digest of what a row says: its texts and its answers."""
    said = {"texts": dict(e.texts), "answers": [region_to_dict(r) for r in e.answers]}
    raw = json.dumps(said, sort_keys=True, ensure_ascii=True).encode()
    return hmac.new(key, raw, hashlib.sha256).hexdigest()


def lineage_of(snapshot: Snapshot, digest: str, key: bytes) -> dict[str, Any]:
    """What a training on this snapshot learns from and is judged on; the same for the same rows."""
    humans = [e for e in snapshot.examples if e.origin.kind == "human"]
    made = [e for e in snapshot.examples if e.origin.kind != "human"]
    return {
        "snapshot": digest,
        "key": hashlib.sha256(key).hexdigest()[:12],
        "rows": [
            {
                "id": e.id,
                "annotation": e.origin.annotation,
                "task": e.task,
                "side": e.side,
                "digest": row_digest(key, e),
                **({"beside": list(e.origin.beside)} if e.origin.beside else {}),
            }
            for e in humans
        ],
        "synthetic": [
            {"id": e.id, "parent": e.origin.parent, "digest": row_digest(key, e)}
            | {name: getattr(e.origin, name) for name in MAKER}
            for e in made
        ],
        "pool": len(snapshot.pool),
        "code": code_version(),
    }


@lru_cache(maxsize=1)
def code_version() -> dict[str, str]:
    """Our version and the digest of the sources that decide what a training gives, and the
    libraries it was done with."""
    sources = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(ROOT).as_posix()}\n".encode() + path.read_bytes())
    found = {"annotune": _installed("annotune") or "a checkout", "sources": digest.hexdigest()[:12]}
    found["python"] = f"{platform.python_version()} {platform.machine()}"
    return found | {name: _installed(name) or "none" for name in LIBRARIES}


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def write_lineage(folder: Path, lineage: Mapping[str, Any]) -> None:
    """Put it into an adapter's folder, beside the card."""
    text = json.dumps(lineage, sort_keys=True, indent=0)
    (folder / LINEAGE).write_text(text, encoding="ascii")


def read_lineage(store: ProjectStore, version: str) -> dict[str, Any] | None:
    """What a version was made of; of one older than this file, from its snapshot. None where
    that is gone too."""
    path = store.adapter_folder(version) / LINEAGE
    with suppress(FileNotFoundError):
        found: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
        return found
    manifest = store.manifest(version)
    if manifest is None:
        return None
    try:
        frozen = store.snapshot(manifest.recipe.snapshot)
    except FileNotFoundError:
        return None
    made = lineage_of(frozen, manifest.recipe.snapshot, project_key(store))
    return made | {"code": {}}  # today's is not what made it


def spans_of(numbers: Iterable[int]) -> str:
    """Numbers as people write them: `3-7, 9`."""
    found: list[list[int]] = []
    for n in sorted(set(numbers)):
        if found and n == found[-1][1] + 1:
            found[-1][1] = n
        else:
            found.append([n, n])
    return ", ".join(f"{a}-{b}" if b > a else str(a) for a, b in found)


def annotation_ids(lineage: Mapping[str, Any], side: str) -> Sequence[int]:
    """The annotations of one side."""
    return [r["annotation"] for r in lineage["rows"] if r["side"] == side and r["annotation"]]
