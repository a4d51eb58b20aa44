"""Near-duplicates by letters: 5-letter shingles, MinHash signatures, and bands to look them up.

A pair that shares half of its shingles meets in a band with probability .996, one of .7 always
for all that matters (1 - 3e-8). What meets is then compared exactly.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Marks = npt.NDArray[np.uint64]

N = 5
BANDS, ROWS = 42, 3
SLACK = 0.2  # below the bar, where an estimate from 126 draws is still looked at: over 4 sd
LEAST = 0.5  # the lowest bar that the bands are good for


def _drawn(count: int) -> Marks:
    rng = random.Random("5:minhash")  # nosec B311  # drawn again from a seed
    return np.array([rng.getrandbits(64) | 1 for _ in range(count)], np.uint64)


_WEIGHTS = _drawn(N)
_TIMES = _drawn(BANDS * ROWS + N)[N:, None]


def mixed(values: Marks) -> Marks:
    """Every bit of the result depends on every bit that came (splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def codes(text: str) -> Marks:
    """The code points of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)


def grams(text: str) -> Marks:
    """The hash of each piece of N letters, in order; a shorter text is one piece."""
    points = codes(f" {text} ")
    if len(points) < N:
        points = np.pad(points, (0, N - len(points)))
    windows = np.lib.stride_tricks.sliding_window_view(points, N)
    return mixed((windows * _WEIGHTS).sum(axis=1, dtype=np.uint64))


def shingles(text: str) -> Marks:
    """The distinct hashes of a text's pieces, sorted."""
    return np.unique(grams(text))


def jaccard(a: Marks, b: Marks) -> float:
    """The share of all their shingles that two texts have in common."""
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


def signature(marks: Marks) -> Marks:
    """The least of all shingles under each of the permutations."""
    out: Marks = mixed(marks * _TIMES).min(axis=1)
    return out


class Index:
    """Texts by number, found again by those like them."""

    def __init__(self) -> None:
        self._marks: list[Marks] = []
        self._signatures: list[Marks] = []
        self._bands: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)

    def add(self, marks: Marks) -> int:
        """Take a text in; its number, counted from 0."""
        number, signed = len(self._marks), signature(marks)
        self._marks.append(marks)
        self._signatures.append(signed)
        for key in _keys(signed):
            self._bands[key].append(number)
        return number

    def like(self, marks: Marks, least: float) -> Iterator[tuple[int, float]]:
        """(number, similarity) of the texts that share at least `least` (0.5 or more) with it, in
        the order they came."""
        signed = signature(marks)
        met = sorted({n for key in _keys(signed) for n in self._bands.get(key, ())})
        if not met:
            return
        guess = (np.stack([self._signatures[n] for n in met]) == signed).mean(axis=1)
        for n, estimate in zip(met, guess, strict=True):
            if estimate >= least - SLACK and (share := jaccard(marks, self._marks[n])) >= least:
                yield n, share


def _keys(signed: Marks) -> list[tuple[int, bytes]]:
    raw, width = signed.tobytes(), ROWS * signed.itemsize
    return [(b, raw[b * width : (b + 1) * width]) for b in range(BANDS)]
