"""What ops do by hand: look at versions, promote one, roll back. Each is one move of CURRENT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lora.adapter import Manifest
from lora.store import ProjectStore


class Impossible(Exception):
    """What was asked for cannot be done; the message says why and what would do."""


class NoSuchVersion(Impossible):
    """The project has no complete version of that name."""


@dataclass(frozen=True)
class Moved:
    """CURRENT was moved by a person."""

    before: str | None
    now: str | None

    def to_dict(self) -> dict[str, Any]:
        return {"before": self.before, "version": self.now}


def versions(store: ProjectStore) -> list[dict[str, Any]]:
    """Every complete version, oldest first, with its holdout score and what became of it."""
    current, withdrawn = store.current().version, store.withdrawn()
    return [_describe(store, m, current, withdrawn) for m in store.versions()]


def _describe(
    store: ProjectStore, m: Manifest, current: str | None, withdrawn: frozenset[str]
) -> dict[str, Any]:
    verdict = store.verdict(m.recipe.snapshot) or {}
    state = "kept back"
    if m.version == current:
        state = "serving"
    elif m.version in withdrawn:
        state = "rolled back"
    elif m.version in store.served():
        state = "replaced"
    return {
        "version": m.version,
        "state": state,
        "labels": m.labels,
        "holdout": (m.scores.get("candidate") or {}).get("mean"),
        "blind_labels": m.scores.get("holdout"),
        "parent": m.parent,
        "snapshot": m.recipe.snapshot,
        "reason": verdict.get("reason"),
        "created_at": m.created_at,
    }


def promote(store: ProjectStore, version: str, who: str) -> Moved:
    """Make a version serve because a person says so; lifts a rollback of it.

    Raises Impossible when there is no such complete version or it serves already.
    """
    known_version(store, version)
    before = store.current().version
    if before == version:
        raise Impossible(f"{version} serves already")
    store.move_current(before, version, by=who, why="promoted by hand", by_hand=True)
    store.set_withdrawn(version, False)
    return Moved(before, version)


def known_version(store: ProjectStore, version: str) -> None:
    """Raises NoSuchVersion where the project has no such complete version, naming those it has."""
    known = [m.version for m in store.versions()]
    if version not in known:
        has = ", ".join(known) or "none"
        raise NoSuchVersion(f"project {store.name} has no version {version!r}; it has {has}")


def rollback(store: ProjectStore, who: str, to: str | None = None) -> Moved:
    """Serve an earlier version again, or the cold start; the one left is marked as rolled back.

    Without `to`: the newest older version that once served, and was not rolled back itself.
    """
    before = store.current().version
    if before is None:
        raise Impossible(f"project {store.name} serves the cold start; there is nothing before it")
    if to == "cold":
        target = None
    elif to is not None:
        if to not in [m.version for m in store.versions()]:
            raise NoSuchVersion(f"project {store.name} has no version {to!r}")
        target = to
    else:
        target = _before(store, before)
    if target == before:
        raise Impossible(f"{before} serves already")
    store.set_withdrawn(before, True)
    store.move_current(before, target, by=who, why=f"rolled back from {before}", by_hand=True)
    return Moved(before, target)


def _before(store: ProjectStore, version: str) -> str | None:
    good = store.served() - store.withdrawn()
    number = int(version[1:].split("-")[0])
    for manifest in reversed(store.versions()):
        if manifest.number < number and manifest.version in good:
            return manifest.version
    return None
