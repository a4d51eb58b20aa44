"""What the loop would serve after its first round, from the cells of `augment.py`.

By the product's gate (sync/gate.py) at the levels of its error budget (sync/budget.py), on the
blind rows alone: first the human-only version beside the cold start, then the challenger beside
cold start, human-only version and, where that one got in, current version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from augment.gains import Gain, read_trend
from benchmarks.augment_marks import Cell, contestant, gained, names
from settings import Gate
from sync.budget import next_look
from sync.gate import Learned, judge

Version = Literal["cold", "pool", "all"]
"""The cold start, the human-only version (which the pool lends to), the challenger."""

LEAST_BLIND = Gate().least_blind


@dataclass(frozen=True)
class Served:
    """`without`: what serves with no expansion, `choice`: with it; `reason`: of the last verdict,
    or why there was no challenger."""

    without: Version
    choice: Version
    reason: str

    @property
    def challenged(self) -> bool:
        return not self.reason.startswith("no challenger")


@dataclass(frozen=True)
class Climb:
    """What a ratio brought on the blind rows, as the loop records it, and whether the policy has
    stopped by then."""

    gain: Gain
    stopped: bool


def served(human: Cell, challenger: Cell, answers: int) -> Served:
    """One project's first round. `human`: the cell of `pool`, with its cold start; `answers`: human
    train rows."""
    blind = len(names(human))
    groups = {name: name for name in names(human)}
    looked = next_look([], "round", "human", None, blind, blind, more=True)
    unknown, alone = Learned(0, answers), _report(human, None)
    verdict = judge(alone, groups, unknown, LEAST_BLIND, looked.stake, intervals=False)
    without: Version = "pool" if verdict.promote else "cold"
    if why := _unchallenged(challenger):
        return Served(without, without, f"no challenger: {why}")
    champion = without if verdict.promote else None
    again = next_look([looked], "round", "challenger", champion, blind, 0)
    known = Learned(answers, 0) if champion else unknown
    report = _report(challenger, human, champion=champion is not None)
    last = judge(report, groups, known, LEAST_BLIND, again.stake, intervals=False)
    return Served(without, "all" if last.promote else without, last.reason)


def _unchallenged(challenger: Cell) -> str:
    """Why the loop would train none; empty where it would."""
    if challenger["policy"]["ratio"] == 0:
        return str(challenger["policy"]["reason"])
    return "" if challenger["kept"] else "no candidate was kept"


def _report(candidate: Cell, human: Cell | None, *, champion: bool = False) -> dict[str, Any]:
    """As lora/train.py writes it, as far as the gate reads it; without `human`, the candidate is
    the human-only version itself."""
    blind = len(names(candidate))
    cold = contestant((human or candidate)["cold"])
    scores: dict[str, Any] = {"candidate": contestant(candidate), "champion": None, "cold": cold}
    if human is None:
        return {"holdout": blind, "synthetic": 0, "scores": scores}
    scores["human"] = contestant(human)
    if champion:
        scores["champion"] = scores["human"]
    return {"holdout": blind, "synthetic": candidate["kept"], "scores": scores}


def climbed(human: Cell, by_ratio: Mapping[float, Cell], answers: int) -> dict[float, Climb]:
    """By ratio, what the policy's own trend rule would have read after rounds at rising ratios, up
    to and with this one."""
    past: list[Gain] = []
    told: dict[float, Climb] = {}
    stopped = False
    for ratio, cell in sorted(by_ratio.items()):
        found = gained(cell, human, answers)
        past.append(Gain(answers, found["difference"], found["error"]))
        stopped = stopped or read_trend(past, answers).stopped
        told[ratio] = Climb(past[-1], stopped)
    return told


def better(human: Cell, challenger: Cell) -> Version:
    """What a bare comparison would serve: the challenger where its score on the blind rows is the
    higher one, by however little."""
    mine, theirs = (_blind(cell) for cell in (challenger, human))
    return "all" if mine > theirs else "pool"


def _blind(cell: Mapping[str, Any]) -> float:
    (value,) = cell["blind"].values()
    return float(value)
