"""What becomes of a candidate that passed the gate: it serves, or waits for a person, or neither.

A worker asks here; like all it does, it reads and writes the store alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from lora.adapter import Manifest
from lora.errors import BrokenAdapter, Moved, NeedsPerson, Withdrawn
from lora.marks import Waiting
from lora.moves import GATE
from lora.store import ProjectStore


@dataclass(frozen=True)
class Outcome:
    """Whether the candidate serves now, or waits for a named person; `reason`: the gate's, and what
    stood against it."""

    promoted: bool
    reason: str
    waits: bool = False


def promote_or_wait(
    store: ProjectStore, made: Manifest, champion: str | None, why: str, regulated: bool
) -> Outcome:
    """Move CURRENT to a candidate that passed the gate, where nothing but the gate need agree.

    Raises Moved when the champion is not what serves any more.
    """
    if against := nothing_new(store, made):
        return Outcome(False, f"{why}; but {against}")
    if not regulated:
        try:
            store.move_current(champion, made.version, by=GATE, why=why)
            return Outcome(True, why)
        except Withdrawn as refusal:
            return Outcome(False, str(refusal))
        except NeedsPerson:
            pass  # regulated since the snapshot was frozen
    now = store.current().version
    if now != champion:
        raise Moved(f"CURRENT is {now or 'the cold start'}, not {champion or 'the cold start'}")
    since = datetime.now(timezone.utc).isoformat()
    store.wait_for_person(Waiting(made.version, champion, made.recipe.snapshot, why, since))
    return Outcome(False, f"{why}; it waits for a named person to promote it", waits=True)


def nothing_new(store: ProjectStore, made: Manifest) -> str | None:
    """Why a candidate may not follow a version that a person rolled back: it is that version, or
    learned from no answer that this one had not learned from, though settings, seed or synthetic
    rows be others."""
    withdrawn = store.withdrawn()
    if made.version in withdrawn:
        return f"a person rolled {made.version} back: promote it by hand, or go on annotating"
    taught = _taught(store, made.recipe.snapshot)
    for other in store.versions():
        if other.version not in withdrawn or taught is None:
            continue
        before = _taught(store, other.recipe.snapshot)
        if before is not None and all(before.get(i) == row for i, row in taught.items()):
            return (
                f"{other.version} was rolled back by a person, and this one learned from no newer "
                "answer: promote it by hand, or go on annotating"
            )
    return None


def _taught(store: ProjectStore, snapshot: str) -> Mapping[str, tuple[Any, ...]] | None:
    """What the human train rows of a snapshot teach, by id; None where it is not there any more.
    What was in view, or what an expert said of an answer, makes it no newer one."""
    try:
        rows = store.snapshot(snapshot).train
    except (FileNotFoundError, BrokenAdapter):
        return None
    human = [e for e in rows if e.origin.kind == "human"]
    return {e.id: (e.texts, e.options, e.answers, e.unasked) for e in human}
