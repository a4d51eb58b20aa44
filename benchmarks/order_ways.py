"""The orders of asking that `order.py` compares: pure functions on vectors and chances.

Published ones (learning.md, section 7, names the sources) beside our own, which is asked through
`sync/order.py` itself.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

from lora.start import Floats, Ints
from sync.order import Guess, shown_places
from sync.typical import FRONT, KNOWN, Taught, ranked

NEIGHBOURS = 20  # of a text, whose mean distance says how typical it is
MOST_CLUSTERS = 500
WIDE = 5  # times the batch: so many of the least sure are spread by clusters


@dataclass(frozen=True)
class State:
    """Before a batch: the pool's vectors, the model's chances on them, and what is answered.

    `cold`: no adapter has learned yet; `labels`: how many there are.
    """

    vectors: Floats
    chances: Floats
    taken: tuple[int, ...]
    cold: bool
    labels: int
    seed: int

    @property
    def left(self) -> list[int]:
        known = set(self.taken)
        return [i for i in range(len(self.vectors)) if i not in known]

    @property
    def margins(self) -> Floats:
        ordered = np.sort(self.chances, axis=1)
        found: Floats = ordered[:, -1] - ordered[:, -2]
        return found

    @property
    def early(self) -> bool:
        """Fewer than about two answers a label."""
        return len(self.taken) < 2 * self.labels


Way = Callable[[State, int], list[int]]


def at_random(state: State, count: int) -> list[int]:
    order = list(range(len(state.vectors)))
    random.Random(state.seed).shuffle(order)
    known = set(state.taken)
    return [i for i in order if i not in known][:count]


def turns(state: State, count: int) -> list[int]:
    """What sync pushed before 0012, and does without vectors."""
    return _turns(state, state.chances.max(axis=1), count, by_confidence=not state.cold)


def turns_by_margin(state: State, count: int) -> list[int]:
    return _turns(state, state.margins, count, by_confidence=not state.cold)


def typical_turns(state: State, count: int) -> list[int]:
    """One of each predicted answer in turn, the most typical first until two answers a label."""
    if not state.early:
        return turns(state, count)
    return _turns(state, _ranks(_distances(state.vectors)), count, by_confidence=True)


def typical_then_turns(state: State, count: int) -> list[int]:
    return typical(state, count) if state.early else turns(state, count)


def typical_then_spread(state: State, count: int) -> list[int]:
    return typical(state, count) if state.early else spread(state, count)


def spread(state: State, count: int) -> list[int]:
    """Of the smallest margins one of each cluster; at random while cold."""
    return _spread(state, state.margins, count)


def _spread(state: State, margins: Floats, count: int) -> list[int]:
    if state.cold:
        return at_random(state, count)
    left = state.left
    unsure = sorted(left, key=lambda i: float(margins[i]))[: WIDE * count]
    if len(unsure) <= count:
        return unsure
    means = _clusters(state.vectors[unsure], count, state.seed)
    found: list[int] = []
    for k in range(count):
        own = [i for i, c in zip(unsure, means, strict=True) if c == k]
        if own:
            found.append(min(own, key=lambda i: float(margins[i])))
    rest = [i for i in unsure if i not in set(found)]
    return (found + rest)[:count]


def typical(state: State, count: int) -> list[int]:
    """TypiClust (Hacohen et al. 2022): the most typical of the largest clusters without an
    answer."""
    number = min(len(state.taken) + count, MOST_CLUSTERS, len(state.vectors))
    cluster = _clusters(state.vectors, number, state.seed)
    far, known = _distances(state.vectors), set(state.taken)
    answered = np.bincount(cluster[list(state.taken)], minlength=number) if state.taken else None
    sizes = np.bincount(cluster, minlength=number)
    order = sorted(
        range(number), key=lambda k: (answered[k] if answered is not None else 0, -sizes[k])
    )
    queues = {
        k: sorted((i for i in np.flatnonzero(cluster == k) if i not in known), key=lambda i: far[i])
        for k in order
    }
    found: list[int] = []
    while len(found) < count and any(queues.values()):
        for k in order:
            if queues[k] and len(found) < count:
                found.append(int(queues[k].pop(0)))
    return found


def _turns(state: State, sure: Floats, count: int, *, by_confidence: bool) -> list[int]:
    said = state.chances.argmax(axis=1)
    left = state.left
    guesses = [Guess(i, (str(said[i]),), float(sure[i])) for i in left]
    places = shown_places(f"{state.seed}", guesses, by_confidence=by_confidence)
    return sorted(left, key=lambda i: places[i])[:count]


def _ranks(values: Floats) -> Floats:
    found: Floats = np.argsort(np.argsort(values)) / len(values)
    return found


def _distances(vectors: Floats) -> Floats:
    near = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, len(vectors))).fit(vectors)
    found: Floats = near.kneighbors(vectors)[0][:, 1:].mean(axis=1)
    return found


def _clusters(vectors: Floats, number: int, seed: int) -> Ints:
    kind = KMeans if number <= 50 else MiniBatchKMeans
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct texts than clusters
        found: Ints = kind(number, n_init=1, random_state=seed).fit_predict(vectors)
    return found


def typical_then_sure(state: State, count: int) -> list[int]:
    return typical(state, count) if state.early else _spread(state, _top(state), count)


def in_front(way: Way, size: int) -> Way:
    """The same among `size` of those left, drawn by hash: as many as sync looks at together."""

    def pick(state: State, count: int) -> list[int]:
        front = [*state.taken, *at_random(state, size)]
        part = replace(
            state,
            vectors=state.vectors[front],
            chances=state.chances[front],
            taken=tuple(range(len(state.taken))),
        )
        return [front[i] for i in way(part, count)]

    return pick


def as_pushed(state: State, count: int) -> list[int]:
    """What sync pushes where it knows vectors: the product's own code, float16 and all."""
    said, raw = state.chances.argmax(axis=1), state.vectors.astype("<f2")
    guesses = [
        Guess(i, (str(said[i]),), float(state.chances[i].max()), raw[i].tobytes())
        for i in state.left
    ]
    some = [raw[i].tobytes() for i in state.taken[:KNOWN]]
    taught = Taught(len(state.taken), some, not state.cold)
    order = ranked(guesses, taught, state.labels)
    return state.left[:count] if order is None else order[:count]


def _top(state: State) -> Floats:
    found: Floats = state.chances.max(axis=1)
    return found


WAYS: Mapping[str, Way] = {
    "random": at_random,
    "turns (ours)": turns,
    "turns by margin": turns_by_margin,
    "typical turns": typical_turns,
    "typiclust, then turns": typical_then_turns,
    "typiclust, then margin x clusters": typical_then_spread,
    "margin x clusters": spread,
    "typiclust, then confidence x clusters": typical_then_sure,
    "typiclust, then margin x clusters, of 500": in_front(typical_then_spread, 500),
    "typiclust, then confidence x clusters, of 500": in_front(typical_then_sure, 500),
    "typiclust, then margin x clusters, of 250": in_front(typical_then_spread, 250),
    "as pushed since 0012": in_front(as_pushed, FRONT),
}


def walk(
    way: Way,
    answer: Callable[[Sequence[int]], tuple[Floats, float]],
    vectors: Floats,
    counts: Sequence[int],
    labels: int,
    seed: int,
) -> list[float]:
    """Accuracy at each of `counts` answers, asked in this order. `answer`: taken rows -> chances
    on the pool and accuracy on others."""
    taken: list[int] = []
    chances, _ = answer(taken)
    found: list[float] = []
    for count in counts:
        state = State(vectors, chances, tuple(taken), not taken, labels, seed)
        taken += way(state, count - len(taken))
        chances, accuracy = answer(taken)
        found.append(accuracy)
    return found
