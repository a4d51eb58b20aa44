"""What a replay's cells say: answers to a share of full quality, ratios to random order, hours.

Of a score that rises and falls the best so far counts. What was not reached counts as the last
count: a ratio then is a bound, and is said to be one. What was there at the first count may have
been before, and is counted too; a seed that neither order brings there has no ratio. Intervals are
Student's over seeds, 95 %.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from sync.replay.orders import RANDOM
from sync.replay.play import Cell

if TYPE_CHECKING:
    from typing_extensions import Self

LEVEL = 0.95
NAMES = {
    "random": "random order",
    "ours": "our order",
    "random-expanded": "random order, expanded",
    "ours-expanded": "our order, expanded",
}
LESS = {
    "dropped": "left out: neither order came there",
    "floored": "with one there at the first count: fewer answers may do",
}
"""What makes a ratio say less than it seems to, beside what was not reached."""


def called(arm: str) -> str:
    """What an arm is called in words; a benchmark may have others."""
    return NAMES.get(arm, f"{arm} order")


@dataclass(frozen=True)
class Mean:
    """A mean with its interval; none of a single value. benchmarks/intervals.py builds on it."""

    value: float
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self | None:
        """None of none."""
        if not values:
            return None
        middle, n = statistics.fmean(values), len(values)
        if n == 1:
            return cls(middle, None, None, 1)
        from scipy.stats import t  # type: ignore[import-untyped]  # here: status needs none of it

        reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * statistics.stdev(values) / sqrt(n)
        return cls(middle, middle - reach, middle + reach, n)

    def to_dict(self, digits: int = 4) -> dict[str, Any]:
        found = {"value": self.value, "low": self.low, "high": self.high}
        return {k: None if v is None else round(v, digits) for k, v in found.items()} | {
            "n": self.n
        }

    def said(self, digits: int = 2) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.{digits}f}"
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


@dataclass(frozen=True)
class Reached:
    """Answers at which a run came to the goal; `within`: it did, within its counts; `first`: at the
    first of them, so fewer may do."""

    answers: float
    within: bool
    first: bool = False


def reached(curve: Sequence[tuple[int, float]], goal: float) -> Reached:
    """Between two counts it is taken to rise in a straight line."""
    best, at = float("-inf"), 0
    for answers, value in curve:
        if value >= goal - 1e-9:
            if best == float("-inf"):
                return Reached(float(answers), True, first=True)
            return Reached(at + (goal - best) / (value - best) * (answers - at), True)
        if value > best:
            best, at = value, answers
    return Reached(float(curve[-1][0]), False)


@dataclass(frozen=True)
class Told:
    """A replay so far. `full`: scores of all answers learned at once; `goal`: the share of these
    that is asked for; `note`: why there is no expansion, where there is none."""

    name: str
    base: str
    asked: int
    judged: int
    counts: Sequence[int]
    cells: Sequence[Cell]
    full: Mapping[str, float]
    goal: float
    lead_s: float | None
    blind_share: float
    note: str | None = None

    @property
    def arms(self) -> list[str]:
        there = dict.fromkeys(c.arm for c in self.cells)
        known = [name for name in NAMES if name in there]
        return [*known, *(name for name in there if name not in known)]

    @property
    def whole(self) -> list[str]:
        """The scores that are told: of each control, and their mean where there are several."""
        controls = [name for name in self.full if name != "mean"]
        return ["mean", *controls] if len(controls) != 1 else ["mean"]

    def curves(self, arm: str, score: str, served: bool = False) -> dict[int, list[Any]]:
        """By seed (answers, score), of the runs that are over."""
        found: dict[int, list[Any]] = {}
        for c in sorted(self.cells, key=lambda c: c.answers):
            if c.arm == arm:
                scores = c.served if served else c.best
                found.setdefault(c.seed, []).append((c.answers, scores.get(score, 0.0)))
        return {s: of for s, of in sorted(found.items()) if len(of) == len(self.counts)}

    def at(self, arm: str, score: str, served: bool = False) -> dict[int, Mean]:
        """By count the mean over seeds."""
        runs = list(self.curves(arm, score, served).values())
        found = {n: Mean.of([run[i][1] for run in runs]) for i, n in enumerate(self.counts)}
        return {n: mean for n, mean in found.items() if mean}

    def against(self, arm: str, score: str, served: bool = False) -> dict[str, Any] | None:
        """Answers to the goal beside random order's, seed by seed; None where there is none. Of
        the `seeds`, `dropped` have no ratio, that of `bounded` is a bound since one order never got
        there, and in `floored` one was there at the first count."""
        goal = self.goal * self.full.get(score, 0.0)
        mine = self.curves(arm, score, served)
        theirs = self.curves(RANDOM, score, served)
        seeds = sorted(mine.keys() & theirs.keys())
        if not seeds or goal <= 0:
            return None
        ours = {s: reached(mine[s], goal) for s in seeds}
        random = {s: reached(theirs[s], goal) for s in seeds}
        told = [s for s in seeds if ours[s].within or random[s].within]
        ratio = Mean.of([ours[s].answers / random[s].answers for s in told])
        fewer = Mean.of([random[s].answers - ours[s].answers for s in told])
        answers = Mean.of([of.answers for of in ours.values()])
        return {
            "goal": round(goal, 4),
            "answers": answers.to_dict(1) if answers else None,
            "not_reached": sum(not of.within for of in ours.values()),
            "random_not_reached": sum(not of.within for of in random.values()),
            "seeds": len(seeds),
            "dropped": len(seeds) - len(told),
            "bounded": sum(ours[s].within != random[s].within for s in told),
            "floored": sum(ours[s].first or random[s].first for s in told),
            "ratio": ratio.to_dict() if ratio else None,
            "fewer": fewer.to_dict(1) if fewer else None,
            "hours": self._hours(fewer),
        }

    def _hours(self, fewer: Mean | None) -> dict[str, Any] | None:
        if self.lead_s is None or fewer is None:
            return None
        per = self.lead_s / 3600
        low, high = (None if v is None else v * per for v in (fewer.low, fewer.high))
        return Mean(fewer.value * per, low, high, fewer.n).to_dict(2)

    def to_dict(self) -> dict[str, Any]:
        arms: dict[str, Any] = {}
        for arm in self.arms:
            of = [c for c in self.cells if c.arm == arm]
            arms[arm] = {
                "seeds": sorted(self.curves(arm, "mean")),
                "learned": {s: _points(self.at(arm, s)) for s in self.whole},
                "served": {s: _points(self.at(arm, s, served=True)) for s in self.whole},
                "to_goal": {s: self.against(arm, s) for s in self.whole},
                "to_goal_served": self.against(arm, "mean", served=True),
                "seconds_a_cell": round(statistics.median(c.seconds for c in of), 1),
            }
        return {
            "name": self.name,
            "base": self.base,
            "rows": {"asked": self.asked, "judged": self.judged},
            "counts": list(self.counts),
            "full": {name: round(value, 4) for name, value in self.full.items()},
            "goal": self.goal,
            "lead_s": self.lead_s,
            "blind_share": self.blind_share,
            "without_expansion": self.note,
            "arms": arms,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (
            f"{self.name}: {self.asked} answers to give, {self.judged} to judge on, base "
            f"{self.base}; all answers learned at once: {self.full['mean']:.3f}"
        )
        for arm in self.arms:
            yield from self._arm(arm)
        if self.note:
            yield f"  no expansion: {self.note}"
        if self.lead_s is None:
            yield "  hours are not told: nobody measured how long an answer takes (lead time)"

    def _arm(self, arm: str) -> Iterator[str]:
        at = self.at(arm, "mean")
        if not at:
            yield f"  {called(arm)}: no seed is through yet"
            return
        points = ", ".join(f"{n}: {mean.value:.3f}" for n, mean in at.items())
        yield f"  {called(arm)} ({len(self.curves(arm, 'mean'))} seeds): {points}"
        for score in self.whole:
            if found := self.against(arm, score):
                yield f"    {'in all' if score == 'mean' else score}: {self._reached(arm, found)}"
        if found := self.against(arm, "mean", served=True):
            yield f"    as served, after the gate: {self._reached(arm, found)}"

    def _reached(self, arm: str, found: Mapping[str, Any]) -> str:
        goal = f"{self.goal:.0%} of that ({found['goal']:.3f})"
        runs = len(self.curves(arm, "mean"))
        if found["not_reached"] == runs:
            words = f"{goal} is not reached within {self.counts[-1]} answers"
        else:
            words = f"{goal} after {_mean(found['answers']).said(0)} answers"
            if found["not_reached"]:
                words += f" (at least: {found['not_reached']} of {runs} seeds never did)"
        if arm == RANDOM or not found["ratio"]:
            return words
        words += f", {_mean(found['ratio']).said()} of what random order takes"
        if found["random_not_reached"]:
            words += f" (at most: it never did in {found['random_not_reached']} of {runs})"
        for key, why in LESS.items():
            if found[key]:
                words += f" ({found[key]} of {runs} seeds {why})"
        if found["hours"]:
            saved = _mean(found["hours"]).said(1)
            words += f": {saved} hours saved at {self.lead_s:.0f} s an answer"
        return words


def _mean(raw: Mapping[str, Any]) -> Mean:
    return Mean(**raw)


def _points(at: Mapping[int, Mean]) -> dict[str, Any]:
    return {str(n): mean.to_dict() for n, mean in at.items()}


def counts_of(first: int, most: int, many: int) -> list[int]:
    """`many` counts from `first` to `most`, each the same factor above the one before."""
    if most <= first or many < 2:
        return [most]
    factor = (most / first) ** (1 / (many - 1))
    return sorted({min(most, round(first * factor**i)) for i in range(many)})
