"""Logits of a spans head become spans: the likeliest valid BIO paths, many texts at once.

A label has two rows, B (begins) and I (goes on); O (outside) is the zero they are measured
against. `decode`: each label has a softmax [O, B, I] of its own, so spans of different labels may
overlap and those of one label cannot. `decode_apart`: the same logits as one softmax over O and all
B and I, for people who never let spans overlap: of labels that claim the same token the likeliest
path wins. Each token's likeliest tag is the answer wherever that is a valid path, which it nearly
always is; Viterbi runs only where it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
O, B, I = 0, 1, 2  # noqa: E741 - the scheme's own names


@dataclass(frozen=True)
class Found:
    """A span in tokens, `[first, last)`, its label's index and its mean token probability."""

    first: int
    last: int
    label: int
    score: float


@dataclass(frozen=True)
class Path:
    """All spans of a text, by place and label, and how sure they are: over tokens, the mean
    probability that every tag is right."""

    spans: tuple[Found, ...]
    score: float


def decode(logits: torch.Tensor, counts: Sequence[int]) -> list[Path]:
    """One path for each text, each label for itself. `logits` [tokens of all texts, 2 labels]; the
    first text has the first `counts[0]` tokens, and so on."""
    rows = _readable(logits)
    if not rows.size:
        return [Path((), 1.0) for _ in counts]
    table = np.concatenate([np.zeros((*rows.shape[:2], 1)), rows], axis=2)
    chance = _log_softmax(table)  # [tokens, labels, 3]
    states: Ints = chance.argmax(axis=2)
    edges = _edges(counts)
    before = _before(states, edges)
    broken = (states == I) & (before == O)
    _mend(states, chance, broken, edges)
    sure = np.take_along_axis(chance, states[..., None], axis=2)[..., 0]
    firsts, labels = np.nonzero(states == B)
    lasts = _ends(states == I)[firsts, labels]
    each = np.append(np.exp(sure).T.ravel(), 0.0)  # label after label, so that a span is a run
    runs = np.stack([firsts, lasts], axis=1) + (labels * len(states))[:, None]
    sums = np.add.reduceat(each, runs.ravel())[::2] if len(runs) else each[:0]
    cells = (firsts, lasts, labels, np.minimum(1.0, sums / (lasts - firsts)))
    scored = [Found(*cell) for cell in zip(*(c.tolist() for c in cells), strict=True)]
    return _paths(scored, np.exp(sure.sum(axis=1)), edges)


def decode_apart(logits: torch.Tensor, counts: Sequence[int]) -> list[Path]:
    """As `decode`, but no two spans of a text overlap."""
    rows = _readable(logits)
    if not rows.size:
        return [Path((), 1.0) for _ in counts]
    table = np.concatenate([np.zeros((len(rows), 1)), rows.reshape(len(rows), -1)], axis=1)
    chance = _log_softmax(table)  # [tokens, 1 + 2 labels]; B of label k is 2k+1, I is 2k+2
    path: Ints = chance.argmax(axis=1)
    edges = _edges(counts)
    before = _before(path, edges)
    broken = (path > 0) & (path % 2 == 0) & (before != path) & (before != path - 1)
    for a, b in _texts_with(broken, edges):
        path[a:b] = _one_path(chance[a:b])
    sure = np.exp(chance[np.arange(len(path)), path])
    scored: list[Found] = []
    for first in np.flatnonzero(path % 2 == 1).tolist():
        last = _end(path == path[first] + 1, first)
        mean = float(min(1.0, sure[first:last].mean()))
        scored.append(Found(first, last, int(path[first] // 2), mean))
    return _paths(scored, sure, edges)


def _readable(logits: torch.Tensor) -> Floats:
    """[tokens, labels, 2], all numbers finite."""
    rows: Floats = logits.detach().cpu().double().numpy()
    rows = np.clip(np.nan_to_num(rows, nan=-1e4), -1e4, 1e4)
    return rows.reshape(len(rows), rows.shape[1] // 2, 2)


def _log_softmax(table: Floats) -> Floats:
    table = table - table.max(axis=-1, keepdims=True)
    chance: Floats = table - np.log(np.exp(table).sum(axis=-1, keepdims=True))
    return chance


def _edges(counts: Sequence[int]) -> Ints:
    """Where each text begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.asarray(counts, dtype=np.int64))])


def _before(states: Ints, edges: Ints) -> Ints:
    """The state before each token; before a text's first one, O."""
    before = np.concatenate([np.zeros_like(states[:1]), states[:-1]])
    before[edges[:-1][edges[:-1] < len(states)]] = O
    return before


def _texts_with(marked: npt.NDArray[np.bool_], edges: Ints) -> list[tuple[int, int]]:
    """The texts `[begin, end)` that hold a marked token."""
    texts = np.unique(np.searchsorted(edges, np.flatnonzero(marked), side="right") - 1)
    return [(int(edges[t]), int(edges[t + 1])) for t in texts]


def _end(inside: npt.NDArray[np.bool_], first: int) -> int:
    """Where a span that begins at `first` ends; no text begins inside of one, since paths are
    valid."""
    last = first + 1
    while last < len(inside) and inside[last]:
        last += 1
    return last


def _ends(inside: npt.NDArray[np.bool_]) -> Ints:
    """`_end` of every token and label at once."""
    count = len(inside)
    stops = np.where(inside, count, np.arange(count)[:, None])
    nearest = np.minimum.accumulate(stops[::-1], axis=0)[::-1]
    after: Ints = np.concatenate([nearest[1:], np.full((1, inside.shape[1]), count)])
    return after


def _paths(spans: Sequence[Found], sure: Floats, edges: Ints) -> list[Path]:
    """Spans and certainties of all texts, text by text."""
    by_text: list[list[Found]] = [[] for _ in edges[1:]]
    owners = np.searchsorted(edges, [s.first for s in spans], side="right") - 1
    for s, t in zip(spans, owners.tolist(), strict=True):
        at = int(edges[t])
        by_text[t].append(Found(s.first - at, s.last - at, s.label, s.score))
    return [
        Path(tuple(own), float(sure[a:b].mean()) if b > a else 1.0)
        for own, a, b in zip(by_text, edges[:-1], edges[1:], strict=True)
    ]


def _mend(states: Ints, chance: Floats, broken: npt.NDArray[np.bool_], edges: Ints) -> None:
    """Put the likeliest valid path wherever a text's label has a broken one: all of them side by
    side, shorter ones followed by tokens that can only be O."""
    texts = _texts_with(np.logical_or.reduce(broken, axis=1), edges)
    pairs = [(a, b, k) for a, b in texts for k in np.flatnonzero(broken[a:b].any(axis=0)).tolist()]
    if not pairs:
        return
    table = np.full((max(b - a for a, b, _ in pairs), len(pairs), 3), -np.inf)
    table[:, :, O] = 0.0
    for column, (a, b, k) in enumerate(pairs):
        table[: b - a, column] = chance[a:b, k]
    paths = _viterbi(table)
    for column, (a, b, k) in enumerate(pairs):
        states[a:b, k] = paths[: b - a, column]


def _viterbi(chance: Floats) -> Ints:
    """The likeliest valid path of each label [tokens, labels, 3]; a step takes all labels."""
    count, labels, _ = chance.shape
    back = np.zeros((count, labels, 3), dtype=np.int64)
    best = chance[0].copy()
    best[:, I] = -np.inf
    for t in range(1, count):
        top = best.argmax(axis=1)
        goes_on = np.where(best[:, I] >= best[:, B], I, B)
        back[t] = np.stack([top, top, goes_on], axis=1)
        best = np.take_along_axis(best, back[t], axis=1) + chance[t]
    states = np.zeros((count, labels), dtype=np.int64)
    states[-1] = best.argmax(axis=1)
    for t in range(count - 1, 0, -1):
        states[t - 1] = np.take_along_axis(back[t], states[t][:, None], axis=1)[:, 0]
    return states


def _one_path(chance: Floats) -> Ints:
    """The likeliest valid path over O=0, B of label k = 2k+1, I of label k = 2k+2."""
    count, width = chance.shape
    back = np.zeros((count, width), dtype=np.int64)
    inside = np.arange(2, width, 2)
    best = chance[0].copy()
    best[inside] = -np.inf
    for t in range(1, count):
        back[t] = int(best.argmax())
        goes_on = best[inside] >= best[inside - 1]
        back[t, inside] = np.where(goes_on, inside, inside - 1)
        best = best[back[t]] + chance[t]
    path = np.zeros(count, dtype=np.int64)
    path[-1] = int(best.argmax())
    for t in range(count - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path
