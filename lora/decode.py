"""Logits of a Labels head become spans: a valid BIO path per text, found for all labels at once.

A Labels head has two rows per label, B (begins) and I (goes on); O (outside) is the zero they are
measured against, so one softmax over [0, B1, I1, B2, I2, ...] gives a token's probabilities. The
same rows read as one softmax [0, B, I] per label would allow overlapping spans; what is decoded
here lets labels compete, because Label Studio's usual span tasks do not overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """A span in tokens, `[first, last)`, its label's index and its mean token probability."""

    first: int
    last: int
    label: int
    score: float


@dataclass(frozen=True)
class Path:
    """All spans of a text and how sure the path is: its mean token probability."""

    spans: tuple[Found, ...]
    score: float


def decode(logits: torch.Tensor) -> Path:
    """The likeliest path through `logits` [tokens, 2 labels]; I only follows its own B or I."""
    rows = np.asarray(logits.detach().cpu().double().numpy())
    count, width = rows.shape
    table = np.concatenate([np.zeros((count, 1)), np.nan_to_num(rows, nan=-1e4)], axis=1)
    table = np.clip(table, -1e4, 1e4)
    peak = table.max(axis=1, keepdims=True)
    chance = table - peak - np.log(np.exp(table - peak).sum(axis=1, keepdims=True))
    states = _best_path(chance)
    sure = np.exp(chance[np.arange(count), states])
    spans = _spans(states, sure)
    return Path(spans, float(sure.mean()) if count else 1.0)


def _best_path(chance: Floats) -> Ints:
    """Viterbi over O=0, B of label k = 2k+1, I of label k = 2k+2; each step is vectorised."""
    count, width = chance.shape
    back = np.zeros((count, width), dtype=np.int64)
    inside = np.arange(2, width, 2)
    best = chance[0].copy()
    best[inside] = -np.inf
    for t in range(1, count):
        top = int(best.argmax())
        reach = np.full(width, best[top])
        back[t] = top
        goes_on = best[inside] >= best[inside - 1]
        back[t, inside] = np.where(goes_on, inside, inside - 1)
        reach[inside] = best[back[t, inside]]
        best = reach + chance[t]
    states = np.zeros(count, dtype=np.int64)
    states[-1] = int(best.argmax())
    for t in range(count - 1, 0, -1):
        states[t - 1] = back[t, states[t]]
    return states


def _spans(states: Ints, sure: Floats) -> tuple[Found, ...]:
    spans: list[Found] = []
    for first in np.flatnonzero(states % 2 == 1):
        last = int(first) + 1
        while last < len(states) and states[last] == states[first] + 1:
            last += 1
        score = float(min(1.0, sure[first:last].mean()))
        spans.append(Found(int(first), last, int(states[first] // 2), score))
    return tuple(spans)
