"""Simulated judged rows for `gate.py`: pairs that differ by so much, and rounds as in the demo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Marks = dict[str, dict[str, list[float]]]

NORMAL = NormalDist()
ALIKE = 0.75  # of what makes a row hard is the row's own, the rest the fit's
COLD = 0.3  # how far the cold start is below
ROUNDS = (25, 50, 75, 100, 125, 150, 175, 200)  # answers
BLIND = (8, 16, 23, 30, 33, 37, 40, 44)  # of these, as in benchmarks/results/demo-*.json
INTENTS = (0.900, 0.936, 0.962, 0.962, 0.974, 0.977, 0.982, 0.984)  # the same files' test columns
SLOTS = (0.250, 0.420, 0.505, 0.557, 0.635, 0.670, 0.690, 0.715)
COLD_INTENTS = 0.861
LUCK = (0.006, 0.012)  # standard deviation of a fit's true intents and slots
TRAINED = 0.8  # of the answers


@dataclass(frozen=True)
class Pair:
    """How two contestants stand: true difference and share of rows on which just one is right."""

    rows: int
    apart: float
    discordant: float
    right: float = 0.85

    def draw(self, rng: np.random.Generator) -> tuple[Bools, Bools]:
        """Marks of the candidate and of the champion."""
        won, lost = ((self.discordant + s * self.apart) / 2 for s in (1, -1))
        kinds = [won, lost, self.right - won, max(0.0, 1 - self.right - lost)]
        seen = rng.choice(4, self.rows, p=np.array(kinds) / sum(kinds))
        return (seen != 1) & (seen != 3), (seen != 0) & (seen != 3)


@dataclass(frozen=True)
class Alike:
    """Contestants of whom any two are equally good, and one right alone on such a share of rows."""

    rows: int
    discordant: float
    right: float = 0.85

    def draw(self, rng: np.random.Generator, many: int) -> list[Bools]:
        """The marks of each: most rows are the same for all, on the others luck decides."""
        luck = rng.random(self.rows) < self.discordant / (2 * self.right * (1 - self.right))
        same = rng.random(self.rows) < self.right
        return [np.where(luck, rng.random(self.rows) < self.right, same) for _ in range(many)]


def report(
    candidate: Mapping[str, Any], champion: Mapping[str, Any], cold: Mapping[str, Any]
) -> dict[str, Any]:
    """As the trainer leaves it, with what the gate reads."""
    metrics = {"c": "accuracy", "s": "f1"}
    controls = {c: {"metric": metrics[c], "n": 1} for c in next(iter(candidate.values()))}
    contestants = {"candidate": candidate, "champion": champion, "cold": cold}
    scores = {
        who: {"mean": float(np.mean([m["c"][0] for m in marks.values()])), "right": marks}
        for who, marks in contestants.items()
    }
    scores["candidate"]["controls"] = controls
    return {"holdout": len(candidate), "scores": scores}


def choices(right: Bools) -> Marks:
    return {f"r{i:05}": {"c": [float(mark)]} for i, mark in enumerate(right)}


class Texts:
    """Blind rows with an intent and some slots, each as hard as it is for everybody."""

    def __init__(self, rng: np.random.Generator, count: int, slots: bool) -> None:
        self._rng, self._slots = rng, slots
        self._hard = rng.standard_normal(count)
        self._gold = 1 + rng.poisson(1.6, count)
        own = [rng.standard_normal(n) for n in self._gold]
        pairs = zip(self._hard, own, strict=True)
        self._each = [sqrt(0.5) * hard + sqrt(0.5) * some for hard, some in pairs]

    def answered(self, intents: float, slots: float) -> Marks:
        """The marks of a model with these true scores on texts of this kind."""
        right = self._right(self._hard, intents)
        made: Marks = {f"r{i:05}": {"c": [float(mark)]} for i, mark in enumerate(right)}
        if not self._slots:
            return made
        found = 1.6 * slots / (1.6 * slots + 2 * (1 - slots))  # F1, where 6 of 10 misses are wrong
        for row, each in zip(made.values(), self._each, strict=True):
            hits = int(self._right(each, found).sum()) if slots else 0
            missed = len(each) - hits
            wrong = int(self._rng.binomial(missed, 0.6)) if slots else 0
            row["s"] = [float(hits), float(wrong), float(missed)]
        return made

    def _right(self, hard: Floats, share: float) -> Bools:
        luck = self._rng.standard_normal(len(hard))
        level = NORMAL.inv_cdf(min(max(share, 1e-6), 1 - 1e-6))
        return sqrt(ALIKE) * hard + sqrt(1 - ALIKE) * luck < level


@dataclass(frozen=True)
class Fit:
    """A round's candidate (or the cold start): its true scores, what it learned from, its marks."""

    quality: tuple[float, float]
    answers: int
    marks: Marks

    def true(self, slots: bool) -> float:
        return float(np.mean(self.quality)) if slots else self.quality[0]


def demo(
    rng: np.random.Generator, *, slots: bool, spoiled: tuple[int, float] = (999, 0.0)
) -> tuple[Fit, list[Fit]]:
    """The cold start and the candidates of all rounds. `spoiled`: from so many answers on the
    candidates are so much worse (bad labels among what they learn from)."""
    texts = Texts(rng, BLIND[-1], slots)
    cold = Fit((COLD_INTENTS, 0.0), 0, texts.answered(COLD_INTENTS, 0.0))
    fits: list[Fit] = []
    for answers, intents, f1 in zip(ROUNDS, INTENTS, SLOTS, strict=True):
        less = spoiled[1] if answers >= spoiled[0] else 0.0
        luck = [rng.normal(0, s) for s in LUCK]
        quality = min(0.999, intents + luck[0] - less), f1 + luck[1] - less
        fits.append(Fit(quality, answers, texts.answered(*quality)))
    return cold, fits
