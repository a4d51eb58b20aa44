"""A model of the letters in the project's own texts: how strange another text is beside them.

Letters are foretold from the four before them, with Witten-Bell's weights between the orders. Case
does not count. Counted with numpy: a million code points take a second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from augment.guard.minhash import Marks, codes, grams, mixed

Floats = npt.NDArray[np.float64]

ORDER = 5
WORST = 24  # code points of the strangest stretch that is judged: about four words
COUNTED = 1_000_000  # code points that are counted; further texts add little
READ = 2_000  # code points read of a text
START, END = 0x110000, 0x110001  # beyond every code point


class Letters:
    """A model of the letters in some texts; called, it gives each text's strangest stretch in
    nats per code point."""

    def __init__(self, texts: Sequence[str]) -> None:
        ends = np.cumsum([min(len(t), READ) for t in texts])
        taken = [t for t, end in zip(texts, ends, strict=True) if end <= COUNTED]
        points, real = _laid_out(taken)
        self._alphabet = len(np.unique(points[real])) + 1
        self._grams: list[tuple[Marks, Floats]] = []
        self._contexts: list[tuple[Marks, Floats, Floats]] = []
        for context, gram in _orders(points):
            keys, first, count = np.unique(gram[real], return_index=True, return_counts=True)
            self._grams.append((keys, count.astype(np.float64)))
            before, inverse = np.unique(context[real][first], return_inverse=True)
            total = np.bincount(inverse, weights=count).astype(np.float64)
            kinds = np.bincount(inverse).astype(np.float64)
            self._contexts.append((before, total, kinds))

    def __call__(self, texts: Sequence[str]) -> list[float]:
        points, real = _laid_out(texts)
        chance: Floats = np.full(len(points), 1.0 / self._alphabet)
        for (context, gram), known, before in zip(
            _orders(points), self._grams, self._contexts, strict=True
        ):
            seen = _looked_up(gram, known[0], known[1])
            total, kinds = (_looked_up(context, before[0], x) for x in before[1:])
            mass = np.where(total > 0, total + kinds, 1.0)
            chance = np.where(total > 0, (seen + kinds * chance) / mass, chance)
        nats = -np.log(chance)
        at = np.cumsum([0, *(min(len(t), READ) + 1 for t in texts)])
        return [_worst(nats[real][a:b]) for a, b in zip(at, at[1:], strict=False)]


def _laid_out(texts: Sequence[str]) -> tuple[Marks, npt.NDArray[np.bool_]]:
    """All code points after one another, starts and ends marked; which of them are foretold."""
    parts: list[Marks] = [np.zeros(0, np.uint64)]
    for text in texts:
        marks = [np.array([START] * (ORDER - 1), np.uint64), codes(_plain(text))]
        parts += [*marks, np.array([END], np.uint64)]
    points = np.concatenate(parts)
    return points, points != START


def _plain(text: str) -> str:
    """In small letters one for one, so that offsets and counts stay."""
    return "".join(low if len(low := c.lower()) == 1 else c for c in text[:READ])


def _orders(points: Marks) -> list[tuple[Marks, Marks]]:
    """For each order the hashes of what stands before each place, and of that with the place."""
    out: list[tuple[Marks, Marks]] = []
    context: Marks = np.zeros(len(points), np.uint64)
    for _ in range(ORDER):
        gram = mixed(context * np.uint64(0x9E3779B97F4A7C15) + points + np.uint64(1))
        out.append((context, gram))
        context = np.roll(gram, 1)  # the first place's is wrong, and a start, never foretold
    return out


def _looked_up(wanted: Marks, keys: Marks, values: Floats) -> Floats:
    if not len(keys):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0.0)


def _worst(nats: Floats) -> float:
    width = min(WORST, len(nats))
    sums = np.cumsum(np.concatenate([[0.0], nats]))
    return float((sums[width:] - sums[:-width]).max() / width)


def repeats(text: str) -> float:
    """The share of a text's 5-letter pieces that were there before."""
    pieces = grams(text[:READ])
    return 1.0 - len(np.unique(pieces)) / len(pieces)
