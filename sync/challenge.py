"""What is next for a project's expansion: make children of a judged round, or train with them.

Only looks; the loop acts. At most one expansion and one challenger a human snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from augment.standing import DEFAULT_SOURCES
from lora.expansions import Expansions
from lora.store import ProjectStore
from sync.terms import Terms


@dataclass(frozen=True)
class Challenge:
    """A snapshot with children that is to be trained, as the log keeps it. `upto`: the last
    revision that its human rows were read at; `human`: the snapshot of these alone; `approved`:
    people let its children in."""

    snapshot: str
    human: str
    reason: str
    synthetic: int
    upto: int
    approved: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def makes_children(terms: Terms) -> bool:
    """Whether any source is on that makes children; what the pool lends is borrowed in training."""
    asked = terms.settings.augment.sources
    on = [s for s, standing in DEFAULT_SOURCES.items() if standing.on]
    wanted = [s.strip() for s in asked.split(",") if s.strip()] or on
    return any(s != "pool" for s in wanted)


def is_challenger(round_: Mapping[str, Any]) -> bool:
    """Whether a round of the log was a challenger's: then its report is a Challenge."""
    return bool(round_["report"].get("human"))


def human_snapshot(round_: Mapping[str, Any]) -> str:
    """The snapshot of a round's human rows alone."""
    return str(round_["report"]["human"] if is_challenger(round_) else round_["snapshot"])


def next_step(
    rounds: Sequence[Mapping[str, Any]],
    store: ProjectStore,
    *,
    reviewing: bool = False,
    regulated: bool = False,
) -> Challenge | str | None:
    """A challenger to train; or the human snapshot to expand; or nothing.

    `rounds`: the log's, oldest first. A round that is under way comes first; and as long as people
    have children before them (`reviewing`), no others are made. `regulated`: approved ones only.
    """
    if reviewing or not rounds or rounds[-1]["state"] != "settled":
        return None
    last = rounds[-1]  # of a challenger: people may since have approved another one's children
    snapshot, place = human_snapshot(last), Expansions(store)
    if snapshot == place.review_asked():
        return None  # people look at its children first
    record = place.get(snapshot)
    if record is None:
        return snapshot
    challenger = record["challenger"]
    if challenger is None or any(r["snapshot"] == challenger for r in rounds):
        return None
    review = record.get("review")
    if regulated and not review:
        return None  # made while it was not regulated
    count = len(review["rows"] if review else record["kept"])
    reason = f"{count} {'approved ' * bool(review)}synthetic examples made of {snapshot[:8]}"
    return Challenge(challenger, snapshot, reason, count, int(last["upto"]), bool(review))
