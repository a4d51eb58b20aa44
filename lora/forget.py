"""Forgetting, as far as the store goes: snapshots, adapters that learned from them, children, pool.

A snapshot is named by its content, so one that holds a row to forget goes whole; what learned from
that row goes with it. Each step is safe to repeat; the snapshots go last, since they say what else
must go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from label_config.values import Example, Snapshot
from lora.doubts import Doubts
from lora.errors import LoraError
from lora.expansions import Expansions
from lora.store import ProjectStore


@dataclass(frozen=True)
class Lost:
    """What is to be forgotten. `texts`: whole texts of tasks, that may stand in a pool; `any_pool`:
    nobody can tell by its text, so every pool goes; `approver`: whose approvals count no longer."""

    tasks: frozenset[int] = frozenset()
    annotations: frozenset[int] = frozenset()
    texts: frozenset[str] = frozenset()
    approver: int | None = None
    any_pool: bool = False

    def rows(self, snapshot: Snapshot) -> list[Example]:
        """The rows of a snapshot that must go: the lost ones and their children."""
        own = {e.id for e in snapshot.examples if self._is_lost(e)}
        return [e for e in snapshot.examples if e.id in own or e.origin.parent in own]

    def _is_lost(self, e: Example) -> bool:
        approved = self.approver is not None and e.origin.approved_by == self.approver
        weighed = {e.origin.annotation, *(e.origin.beside or ())}
        return e.task in self.tasks or not self.annotations.isdisjoint(weighed) or approved

    def in_pool(self, snapshot: Snapshot) -> bool:
        return any(self.holds(p) for p in snapshot.pool)

    def holds(self, texts: Mapping[str, str]) -> bool:
        """Whether a text of a pool goes."""
        return self.any_pool or any(text in self.texts for text in texts.values())


@dataclass
class Found:
    """What holds lost rows: `snapshots`, and `versions` that learned from them."""

    snapshots: set[str] = field(default_factory=set)
    versions: list[str] = field(default_factory=list)
    rows: set[str] = field(default_factory=set)

    def to_dict(self) -> dict[str, Any]:
        counts = {"snapshots": len(self.snapshots), "rows": len(self.rows)}
        return {"retired": list(self.versions), **counts}


def find(store: ProjectStore, lost: Lost) -> Found:
    """Every snapshot with a lost row or text, and every version that learned from one (to have been
    judged on a row is not to have learned from it)."""
    found, taught = Found(), set[str]()
    for digest, snapshot in _snapshots(store):
        rows, pool = lost.rows(snapshot), lost.in_pool(snapshot)
        if rows or pool:
            found.snapshots.add(digest)
            found.rows |= {e.id for e in rows}
        if pool or any(e.side == "train" for e in rows):
            taught.add(digest)
    found.versions = [m.version for m in store.versions() if m.recipe.snapshot in taught]
    return found


def _snapshots(store: ProjectStore) -> Iterator[tuple[str, Snapshot]]:
    for digest in store.snapshots():
        yield digest, store.snapshot(digest)


def leave(store: ProjectStore, found: Found, by: str, why: str) -> str | None:
    """Where CURRENT learned from it: serve the newest clean version that served, or the cold start.
    Returns the version left."""
    now = store.current().version
    if now is None or now not in found.versions:
        return None
    for target in (*store.stand_ins(now), None):
        if target in found.versions:
            continue
        with suppress(LoraError):  # one that is broken: the next
            store.move_current(now, target, by=by, why=why, what="fell back")
            break
    return now


def erase(store: ProjectStore, found: Found, lost: Lost) -> None:
    """Remove all of it from the store; CURRENT names none of the versions any more."""
    at = datetime.now(timezone.utc).isoformat()
    store.retire(dict.fromkeys(found.versions, at), frozenset(found.snapshots))
    for version in store.retired():  # one that was half removed once has no manifest any more
        store.place.drop_version(version)
    Expansions(store).drop(found.snapshots)
    Doubts(store).drop(found.snapshots)
    for digest in sorted(found.snapshots):
        store.drop_verdict(digest)
    pool = store.pool()
    kept = [p for p in pool if not lost.holds(p)]
    if len(kept) < len(pool):
        store.publish_pool(kept)
    for digest in found.snapshots:
        store.drop_snapshot(digest)
    store.sweep(older_than_s=0)
