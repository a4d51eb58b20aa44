"""How much to expand, from what, and when not to: the mission's decision tree as one function.

`decide` is to be read from top to bottom. Accuracy is measured out of fold on train rows, since a
ratio chosen on the holdout would be fitted to it (law 4). What it knows of the holdout are past
gains alone: one number a round, of rounds whose verdict has fallen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from augment.gains import Gain, Trend, read_trend
from augment.standing import DEFAULT_SOURCES, GENERATORS, Source
from label_config.controls import InvalidValue

FEW, MANY = 100, 500
"""Human examples: below the first expansion replaces what is not there; from the second on there
is enough of everything but of what goes wrong."""
ENOUGH = 0.9
"""Accuracy that is sure enough to stop: a child teaches less than it risks."""
LOW = 0.7
"""Accuracy below which the errors are too many to tell a hard row from a wrong label."""
MOST, LEAST_FEW = 5.0, 3.0
"""Children per human example at none and at FEW."""
LITTLE, LEAST_MANY = 1.0, 0.5
"""The same at FEW and at MANY. Not above LITTLE however high the accuracy, since the tree gives
worse models there no more."""
PER_ERROR = 3.0
"""Children per wrong row, where only those have any."""
HALF = 0.5
"""What a child counts at most against a human row's 1 (models.md 5: .5 in all its modes)."""


@dataclass(frozen=True)
class Situation:
    """What is known when a round's human-only candidate is done.

    `size`: human train rows. `accuracy`, `lower`: out of fold, and its lower bound. `target`: the
    admin's; 0: none. `budget`: candidates that may be made; None: as many as wanted. `pool`:
    unlabelled real texts at hand. `past`: earlier rounds with expansion, oldest first. `generator`:
    whether something writes text. `review`: people asked to see each child. `sources`: those that
    an admin asks for; None: those that measurably help.
    """

    size: int
    accuracy: float | None = None
    lower: float | None = None
    regulated: bool = False
    budget: int | None = None
    target: float = 0.0
    pool: int = 0
    past: tuple[Gain, ...] = ()
    generator: bool = False
    review: bool = False
    sources: tuple[Source, ...] | None = None

    def __post_init__(self) -> None:
        if (self.accuracy is None) != (self.lower is None):
            raise InvalidValue("accuracy and its lower bound come together, or neither does")
        if self.accuracy is not None and self.lower is not None:
            if not 0.0 <= self.lower <= self.accuracy <= 1.0:
                raise InvalidValue(
                    f"accuracy {self.accuracy} with lower bound {self.lower}; "
                    "0 <= lower <= accuracy <= 1 is needed"
                )
        if min(self.size, self.pool, 0 if self.budget is None else self.budget) < 0:
            raise InvalidValue(
                f"size {self.size}, pool {self.pool} and budget {self.budget} must not be negative"
            )
        unknown = sorted(set(self.sources or ()) - set(DEFAULT_SOURCES))
        if unknown:
            raise InvalidValue(
                f"source(s) {unknown} are not known; {', '.join(DEFAULT_SOURCES)} are"
            )


@dataclass(frozen=True)
class Policy:
    """What to do, and why. `ratio`: children (of `pool`: borrowed tasks) per human example over all
    `sources`; 0: do not. `weight`: what one counts in the loss against a human row's 1.
    `only_errors`: parents are the rows read wrongly. `review`: people approve each. `ask_first`:
    corrections of errors teach more than children here. `off`: of each source not used, why.
    """

    sources: tuple[Source, ...]
    ratio: float
    weight: float
    reason: str
    only_errors: bool = False
    review: bool = False
    ask_first: bool = False
    off: Mapping[Source, str] = field(default_factory=dict)

    @property
    def expands(self) -> bool:
        return self.ratio > 0

    def children(self, size: int) -> int:
        """How many to make for so many human examples."""
        return math.floor(self.ratio * size + 1e-9)


def decide(now: Situation) -> Policy:
    """Whether to expand, how far, from what; every "do not" says why, in words and numbers."""
    size, accuracy, trend = now.size, now.accuracy, read_trend(now.past, now.size)
    sources, off = _sources(now)
    answer = _Answer(now, sources, off, trend)
    no, yes = answer.no, answer.yes

    if size == 0:
        return no("there are 0 human train rows, and children are made of these alone")
    if accuracy is not None and 0 < now.target <= accuracy:
        return no(f"the target {now.target:.3f} is reached with {accuracy:.3f}")
    if now.lower is not None and now.lower >= ENOUGH:
        return no(f"accuracy is at least {now.lower:.3f}, and from {ENOUGH:.2f} on it stops")
    if trend.stopped:
        return no(trend.words)
    if now.budget == 0:
        return no("the budget is 0 candidates")
    if not sources:
        told = "; ".join(f"{s}: {why}" for s, why in off.items())
        return no(f"0 of {len(off)} sources are left; {told}")

    if size < FEW:
        ratio = _between(size, (0, MOST), (FEW, LEAST_FEW))
        return yes(ratio, f"{size} human examples, fewer than {FEW}: synthesise")
    if size < MANY:
        ratio = _between(size, (FEW, LITTLE), (MANY, LEAST_MANY))
        if accuracy is None:
            return yes(
                ratio, f"{size} human examples, accuracy not known yet: no more than a little"
            )
        if accuracy < LOW:
            why = f"{size} human examples and accuracy {accuracy:.3f}, below {LOW:.2f}: experts "
            why += "should correct errors first, which teach more; meanwhile no more than a little"
            return yes(ratio, why, ask_first=True)
        return yes(ratio, f"{size} human examples, accuracy {accuracy:.3f}: no more than a little")
    if accuracy is None:
        return no(f"{size} human examples: only errors are worth it, and none are known yet")
    ratio = min(LEAST_MANY, PER_ERROR * (1 - accuracy))
    why = f"{size} human examples: only where errors are, with accuracy {accuracy:.3f}"
    return yes(ratio, why, only_errors=True)


@dataclass(frozen=True)
class _Answer:
    """Writes the Policy of a leaf of the tree, within what the situation allows."""

    now: Situation
    sources: tuple[Source, ...]
    off: Mapping[Source, str]
    trend: Trend

    @property
    def review(self) -> bool:
        return self.now.regulated or self.now.review

    def no(self, why: str) -> Policy:
        return Policy((), 0.0, 0.0, f"do not expand: {why}", review=self.review, off=self.off)

    def yes(
        self, ratio: float, why: str, only_errors: bool = False, ask_first: bool = False
    ) -> Policy:
        """Lowered by the trend, the pool and the budget; none where that leaves not one child."""
        now, trend = self.now, self.trend
        why += f"; {ratio:.2f} children for each"
        if trend.factor < 1:
            ratio, why = ratio * trend.factor, f"{why}, times {trend.factor:g}: {trend.words}"
        if self.sources == ("pool",) and now.pool < ratio * now.size:
            ratio, why = now.pool / now.size, f"{why}; the pool has no more than {now.pool} texts"
        if now.budget is not None and now.budget < ratio * now.size:
            ratio, why = now.budget / now.size, f"{why}; the budget is {now.budget} candidates"
        if ratio * now.size < 1:
            return self.no(f"{why}; that is not one child")
        if self.review:
            why += "; each only once a person approved it"
            why += ", as a regulated project needs" if now.regulated else ""
        weight = min(HALF, 1 / ratio)  # all together never count more than the human rows
        return Policy(
            self.sources, ratio, weight, why, only_errors, self.review, ask_first, self.off
        )


def _sources(now: Situation) -> tuple[tuple[Source, ...], dict[Source, str]]:
    """What may be used here, and why the others may not."""
    off: dict[Source, str] = {}
    for source, standing in DEFAULT_SOURCES.items():
        if now.sources is not None and source not in now.sources:
            off[source] = f"not among those asked for ({', '.join(now.sources) or 'none'})"
        elif now.sources is None and not standing.on:
            off[source] = f"off by default, {standing.measured}"
        elif source == "pool" and now.regulated:
            off[source] = "regulated: labels that nobody approved may not be learned from"
        elif source == "pool" and now.pool == 0:
            off[source] = "the pool has 0 unlabelled texts"
        elif source in GENERATORS and not now.generator:
            off[source] = "no generator is at hand"
    return tuple(s for s in DEFAULT_SOURCES if s not in off), off


def _between(size: int, start: tuple[int, float], end: tuple[int, float]) -> float:
    """On the straight line from one point to the other."""
    share = (size - start[0]) / (end[0] - start[0])
    return start[1] + share * (end[1] - start[1])


__all__ = ["DEFAULT_SOURCES", "Gain", "Policy", "Situation", "Source", "decide"]
