"""The gate: may this candidate serve? One readable function over what one run measured.

Candidate, current adapter and cold start are judged on the same blind holdout in the same run
(law 5); this file only compares what that run measured, row by row (lora/looks.py). Better has to
be more than chance. How much more depends on what the candidate has learned: one that knows nothing
new (another seed, other settings, synthetic rows) is let through by chance at most as often as its
part of the error budget says (sync/budget.py); one that learned from more human answers is likely
to be better before anybody looks, and needs less. Why: docs/decisions/0011.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import sqrt
from statistics import NormalDist
from typing import Any

from lora.looks import FEW_BLIND, NEAR, Look, among, look, rows_of
from sync.budget import ERROR, FRESH, SHARE, Stake
from sync.harm import Harm, harmed

STEEPNESS = 10.0  # measured on the demo's rounds: docs/decisions/0011
MOST_ODDS = (1 - ERROR * SHARE) / (ERROR * SHARE)  # at which even is enough on a fresh budget

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Learned:
    """How many human answers the candidate learned from that the current adapter knows (`known`),
    and that it does not (`new`)."""

    known: int
    new: int

    @property
    def odds(self) -> float:
        """That the candidate is better, before anybody looked: even where it learned nothing new.
        Errors fall about as one over the root of the answers; luck of the fit is STEEPNESS times
        smaller than they are."""
        if not self.new:
            return 1.0
        fewer = 1 - sqrt(self.known / (self.known + self.new))
        sure = NormalDist().cdf(STEEPNESS * fewer)
        return min(MOST_ODDS, sure / (1 - sure)) if sure < 1 else MOST_ODDS

    def allowed(self, level: float) -> float:
        """The largest p at which the candidate is better with a chance of 1 - level."""
        weight = self.odds * level
        return weight / (weight + 1 - level)


NOBODY_KNOWS = Learned(0, 1)  # what anything trained is beside the cold start


@dataclass(frozen=True)
class Verdict:
    """Promote or not, with the reason in words and numbers."""

    promote: bool
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(
    report: Report,
    groups: Mapping[str, str],
    learned: Learned,
    least_blind: int,
    stake: Stake = FRESH,
    *,
    intervals: bool = True,
) -> Verdict:
    """Promote a candidate that is better than the cold start and the current adapter beyond the
    chance it is allowed, and significantly worse on no label.

    `report`: the trainer's; `groups`: of its rows. One that had synthetic rows must beat the
    version without them, too, which knows all it knows. Below `least_blind` holdout rows nothing is
    promoted. `intervals`: for people; they decide nothing.
    """
    count, scores = int(report["holdout"]), report["scores"]
    if count < least_blind:
        few = f"{count} blind labels are too few to judge on; {least_blind} are needed"
        return Verdict(False, few)
    if not _metrics(report):
        return Verdict(False, f"{count} blind labels, but none to anything that is predicted")
    synthetic = int(report.get("synthetic", 0))
    if synthetic and not scores.get("human"):
        alone = f"{synthetic} synthetic examples, and no version without them to compare"
        return Verdict(False, alone)
    tests = [_test(report, groups, "cold", NOBODY_KNOWS, stake, intervals)]
    if synthetic:
        tests.append(_against_human(report, groups, stake, intervals))
    if scores.get("champion"):
        tests.append(_test(report, groups, "champion", learned, stake, intervals))
    rival = "champion" if scores.get("champion") else "cold"
    worse = harmed(scores["candidate"], scores[rival], groups)
    numbers: dict[str, Any] = {
        "error": asdict(stake),
        "learned": asdict(learned),
        "looks": [t.to_dict() for t in tests],
        "labels": [h.to_dict() for h in worse],
    }
    lost = next((t for t in tests if not t.passed), None)
    if lost:
        return Verdict(False, lost.sentence(report, learned), numbers)
    if bad := [h for h in worse if h.real]:
        return Verdict(False, _harm(bad, rival), numbers)
    return Verdict(True, tests[-1].sentence(report, learned), numbers)


NAMES = {
    "cold": "the cold start's {}",
    "human": "{} without the {} synthetic examples",
    "champion": "the current adapter's {}",
}


@dataclass(frozen=True)
class Test:
    """A look, the largest p that is good enough, and the mean scores of both. `since`: rows of it
    that were answered since the last snapshot, `shown` of them with a prediction in view."""

    look: Look
    allowed: float
    mine: float
    theirs: float
    since: int = 0
    shown: int = 0

    @property
    def passed(self) -> bool:
        least = -NEAR if self.look.against == "champion" else NEAR
        return self.look.value > least and self.look.p <= self.allowed + NEAR

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}

    def sentence(self, report: Report, learned: Learned) -> str:
        """What was found, in plain words."""
        against, mine = self.look.against, self.mine
        name = NAMES[against].format(f"{self.theirs:.3f}", report.get("synthetic", 0))
        rows = f"on {report['holdout']} blind labels"
        if self.since:
            rows += f" and {self.since} answered since ({self.shown} with a prediction in view)"
        if self.look.value < -NEAR:
            return f"{mine:.3f} is below {name} {rows}"
        verb = "beats" if self.look.value > NEAR else "equals"
        chance = f"luck alone does as well {_per_cent(self.look.p)} of the time"
        enough = f"and {_per_cent(self.allowed)} {'is' if self.passed else 'would be'} good enough"
        said = f"{mine:.3f} {verb} {name} {rows}; {chance}, {enough}"
        if against == "champion":
            more = f"learned from {learned.new} more human answers" if learned.new else ""
            said += f" for one that {more or 'learned from no new human answer'}"
        return said


def _per_cent(p: float) -> str:
    return "less than 0.1 %" if p < 0.001 else f"{100 * p:.2g} %"


def _test(
    report: Report,
    groups: Mapping[str, str],
    against: str,
    learned: Learned,
    stake: Stake,
    intervals: bool,
) -> Test:
    marks = [report["scores"][who]["right"] for who in ("candidate", against)]
    since = report.get("since") if against == "champion" else None
    if since and int(report["holdout"]) < FEW_BLIND:
        more = (since["right"][who] for who in ("candidate", "champion"))
        marks = [{**some, **late} for some, late in zip(marks, more, strict=True)]
    else:
        since = {"rows": 0, "shown": 0}
    rows = rows_of(marks, _metrics(report), groups)
    assert rows is not None  # which control has a mark depends on what people answered alone  # nosec B101  # for mypy and the reader
    found = look(rows, against, interval=intervals)
    both = rows.score(0), rows.score(1)
    return Test(found, learned.allowed(stake.own), *both, int(since["rows"]), int(since["shown"]))


def _against_human(
    report: Report, groups: Mapping[str, str], stake: Stake, intervals: bool
) -> Test:
    """The synthetic challenger knows nothing new, and is the round's second look: what chance may
    do in both together is the round's level."""
    scores = report["scores"]
    base = scores.get("champion") or scores["cold"]
    marks = [scores["candidate"]["right"], scores["human"]["right"], base["right"]]
    rows = rows_of(marks, _metrics(report), groups)
    assert rows is not None  # nosec B101  # for mypy and the reader
    found = look(rows, "human", interval=intervals)
    both = rows.score(0), rows.score(1)
    if not stake.earlier:
        return Test(found, stake.own, *both)
    return Test(among(rows, found, stake.earlier), stake.level, *both)


def _metrics(report: Report) -> dict[str, str]:
    controls = report["scores"]["candidate"]["controls"]
    return {name: str(c["metric"]) for name, c in controls.items() if c["n"]}


def _harm(worse: list[Harm], rival: str) -> str:
    first = worse[0]
    others = f" (and {len(worse) - 1} more)" if len(worse) > 1 else ""
    name = "the cold start" if rival == "cold" else "the current adapter"
    return (
        f"better on the whole, but worse than {name} on {first.control} {first.label}{others}: "
        f"F1 {first.candidate:.3f} against {first.champion:.3f} on {first.rows} rows, which luck "
        f"alone brings {_per_cent(first.p)} of the time"
    )
