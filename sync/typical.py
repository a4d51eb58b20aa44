"""Which shown tasks teach most, by the vectors of their texts (docs/decisions/0012).

Until there are about two answers a label, and as long as the cold start serves, whose doubts say
little: the most typical text of the largest clusters without an answer (TypiClust, Hacohen et al.
2022, arXiv:2202.02794). Then the least sure, one of each cluster. Both in blocks, as if it were
asked anew after each. Pure functions on numpy; k-means is scipy's, since scikit-learn imports
torch, which sync does without.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from label_config import Schema
from sync.order import Guess, fraction, shown_places

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Way = Literal["typical", "spread", "turns"]

FRONT = 500
"""Tasks that are looked at together, a fair sample of all: as good as 2,000, whatever there are."""
LEAST = 20  # fewer have no clusters to speak of
KNOWN = 300  # answered tasks whose vectors are asked for
EACH = 2  # answers a label, about: so long typical tasks teach more than unsure ones
MOST_CLUSTERS = 500
BLOCK, BLOCKS = 25, 8  # tasks that are placed together, and how often; then the rest at once
NEIGHBOURS = 20  # of a text, whose mean distance says how typical it is
WIDE = 5  # times a block: so many of the least sure are spread by clusters
STEPS = 20  # of k-means
SEED = 0
LABELLED = {"one", "many", "ordinal", "pair", "spans"}  # forms whose labels are counted


@dataclass(frozen=True)
class Taught:
    """What the train side has taught: how many answers, the vectors of some of them, and whether
    the version that serves has `learned`."""

    answers: int
    vectors: Sequence[bytes]
    learned: bool


@dataclass(frozen=True)
class Line:
    """Where a part of the shown tasks stands: behind so many that have a place, of `total`."""

    standing: int
    total: int

    @property
    def room(self) -> int:
        """Tasks that the front still takes; none where too few for clusters would go in."""
        left = FRONT - self.standing
        return left if left >= LEAST else 0

    @property
    def front(self) -> float:
        """The share of [0, 1] that is the front's."""
        return min(1.0, FRONT / self.total) if self.total else 1.0


def places(
    project: str, guesses: Sequence[Guess], taught: Taught, labels: int, line: Line
) -> tuple[dict[int, float], Way]:
    """A score in [0, 1] for each task of a part, the lowest first, and how they came about.

    A part that goes to the front is ranked; what is behind it, and what says no vectors, comes by
    turns until the next version. Parts of the front interleave, as those behind it do.
    """
    turns = shown_places(project, guesses, by_confidence=taught.learned)
    if not line.room:
        low, wide = line.front, 1 - line.front
        return {task: low + wide * place for task, place in turns.items()}, "turns"
    order = ranked(guesses, taught, labels)
    if order is None:
        return {task: line.front * place for task, place in turns.items()}, "turns"
    without = sorted({g.task for g in guesses} - set(order), key=lambda task: turns[task])
    each = line.front / len(guesses)
    found = {
        task: each * (i + fraction(project, task)) for i, task in enumerate([*order, *without])
    }
    return found, "typical" if is_early(labels, taught.answers, taught.learned) else "spread"


def labels_of(schema: Schema) -> int:
    """Labels of the control with the most; 2 where none has any."""
    return max((len(c.labels) for c in schema.controls if c.form in LABELLED), default=2)


def is_early(labels: int, answers: int, learned: bool) -> bool:
    """Whether typical tasks come first still."""
    return not learned or answers < min(EACH * labels, MOST_CLUSTERS)


def ranked(
    guesses: Sequence[Guess], taught: Taught, labels: int, blocks: int = BLOCKS
) -> list[int] | None:
    """The tasks that have a vector, the first to be asked for first; None of too few."""
    sizes = Counter(len(g.vector) for g in guesses if g.vector).most_common(1)
    size = sizes[0][0] if sizes else 0
    there = [g for g in guesses if g.vector and _fits(g.vector, size)]
    if len(there) < LEAST:
        return None
    known = [v for v in taught.vectors if _fits(v, size)]
    vectors = _read([*known, *(g.vector or b"" for g in there)])
    order = _in_blocks(there, vectors, taught, labels, blocks)
    return [there[i - len(known)].task for i in order]


def _fits(raw: bytes, size: int) -> bool:
    """Whether these are as many finite float16 as the others are."""
    return len(raw) == size and size % 2 == 0 and bool(np.isfinite(np.frombuffer(raw, "<f2")).all())


def _read(raw: Sequence[bytes]) -> Floats:
    return np.stack([np.frombuffer(v, "<f2") for v in raw]).astype(np.float64)


def _in_blocks(
    guesses: Sequence[Guess], vectors: Floats, taught: Taught, labels: int, blocks: int
) -> list[int]:
    """Rows of `vectors`; its first ones are known, the guesses' follow."""
    known = len(vectors) - len(guesses)
    seen, order, left = list(range(known)), list[int](), list(range(known, len(vectors)))
    sure = np.array([1.0] * known + [g.confidence for g in guesses])
    table = _squares(vectors)
    far = _distances(table)
    while left:
        last = len(order) >= BLOCK * blocks
        if is_early(labels, taught.answers + len(order), taught.learned):
            queue = _typical(vectors, table, far, [*seen, *order], BLOCK)
            block = queue if last else queue[:BLOCK]
        elif last:
            block = sorted(left, key=sure.item)
        else:
            block = _spread(vectors, table, sure, left, BLOCK)
            block = _in_turn([guesses[i - known].answer for i in block], block)
        order += block
        chosen = set(block)
        left = [i for i in left if i not in chosen]
    return order


def _typical(
    vectors: Floats, table: Floats, far: Floats, taken: Sequence[int], count: int
) -> list[int]:
    """All rows that are not taken, as if `count` were wanted: one of each cluster in turn, those
    with the fewest taken first, of these the largest; of a cluster the least far from others."""
    number = min(len(taken) + count, MOST_CLUSTERS, len(vectors))
    cluster, known = clusters(vectors, table, number), set(taken)
    answered = np.bincount(cluster[list(taken)], minlength=number)
    sizes = np.bincount(cluster, minlength=number)
    queues = [
        sorted((i for i in np.flatnonzero(cluster == k).tolist() if i not in known), key=far.item)
        for k in sorted(range(number), key=lambda k: (answered[k], -sizes[k]))
    ]
    order: list[int] = []
    while any(queues):
        order += [queue.pop(0) for queue in queues if queue]
    return order


def _spread(
    vectors: Floats, table: Floats, sure: Floats, left: Sequence[int], count: int
) -> list[int]:
    """`count` rows of those `left`: the least sure of each cluster of the least sure."""
    unsure = sorted(left, key=sure.item)[: WIDE * count]
    if len(unsure) <= count:
        return unsure
    first: dict[int, int] = {}
    cluster = clusters(vectors[unsure], table[np.ix_(unsure, unsure)], count)
    for i, k in zip(unsure, cluster.tolist(), strict=True):
        first.setdefault(k, i)
    chosen = set(first.values())
    return ([i for i in unsure if i in chosen] + [i for i in unsure if i not in chosen])[:count]


def _in_turn(answers: Sequence[tuple[str, ...]], block: Sequence[int]) -> list[int]:
    """One of each predicted answer after the other, so that a block cut short has them all."""
    turns: Counter[tuple[str, ...]] = Counter()
    turn: dict[int, int] = {}
    for i, answer in zip(block, answers, strict=True):
        turn[i] = turns[answer]
        turns[answer] += 1
    return sorted(block, key=lambda i: turn[i])


def _squares(vectors: Floats) -> Floats:
    """The squared distance of each row to each."""
    own = (vectors**2).sum(axis=1)
    table: Floats = np.maximum(own[:, None] + own[None, :] - 2 * vectors @ vectors.T, 0)
    np.fill_diagonal(table, 0)
    return table


def _distances(table: Floats) -> Floats:
    """By row, the mean distance to its nearest neighbours."""
    nearest = min(NEIGHBOURS, len(table) - 1)
    near = np.sqrt(np.partition(table, nearest, axis=1)[:, : nearest + 1])
    found: Floats = near.sum(axis=1) / max(nearest, 1)
    return found


def clusters(vectors: Floats, table: Floats, number: int) -> Ints:
    """By row its cluster, of `number` at most; `table`: of their squared distances."""
    from scipy.cluster.vq import kmeans2  # type: ignore[import-untyped]  # here: seldom needed

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One of the clusters is empty", UserWarning)
        _, found = kmeans2(vectors, vectors[_seeds(table, number)], iter=STEPS, minit="matrix")
    return np.asarray(found, dtype=np.int64)


def _seeds(table: Floats, number: int) -> list[int]:
    """Arthur and Vassilvitskii's (2007): the next one drawn by its squared distance to the nearest
    of those there are; of a few so drawn the one that leaves the others nearest, as scikit-learn
    does. Fewer where fewer differ."""
    rng, tries = np.random.default_rng(SEED), 2 + int(np.log(number))
    picked = [int(rng.integers(len(table)))]
    nearest = table[picked[0]]
    while len(picked) < number and nearest.sum() > 0:
        drawn = rng.choice(len(table), size=tries, p=nearest / nearest.sum())
        after = np.minimum(nearest, table[drawn])
        best = int(after.sum(axis=1).argmin())
        picked.append(int(drawn[best]))
        nearest = after[best]
    return picked
