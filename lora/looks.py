"""One look: is one contestant better than another on the same rows? Paired, and one-sided.

p is how often contestants that are alike part so far, or farther, in this direction. Rows of one
group stand or fall together. Where each group is one row that is right or wrong, p is McNemar's,
exact; else groups change sides at random, with all their counts, so that a score need not be a sum
over rows (span F1 is none). What happens exactly as often as not counts half (mid-p), so two that
answer alike have 0.5. The interval is the paired bootstrap's over the same groups. Pure numpy; the
same input gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import permutations
from math import comb, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from lora.paired import LEVEL, Floats, Marks, judged_by, score_of, table_of

DRAWS = 4000
PART = 200  # of these are in memory at once
FEW_BLIND = 100  # below so many blind labels, rows answered since the last snapshot may help
LABELLED = 20  # rows of a label that say something of it; fewer would cost the others their power
MANY = 1000  # coins, of which the bell curve is as good as exact
NEAR = 1e-9  # two scores this near are one score computed in another order
ORDERS = np.array(list(permutations(range(3))))
SIMPLE = {"accuracy"}  # marks of 1 or 0


@dataclass(frozen=True)
class Look:
    """How far one contestant is above `against` over `n` rows, the bootstrap's interval, and the
    one-sided p. `won`, `lost`: groups of rows on which it did better and worse."""

    against: str
    value: float
    low: float
    high: float
    p: float
    n: int
    won: int
    lost: int
    test: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Rows:
    """The rows that all contestants were judged on: by control its metric, and the sums of each
    group, [contestants, groups, 3 or 2]."""

    metrics: tuple[str, ...]
    tables: tuple[Floats, ...]
    n: int

    @property
    def groups(self) -> int:
        return int(self.tables[0].shape[1])

    def score(self, who: int) -> float:
        """A contestant's mean score over controls."""
        return float(self.means([t[who].sum(0) for t in self.tables]))

    def means(self, sums: Sequence[Floats]) -> Floats:
        """The mean score over controls of sums [..., 3 or 2], by control."""
        scores = [score_of(m, s) for m, s in zip(self.metrics, sums, strict=True)]
        found: Floats = np.mean(scores, axis=0)
        return found


def rows_of(
    contestants: Sequence[Marks], metrics: Mapping[str, str], groups: Mapping[str, str]
) -> Rows | None:
    """None where there is no row that all were judged on."""
    some = contestants[0]
    both = {c: sorted(r for r in some if judged_by(contestants, r, c)) for c in metrics}
    kept = {c: rows for c, rows in both.items() if rows}
    if not kept:
        return None
    ids = {row for rows in kept.values() for row in rows}
    names = {name: i for i, name in enumerate(sorted({groups[row] for row in ids}))}
    tables = [table_of(contestants, c, metrics[c], rows, groups, names) for c, rows in kept.items()]
    return Rows(tuple(metrics[c] for c in kept), tuple(tables), len(ids))


def look(rows: Rows, against: str, one: int = 0, other: int = 1, *, interval: bool = True) -> Look:
    """Contestant `one` of the rows beside `other`; `interval`: or only what decides."""
    mine, theirs = ([t[i] for t in rows.tables] for i in (one, other))
    value = rows.score(one) - rows.score(other)
    apart = np.zeros(rows.groups)
    for metric, a, b in zip(rows.metrics, mine, theirs, strict=True):
        apart += np.nan_to_num(score_of(metric, a) - score_of(metric, b))
    won, lost = int((apart > NEAR).sum()), int((apart < -NEAR).sum())
    if _one_row_a_group(rows):
        test, p = "McNemar", mcnemar(won, lost)
    else:
        test, p = "swaps", _swapped(rows, mine, theirs, value)
    low, high = _interval(rows, mine, theirs) if interval else (-1.0, 1.0)
    return Look(against, value, low, high, p, rows.n, won, lost, test)


def mcnemar(won: int, lost: int) -> float:
    """How often won + lost fair coins fall as `won` to `lost` or farther; a tie counts half."""
    n = won + lost
    if n > MANY:
        return NormalDist().cdf((lost - won) / sqrt(n))
    ways = sum(comb(n, k) for k in range(won + 1, n + 1))
    return float((2 * ways + comb(n, won)) / 2 ** (n + 1))


def among(
    rows: Rows, found: Look, earlier: float, one: int = 0, first: int = 1, base: int = 2
) -> Look:
    """`found`, a look at `one` over `first`, as the second of two: where `first` has been looked at
    beside `base` before and would have been taken at a p of up to `earlier`, p is how often luck
    takes either of the two, if all three are alike (max-T: they change places at random, group by
    group, together)."""
    rng = np.random.default_rng(2)
    three = [t[[one, first, base]] for t in rows.tables]
    second, former = [], []
    for _ in range(DRAWS // PART):
        drawn = ORDERS[rng.integers(0, len(ORDERS), (PART, rows.groups))]
        sums = [_placed(t, drawn) for t in three]
        scores = [rows.means([s[:, k] for s in sums]) for k in range(3)]
        second.append(scores[0] - scores[1])
        former.append(scores[1] - scores[2])
    late, early = np.concatenate(second), np.concatenate(former)
    beyond = (late > found.value + NEAR) + 0.5 * (np.abs(late - found.value) <= NEAR)
    taken = early > np.quantile(early, 1 - earlier) + NEAR
    p = float((0.5 + np.maximum(beyond, taken).sum()) / (1 + len(late)))
    return replace(found, p=max(p, found.p), test="max-T")


def _placed(table: Floats, drawn: Floats) -> Floats:
    """Sums [draws, 3, k] of three contestants' groups after they changed places."""
    found = np.zeros((len(drawn), 3, table.shape[2]))
    for place in range(3):
        for who in range(3):
            found[:, place] += (drawn[:, :, place] == who).astype(np.float64) @ table[who]
    return found


def _one_row_a_group(rows: Rows) -> bool:
    """Whether McNemar's test fits: one control, whose groups are one row each, right or wrong."""
    return len(rows.tables) == 1 and rows.metrics[0] in SIMPLE and rows.n == rows.groups


def _swapped(rows: Rows, mine: Sequence[Floats], theirs: Sequence[Floats], value: float) -> float:
    rng = np.random.default_rng(1)
    beyond = 0.5  # what was seen is one of the ways to fall, too
    for _ in range(DRAWS // PART):
        sides = rng.integers(0, 2, (PART, rows.groups)).astype(np.float64)
        moved = [sides @ (b - a) for a, b in zip(mine, theirs, strict=True)]
        one = rows.means([a.sum(0) + m for a, m in zip(mine, moved, strict=True)])
        other = rows.means([b.sum(0) - m for b, m in zip(theirs, moved, strict=True)])
        gaps = one - other
        beyond += float((gaps > value + NEAR).sum() + 0.5 * (np.abs(gaps - value) <= NEAR).sum())
    return float(beyond / (1 + DRAWS))


def _interval(rows: Rows, mine: Sequence[Floats], theirs: Sequence[Floats]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    drawn: list[Floats] = []
    for _ in range(DRAWS // PART):
        even = np.full(rows.groups, 1 / rows.groups)
        counts = rng.multinomial(rows.groups, even, PART).astype(np.float64)
        one, other = (rows.means([counts @ t for t in ts]) for ts in (mine, theirs))
        drawn.append(one - other)
    gaps = np.concatenate(drawn)
    low, high = np.quantile(gaps[np.isfinite(gaps)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
