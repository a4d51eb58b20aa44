"""What paired repeats say: a mean difference and the interval in which it lies, as a replay has it
(sync/replay/told.py), with signs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.replay import told


@dataclass(frozen=True)
class Mean(told.Mean):
    """A mean of differences."""

    @property
    def above(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.low is not None and self.low > 0

    @property
    def below(self) -> bool:
        """Whether the whole interval is below zero."""
        return self.high is not None and self.high < 0

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:+.3f} ({self.n})"
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}] ({self.n})"


def mean_of(values: Sequence[float]) -> Mean | None:
    """None of none."""
    return Mean.of(values)


def paired(one: Mapping[int, float], other: Mapping[int, float]) -> list[float]:
    """`one` less `other` by seed, of the seeds that both have, in their order."""
    return [one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())]


def clustered(by_set: Mapping[str, Sequence[float]]) -> Mean | None:
    """The mean over sets, each counted once: what differs from set to set is the error, not what
    differs from seed to seed within one."""
    return mean_of([statistics.fmean(values) for values in by_set.values() if values])
