"""What the gate weighs a candidate by, beside the report: what it has learned that the current
adapter has not, and what its look may take of the error budget. Reads the store, and notes the look
there before anybody acts on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from label_config.values import Snapshot
from lora.adapter import Manifest, Recipe, verify
from lora.errors import BrokenAdapter, NewerFormat
from lora.expansions import Expansions
from lora.store import ProjectStore
from sync.budget import FRESH, Look, Stake, next_look, read_looks, take
from sync.gate import Learned, Verdict, judge


def weigh(
    store: ProjectStore,
    snapshot: str,
    report: Mapping[str, Any],
    current: str | None,
    *,
    least_blind: int,
    children: bool,
) -> Verdict:
    """The gate's verdict on the candidate of a snapshot, beside the version that is `current`.
    `children`: the project makes synthetic ones, so that a challenger may follow in the same round.
    Under the trainer's lock."""
    frozen = store.snapshot(snapshot)
    groups = {e.id: e.group for e in frozen.examples}
    champion = store.manifest(current) if current else None
    unseen = current if not report["scores"].get("champion") else None
    broken = unseen is not None and _is_broken(store, unseen)
    stake = FRESH
    if int(report["holdout"]) >= least_blind and (unseen is None or broken):
        stake = _take(store, snapshot, frozen, report, champion, children)
    verdict = judge(report, groups, learned(store, frozen, champion), least_blind, stake)
    if unseen is None or not verdict.promote:
        return verdict
    if broken:
        return replace(verdict, reason=f"{verdict.reason}; {unseen}, current until now, is broken")
    held = (
        f"{verdict.reason}; but {unseen}, which is current, could not be judged here (the "
        "training's notes say why) and is to be beaten, too; `annotune promote` puts the new one "
        "in all the same"
    )
    return replace(verdict, promote=False, reason=held)


def _is_broken(store: ProjectStore, version: str) -> bool:
    """Whether a version can serve nobody: then beating the cold start is enough. One that a later
    annotune wrote, or whose files this user may not read, may serve elsewhere."""
    if version in store.quarantined():
        return True
    try:
        verify(store.adapter_folder(version))
    except NewerFormat:
        return False
    except BrokenAdapter as error:
        why = error.__cause__
        return not isinstance(why, OSError) or isinstance(why, FileNotFoundError)
    except OSError:
        return False
    return False


def _take(
    store: ProjectStore,
    snapshot: str,
    frozen: Snapshot,
    report: Mapping[str, Any],
    champion: Manifest | None,
    children: bool,
) -> Stake:
    human, looks = Expansions(store).human_of(snapshot), read_looks(store)
    look = next_look(
        looks,
        human or snapshot,
        Recipe(**report["recipe"]).id,
        champion.version if champion else None,
        len(frozen.holdout),
        _fresh(store, frozen, looks),
        more=children and human is None,
    )
    take(store, look)
    return look.stake


def _fresh(store: ProjectStore, frozen: Snapshot, looks: Sequence[Look]) -> int:
    """The blind labels that the last look did not have."""
    now = {e.id for e in frozen.holdout}
    if not looks:
        return len(now)
    try:
        return len(now - {e.id for e in store.snapshot(looks[-1].round).holdout})
    except (FileNotFoundError, BrokenAdapter):  # forgotten since: what is left is their number
        return max(0, len(now) - looks[-1].blind)


def learned(store: ProjectStore, frozen: Snapshot, champion: Manifest | None) -> Learned:
    """The human answers that a candidate of this snapshot learns from and the champion knows or
    does not. One that was changed since is new; as many as are gone since do not count."""
    mine = _answers(frozen)
    if champion is None:
        return Learned(0, len(mine))
    try:
        theirs = _answers(store.snapshot(champion.recipe.snapshot))
    except (FileNotFoundError, BrokenAdapter):  # forgotten since: what is left is its number
        total = sum(e.origin.kind == "human" for e in frozen.examples)
        return Learned(champion.labels, max(0, total - champion.labels))
    gone = max(0, len(theirs) - len(mine))
    return Learned(len(theirs), max(0, len(mine - theirs) - gone))


def _answers(frozen: Snapshot) -> set[tuple[Any, ...]]:
    return {(e.id, e.answers) for e in frozen.train if e.origin.kind == "human"}


def without_labels(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A contestant's scores without each label's rows: the verdict has what the gate made of them,
    and manifest and log keep the rest for good."""
    return {k: v for k, v in found.items() if k != "labels"} if found else None
