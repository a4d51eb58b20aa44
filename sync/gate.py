"""The gate: may this candidate serve? One readable function over numbers of one run.

Candidate, current adapter and cold start are judged on the same blind holdout in the same run
(law 5); this file only compares what that run measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Judged:
    """What one run measured: mean scores over controls in [0, 1], and how many rows judged.

    `labels` counts the human answers each adapter learned from or was judged by; `champion` is
    None where the cold start serves. `synthetic`: rows of that kind the candidate learned from too;
    `human`: then the version of the same round without them.
    """

    holdout: int
    candidate: float
    cold: float
    champion: float | None
    candidate_labels: int
    champion_labels: int = 0
    human: float | None = None
    synthetic: int = 0


@dataclass(frozen=True)
class Verdict:
    """Promote or not, with the reason in words and numbers."""

    promote: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(seen: Judged, least_blind: int) -> Verdict:
    """Promote a candidate that beats the cold start and does not lose to the current adapter.

    A tie goes to whichever learned from more human answers. One that had synthetic rows must beat
    the one without them, too. Below `least_blind` holdout rows
    nothing is promoted.
    """
    if seen.holdout < least_blind:
        return Verdict(
            False, f"{seen.holdout} blind labels are too few to judge on; {least_blind} are needed"
        )
    rows = f"on {seen.holdout} blind labels"
    if seen.candidate <= seen.cold:
        return Verdict(
            False, f"{seen.candidate:.3f} is not above the cold start's {seen.cold:.3f} {rows}"
        )
    if seen.synthetic and seen.human is None:
        return Verdict(
            False, f"{seen.synthetic} synthetic examples, and no version without them to compare"
        )
    if seen.human is not None and seen.candidate <= seen.human:
        return Verdict(
            False,
            f"with synthetic examples {seen.candidate:.3f} is not above {seen.human:.3f} without "
            f"them {rows}",
        )
    if seen.champion is None:
        return Verdict(True, f"{seen.candidate:.3f} beats the cold start's {seen.cold:.3f} {rows}")
    if seen.candidate < seen.champion:
        return Verdict(
            False, f"{seen.candidate:.3f} is below the current adapter's {seen.champion:.3f} {rows}"
        )
    if seen.candidate > seen.champion:
        return Verdict(
            True, f"{seen.candidate:.3f} beats the current adapter's {seen.champion:.3f} {rows}"
        )
    more = seen.candidate_labels > seen.champion_labels
    learned = f"{seen.candidate_labels} human answers against {seen.champion_labels}"
    return Verdict(more, f"a tie at {seen.candidate:.3f} {rows}, with {learned}")


def judged_from_report(report: Mapping[str, Any], champion_labels: int) -> Judged:
    """The numbers of a trainer's report (lora/train.py writes it)."""
    scores = report["scores"]
    return Judged(
        holdout=int(report["holdout"]),
        candidate=float(scores["candidate"]["mean"]),
        cold=float(scores["cold"]["mean"]),
        champion=float(scores["champion"]["mean"]) if scores.get("champion") else None,
        candidate_labels=int(report["labels"]),
        champion_labels=champion_labels,
        synthetic=int(report.get("synthetic", 0)),
        human=float(scores["human"]["mean"]) if scores.get("human") else None,
    )
