"""Which rows go into which training step: decided beforehand, from the seed alone.

Each step takes the next rows of a shuffled round through all of them, so every row is seen equally
often, and a few label names beside them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from lora.examples import Row

BATCH = 16
NAMES = 4  # label names in a step, with NAMES_SHARE of the choices' loss
NAMES_SHARE = 0.3


@dataclass(frozen=True)
class Step:
    """The rows of one optimiser step; `names` are label texts that stand for their label."""

    rows: tuple[Row, ...]
    names: tuple[Row, ...]


def plan_steps(rows: Sequence[Row], names: Sequence[Row], steps: int, seed: int) -> list[Step]:
    """`steps` steps; raises ValueError when there is nothing to learn from."""
    if not rows:
        raise ValueError("no train row carries an answer; there is nothing to learn from")
    rng = random.Random(seed)
    queue: list[Row] = []
    plan: list[Step] = []
    for _ in range(steps):
        while len(queue) < min(BATCH, len(rows)):
            queue.extend(rng.sample(list(rows), len(rows)))
        taken, queue = queue[:BATCH], queue[BATCH:]
        plan.append(Step(tuple(taken), tuple(rng.sample(list(names), min(NAMES, len(names))))))
    return plan
