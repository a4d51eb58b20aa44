"""What can be told from judged rows: a score with its interval, and two contestants row by row.

Pure numpy over the marks that `lora/evaluate.py` gives each row: [true, false, missed] of spans,
one mark in [0, 1] of all else. What is drawn is a group of near-duplicates, since these stand or
fall together; several fits of one base (seeds) are drawn too, so that their luck is in the
interval. The same input gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Marks = Mapping[str, Mapping[str, Sequence[float]]]
"""By row and control, as a report has them under `right`."""
Floats = npt.NDArray[np.float64]

LEVEL = 0.95
DRAWS, PART = 4000, 200  # resamples, and how many of them are in memory at once


@dataclass(frozen=True)
class Estimate:
    """A control's score over `n` rows, and the interval of LEVEL around it."""

    metric: str
    value: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Difference:
    """One contestant's mean score less another's over the same `n` rows and `controls`; `p`: how
    often swapping the two row by row at random parts them as far."""

    value: float
    low: float
    high: float
    p: float
    n: int
    controls: tuple[str, ...]

    def real(self, level: float = LEVEL) -> bool:
        """Whether it is beyond chance: the interval, which is too narrow on few rows, must leave
        out 0 and the swaps, which are exact on few rows, must be rare."""
        return (self.low > 0 or self.high < 0) and self.p < 1 - level

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(
    runs: Sequence[Marks], control: str, metric: str, groups: Mapping[str, str]
) -> Estimate | None:
    """The score of one control over all runs; None where no row was judged on it."""
    rows = sorted(row for row, marks in runs[0].items() if control in marks)
    if not rows:
        return None
    table = table_of(runs, control, metric, rows, groups, _names(rows, groups))
    value = float(score_of(metric, table.mean(0).sum(0)))
    if metric == "accuracy":
        low, high = wilson(value, table.shape[1])
    else:
        drawn = [score_of(metric, sums) for (sums,) in _draws([[table]])]
        low, high = _interval(np.concatenate(drawn), LEVEL)
    return Estimate(metric, value, low, high, len(rows))


def wilson(share: float, count: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of a share of `count` (Wilson 1927): also right where all of few are."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) * z / (1 + z * z / count)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def difference(
    one: Sequence[Marks],
    other: Sequence[Marks],
    metrics: Mapping[str, str],
    groups: Mapping[str, str],
    level: float = LEVEL,
) -> Difference | None:
    """`one` less `other` in the mean over the controls of `metrics` that both were judged on, on
    the rows both were; None where there are none."""
    runs = [*one, *other]
    both = {c: [row for row in one[0] if judged_by(runs, row, c)] for c in metrics}
    names = _names({row for rows in both.values() for row in rows}, groups)
    kept = {c: sorted(rows) for c, rows in both.items() if rows}
    if not kept:
        return None
    pairs = [
        [table_of(some, c, metrics[c], rows, groups, names) for some in (one, other)]
        for c, rows in kept.items()
    ]
    kinds = [metrics[c] for c in kept]
    seen = _gap(kinds, [[t.mean(0).sum(0) for t in pair] for pair in pairs])
    drawn = np.concatenate([_gap(kinds, sums) for sums in _draws_of_pairs(pairs)])
    low, high = _interval(drawn[np.isfinite(drawn)], level)
    swapped = np.concatenate([_gap(kinds, sums) for sums in _swaps(pairs)])
    as_far = int((np.abs(swapped) >= abs(float(seen)) - 1e-12).sum())
    rows = len({row for some in kept.values() for row in some})
    p = (1 + as_far) / (1 + len(swapped))
    return Difference(float(seen), low, high, p, rows, tuple(kept))


def judged_by(runs: Sequence[Marks], row: str, control: str) -> bool:
    return all(control in run.get(row, {}) for run in runs)


def _names(rows: Iterable[str], groups: Mapping[str, str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(sorted({groups[row] for row in rows}))}


def table_of(
    runs: Sequence[Marks],
    control: str,
    metric: str,
    rows: Sequence[str],
    groups: Mapping[str, str],
    names: Mapping[str, int],
) -> Floats:
    """[runs, groups, 3 or 2]: each group's counts of spans, or its marks' sum and count."""
    table = np.zeros((len(runs), len(names), 3 if metric == "f1" else 2))
    for run, marks in enumerate(runs):
        for row in rows:
            mark = marks[row][control]
            table[run, names[groups[row]]] += mark if metric == "f1" else (mark[0], 1.0)
    return table


def score_of(metric: str, sums: Floats) -> Floats:
    """The score of sums [..., 3 or 2]; not a number where no row was drawn."""
    if metric == "f1":
        total = 2 * sums[..., 0] + sums[..., 1] + sums[..., 2]
        return np.where(total > 0, 2 * sums[..., 0] / np.maximum(total, 1e-12), 1.0)
    with np.errstate(invalid="ignore"):
        found: Floats = sums[..., 0] / sums[..., 1]
    return found


def _gap(metrics: Sequence[str], sums: Sequence[Sequence[Floats]]) -> Floats:
    """Mean score of the first less that of the second; `sums`: by control, of both."""
    gaps = [
        score_of(m, one) - score_of(m, other) for m, (one, other) in zip(metrics, sums, strict=True)
    ]
    found: Floats = np.mean(gaps, axis=0)
    return found


def _interval(drawn: Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _draws_of_pairs(pairs: Sequence[Sequence[Floats]]) -> Iterator[list[list[Floats]]]:
    """Sums [PART, ...] of both, by control, over groups drawn for all alike and seeds for each."""
    ones, others = ([pair[i] for pair in pairs] for i in (0, 1))
    for drawn in _draws([ones, others]):
        yield [list(pair) for pair in zip(drawn[: len(ones)], drawn[len(ones) :], strict=True)]


def _draws(contestants: Sequence[Sequence[Floats]]) -> Iterator[list[Floats]]:
    """Resampled sums [PART, ...] of each contestant's tables, one after the other."""
    rng = np.random.default_rng(0)
    groups = contestants[0][0].shape[1]
    for _ in range(DRAWS // PART):
        counts = rng.multinomial(groups, np.full(groups, 1 / groups), PART).astype(np.float64)
        found: list[Floats] = []
        for tables in contestants:
            runs = len(tables[0])
            seeds = rng.multinomial(runs, np.full(runs, 1 / runs), PART) / runs
            for table in tables:
                found.append(sum(seeds[:, [s]] * (counts @ table[s]) for s in range(runs)))
        yield found


def _swaps(pairs: Sequence[Sequence[Floats]]) -> Iterator[list[list[Floats]]]:
    """Sums [PART, ...] of both, by control, after groups changed sides at random."""
    rng = np.random.default_rng(1)
    means = [[table.mean(0) for table in pair] for pair in pairs]
    groups = means[0][0].shape[0]
    for _ in range(DRAWS // PART):
        sides = rng.integers(0, 2, (PART, groups)).astype(np.float64)
        yield [
            [one.sum(0) + sides @ (other - one), other.sum(0) + sides @ (one - other)]
            for one, other in means
        ]
