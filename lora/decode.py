"""Logits of a spans head become spans: the likeliest valid BIO paths, all labels at once.

A label has two rows, B (begins) and I (goes on); O (outside) is the zero they are measured
against. `decode`: each label has a softmax [O, B, I] of its own, so spans of different labels may
overlap and those of one label cannot. `decode_apart`: the same logits as one softmax over O and all
B and I, for people who never let spans overlap: of labels that claim the same token the likeliest
path wins.
"""

from __future__ import annotations

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
    """All spans of a text, and how sure they are: over tokens, the mean probability that every
    label's tag is right."""

    spans: tuple[Found, ...]
    score: float


def decode(logits: torch.Tensor) -> Path:
    """The likeliest tags in `logits` [tokens, 2 labels]; I only follows its own label's B or I."""
    if not logits.numel():
        return Path((), 1.0)
    rows = (
        torch.nan_to_num(logits.detach().double(), nan=-1e4).clamp(-1e4, 1e4).unflatten(-1, (-1, 2))
    )
    table = torch.cat([torch.zeros_like(rows[..., :1]), rows], dim=-1)
    chance = torch.log_softmax(table, dim=-1).cpu().numpy()
    states = _states(chance)
    sure = np.take_along_axis(chance, states[..., None], axis=2)[..., 0]
    return Path(_spans(states, np.exp(sure)), float(np.exp(sure.sum(axis=1)).mean()))


def decode_apart(logits: torch.Tensor) -> Path:
    """The likeliest path through `logits` [tokens, 2 labels] in which no two spans overlap."""
    if not logits.numel():
        return Path((), 1.0)
    rows = torch.nan_to_num(logits.detach().double(), nan=-1e4).clamp(-1e4, 1e4)
    table = torch.cat([torch.zeros_like(rows[:, :1]), rows], dim=-1)
    chance = torch.log_softmax(table, dim=-1).cpu().numpy()
    path = _one_path(chance)
    sure = np.exp(chance[np.arange(len(path)), path])
    labels = np.arange(rows.shape[1] // 2)
    states: Ints = np.where((path[:, None] - 1) // 2 == labels, (path[:, None] - 1) % 2 + 1, O)
    spans = _spans(states, np.repeat(sure[:, None], len(labels), axis=1))
    return Path(spans, float(sure.mean()))


def _one_path(chance: Floats) -> Ints:
    """Viterbi over O=0, B of label k = 2k+1, I of label k = 2k+2; a step takes all tags at once."""
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


def _states(chance: Floats) -> Ints:
    """[tokens, labels, 3] -> [tokens, labels]. Each token's likeliest tag, if that is a valid path;
    Viterbi only for the labels where it is not."""
    states: Ints = chance.argmax(axis=2)
    before = np.concatenate([np.zeros_like(states[:1]), states[:-1]])
    broken = np.flatnonzero(((states == I) & (before == O)).any(axis=0))
    if len(broken):
        states[:, broken] = _viterbi(chance[:, broken])
    return states


def _viterbi(chance: Floats) -> Ints:
    """The likeliest valid path of each label; one step takes all labels at once."""
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


def _spans(states: Ints, sure: Floats) -> tuple[Found, ...]:
    """In order of their place, then of their label."""
    found: list[Found] = []
    for first, label in np.argwhere(states == B).tolist():
        last = first + 1
        while last < len(states) and states[last, label] == I:
            last += 1
        score = float(min(1.0, sure[first:last, label].mean()))
        found.append(Found(first, last, label, score))
    return tuple(found)
