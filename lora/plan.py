"""Which rows go into which training step: decided beforehand, from the seed alone.

Rows come in shuffled rounds through all of them, so every row is seen equally often; within some
steps those of like length go together, so that little is padded. Beside them each step has a few
label names, synthetic rows and borrowed pool texts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from lora.examples import Row

BATCH = 16
STRETCH = 8  # steps whose rows are sorted by length
NAMES = 2  # label names in a step, with NAMES_SHARE of the choices' loss
NAMES_SHARE = 0.3
BORROWED = 4  # pool texts in a step, whose loss is added with weight BORROWED_WEIGHT...
BORROWED_WEIGHT = 0.5
RAMP = 0.3  # ...reached after this share of the steps
MADE = 8  # synthetic rows in a step; they weigh as their examples do (lora/examples.py)

FEWEST, MOST = 80, 400
ROUNDS = 5  # times that each row is seen where there are many
SPAN_STEPS, ENOUGH_SPANS = 2, 200
"""Steps a row, and at most so many, where spans are marked: a choice starts near its goal, spans
from nothing. F1 .639 after 120 steps, .663 after 200 (SNIPS train rows, 100 to learn from, 400 to
judge, one fit each)."""


def count_steps(rows: Sequence[Row]) -> int:
    """How many steps the rows are worth."""
    spans = any(row.tags for row in rows)
    least = min(ENOUGH_SPANS, SPAN_STEPS * len(rows)) if spans else 0
    return max(FEWEST, least, min(MOST, ROUNDS * len(rows) // BATCH))


@dataclass(frozen=True)
class Step:
    """The rows of one optimiser step. `names`: label texts that stand for their label.
    `borrowed`: pool texts with a guessed choice, whose loss weighs `trust`. `made`: synthetic rows,
    which together weigh `made_weight` of the human ones."""

    rows: tuple[Row, ...]
    names: tuple[Row, ...] = ()
    borrowed: tuple[Row, ...] = ()
    trust: float = 0.0
    made: tuple[Row, ...] = ()
    made_weight: float = 0.0


def plan_steps(
    rows: Sequence[Row],
    names: Sequence[Row],
    borrowed: Sequence[Row],
    steps: int,
    seed: int,
    made: Sequence[Row] = (),
    made_weight: float = 0.0,
) -> list[Step]:
    """`steps` steps; raises ValueError when there is nothing to learn from.

    The human rows of each step are the same whether or not there are synthetic ones.
    """
    if not rows:
        raise ValueError("no train row carries an answer; there is nothing to learn from")
    rng = random.Random(seed)  # nosec B311  # drawn again from a seed
    others = iter(_batches(random.Random(f"{seed} made"), made, steps, MADE) if made else ())  # nosec B311  # drawn again from a seed
    plan: list[Step] = []
    for n, taken in enumerate(_batches(rng, rows, steps)):
        beside = _some(rng, names, NAMES), _some(rng, borrowed, BORROWED)
        ramp = min(1.0, n / (RAMP * steps))
        trust = BORROWED_WEIGHT * ramp
        plan.append(Step(taken, *beside, trust, next(others, ()), made_weight * ramp))
    return plan


def _batches(
    rng: random.Random, rows: Sequence[Row], steps: int, most: int = BATCH
) -> list[tuple[Row, ...]]:
    """`steps` batches; in each stretch rows of like length share one, in shuffled order."""
    size = min(most, len(rows))
    queue: list[Row] = []
    while len(queue) < steps * size:
        queue.extend(rng.sample(list(rows), len(rows)))
    batches: list[tuple[Row, ...]] = []
    for start in range(0, steps * size, STRETCH * size):
        stretch = queue[start : min(start + STRETCH * size, steps * size)]
        stretch.sort(key=lambda row: len(row.window.ids))
        cut = [tuple(stretch[i : i + size]) for i in range(0, len(stretch), size)]
        batches += rng.sample(cut, len(cut))
    return batches


def _some(rng: random.Random, rows: Sequence[Row], most: int) -> tuple[Row, ...]:
    return tuple(rng.sample(list(rows), min(most, len(rows))))
