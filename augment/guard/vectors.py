"""Rows as unit vectors, each text embedded once in a run, and cosines in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from augment.values import Embed, Vectors
from label_config.controls import InvalidValue

BLOCK = 512  # rows of one product: 512 x 50,000 cosines are 100 MB


class Remembered:
    """An Embed that asks for each text once and believes no vector that is none."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._known: dict[str, Vectors] = {}

    def __call__(self, texts: Sequence[str]) -> Vectors:
        new = [t for t in dict.fromkeys(texts) if t not in self._known]
        if new:
            self._known.update(zip(new, checked(self._embed(new), len(new)), strict=True))
        if not texts:
            return np.zeros((0, 0), np.float32)
        return np.stack([self._known[t] for t in texts])


def checked(vectors: Vectors, count: int) -> Vectors:
    """The vectors, if they are `count` finite ones of unit length; else raises InvalidValue: a
    cosine of anything else would let everything through."""
    vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2 or len(vectors) != count:
        raise InvalidValue(f"embedding {count} text(s) gave an array of shape {vectors.shape}")
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=0.01):
        raise InvalidValue(f"embedding {count} text(s) gave vectors that are not of length 1")
    return vectors


def row_vectors(embed: Embed, rows: Sequence[Mapping[str, str]]) -> Vectors:
    """A vector per row: of its text, or where it has several the direction of their mean."""
    texts = [text for row in rows for _, text in sorted(row.items())]
    found = embed(texts)
    at = np.cumsum([0, *(len(row) for row in rows)])
    sums = [found[a:b].sum(axis=0) for a, b in zip(at, at[1:], strict=False)]
    return unit(np.stack(sums))


def unit(vectors: Vectors) -> Vectors:
    """Each row at length 1; a row of zeros stays one."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    out: Vectors = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return out


def cosines(left: Vectors, right: Vectors) -> Iterator[tuple[int, Vectors]]:
    """(first row, cosines of BLOCK rows of `left` with all of `right`), one block at a time."""
    for at in range(0, len(left), BLOCK):
        yield at, left[at : at + BLOCK] @ right.T
