"""What expansion brought so far: with minus without, round by round, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from label_config.controls import InvalidValue

STOPS_AFTER = 2
"""Rounds in a row without a gain."""
WAKES_AT = 1.5
"""Times the human answers of the last round without a gain: by then it is another question."""


@dataclass(frozen=True)
class Gain:
    """One round: accuracy with children minus without, on the same rows, and its standard error.
    `answers`: human train rows at that time."""

    answers: int
    difference: float
    error: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.difference) or not 0.0 <= self.error < math.inf:
            raise InvalidValue(
                f"a gain of {self.difference} with standard error {self.error}; "
                "finite numbers are needed, the error not negative"
            )

    @property
    def real(self) -> bool:
        """Above zero by more than its own standard error."""
        return self.difference > self.error

    def __str__(self) -> str:
        return f"{self.difference:+.3f} ± {self.error:.3f}"


@dataclass(frozen=True)
class Trend:
    """What to do about it: `factor` on the ratio, or a stop, in words."""

    factor: float
    stopped: bool
    words: str


def read_trend(past: Sequence[Gain], answers: int) -> Trend:
    """A half for each round in a row whose gain fell by more than its error, or was none; after
    two without a gain a stop, until there are half as many answers again; then it tries a half."""
    fruitless = _last(past, lambda i: not past[i].real)
    told = ", ".join(map(str, past[len(past) - max(fruitless, 1) :]))
    if fruitless >= STOPS_AFTER:
        wakes = math.ceil(WAKES_AT * past[-1].answers)
        why = f"the last {fruitless} rounds brought no gain ({told})"
        if answers < wakes:
            return Trend(0.0, True, f"{why}; it tries again at {wakes} answers, not at {answers}")
        return Trend(0.5, False, f"{why}, but {answers} answers are half as many again")
    fading = _last(past, lambda i: not past[i].real or _fell(past, i))
    if fading == 0:
        return Trend(1.0, False, "gains hold" if past else "no round with expansion yet")
    return Trend(0.5**fading, False, f"the gain fades ({', '.join(map(str, past[-fading - 1 :]))})")


def _fell(past: Sequence[Gain], i: int) -> bool:
    return i > 0 and past[i].difference + past[i].error < past[i - 1].difference


def _last(past: Sequence[Gain], holds: Callable[[int], bool]) -> int:
    """For how many rounds in a row, up to the last one, something holds."""
    count = 0
    while count < len(past) and holds(len(past) - 1 - count):
        count += 1
    return count
