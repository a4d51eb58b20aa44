"""The correction rate over time and by version: how much of what people are shown they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sync.readings import Reading

PART = 20  # shown answers of a point at least; more where there are many
MOST_POINTS = 40


@dataclass(frozen=True)
class Part:
    """Some shown answers in a row: how many were changed, the interval of that share (Wilson), and
    the versions that were in view. `at`: when the last one was given, ISO 8601."""

    shown: int
    changed: int
    low: float
    high: float
    versions: tuple[str, ...]
    since: str
    at: str

    @property
    def rate(self) -> float:
        return self.changed / self.shown

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "rate": self.rate}


def over_time(readings: Sequence[Reading]) -> list[Part]:
    """Of all current answers, oldest first, as `read_answers` has them: parts of like size; what is
    left over at the end goes into the last one."""
    shown = _shown(readings)
    size = max(PART, -(-len(shown) // MOST_POINTS))
    starts = range(0, max(1, len(shown) - size + 1), size)
    ends = [*starts[1:], len(shown)]
    return [_part(shown[a:b]) for a, b in zip(starts, ends, strict=True) if shown[a:b]]


def by_version(readings: Sequence[Reading]) -> list[Part]:
    """A part for each version, in the order in which they were first corrected."""
    found: dict[str, list[Reading]] = {}
    for r in _shown(readings):
        found.setdefault(r.version or "", []).append(r)
    return [_part(some) for some in found.values()]


def _shown(readings: Sequence[Reading]) -> list[Reading]:
    """The answers that `readings.rate_of` counts."""
    return [r for r in readings if not r.blind_task and r.seen is not None and r.readable]


def _part(some: Sequence[Reading]) -> Part:
    from lora.paired import wilson  # here: whoever only imports us needs no numpy

    changed = sum(r.changed for r in some)
    low, high = wilson(changed / len(some), len(some))
    versions = tuple(dict.fromkeys(r.version or "" for r in some))
    dates = [r.annotation.created_at.isoformat() for r in some]
    return Part(len(some), changed, low, high, versions, dates[0], dates[-1])
