"""Which rows go into which training step: decided beforehand, from the seed alone.

Each step takes the next rows of a shuffled round through all of them, so every row is seen equally
often, and beside them a few label names and borrowed pool texts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from lora.examples import Row

BATCH = 16
NAMES = 4  # label names in a step, with NAMES_SHARE of the choices' loss
NAMES_SHARE = 0.3
BORROWED = 8  # pool texts in a step, whose loss is added with weight BORROWED_WEIGHT...
BORROWED_WEIGHT = 0.5
RAMP = 0.3  # ...reached after this share of the steps


@dataclass(frozen=True)
class Step:
    """The rows of one optimiser step. `names`: label texts that stand for their label.
    `borrowed`: pool texts with a guessed choice, whose loss weighs `trust`."""

    rows: tuple[Row, ...]
    names: tuple[Row, ...] = ()
    borrowed: tuple[Row, ...] = ()
    trust: float = 0.0


def plan_steps(
    rows: Sequence[Row], names: Sequence[Row], borrowed: Sequence[Row], steps: int, seed: int
) -> list[Step]:
    """`steps` steps; raises ValueError when there is nothing to learn from."""
    if not rows:
        raise ValueError("no train row carries an answer; there is nothing to learn from")
    rng = random.Random(seed)
    queue: list[Row] = []
    plan: list[Step] = []
    for n in range(steps):
        while len(queue) < min(BATCH, len(rows)):
            queue.extend(rng.sample(list(rows), len(rows)))
        taken, queue = queue[:BATCH], queue[BATCH:]
        beside = _some(rng, names, NAMES), _some(rng, borrowed, BORROWED)
        trust = BORROWED_WEIGHT * min(1.0, n / (RAMP * steps))
        plan.append(Step(tuple(taken), *beside, trust))
    return plan


def _some(rng: random.Random, rows: Sequence[Row], most: int) -> tuple[Row, ...]:
    return tuple(rng.sample(list(rows), min(most, len(rows))))
