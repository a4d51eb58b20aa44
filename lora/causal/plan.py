"""Which rows go into which optimiser step, and how a step is cut to fit in memory.

Decided beforehand, from the seed alone. Rows come in shuffled rounds, so every row is seen equally
often; within some steps those of like length go together, so that little is padded. Synthetic rows
stand beside the human ones, a few in each step.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from lora.causal.rows import TokenRow

BATCH = 8
MADE = 4  # synthetic rows in a step, beside the human ones
LENT = 8  # the same where texts of the pool are lent: those are many, and real
RAMP = 0.3  # share of the steps after which they weigh all that they are given
STRETCH = 8  # steps whose rows are sorted by length
FEWEST, MOST = 40, 4000
ROUNDS = 5  # times that each row is seen where there are many

Step = tuple[TokenRow, ...]


def count_steps(rows: int) -> int:
    """How many steps so many rows are worth."""
    return max(FEWEST, min(MOST, ROUNDS * rows // BATCH))


def plan_steps(
    rows: Sequence[TokenRow],
    steps: int,
    seed: int,
    made: Sequence[TokenRow] = (),
    lent: Sequence[TokenRow] = (),
) -> list[Step]:
    """`steps` steps; raises ValueError when there is nothing to learn from.

    `made`, `lent`: rows that nobody answered, MADE and LENT of them in a step. The human rows of
    each step are the same whether or not there are any.
    """
    if not rows:
        raise ValueError("no train row carries an answer; there is nothing to learn from")
    plan = _batches(random.Random(seed), rows, steps, BATCH)  # nosec B311  # drawn again from a seed
    for some, most in ((made, MADE), (lent, LENT)):
        if some:
            rng = random.Random(f"{seed} made")  # nosec B311  # drawn again from a seed
            beside = _batches(rng, some, steps, most)
            plan = [(*step, *more) for step, more in zip(plan, beside, strict=True)]
    return plan


def _batches(
    rng: random.Random, rows: Sequence[TokenRow], steps: int, most: int
) -> list[tuple[TokenRow, ...]]:
    """`steps` batches; in each stretch rows of like length share one, in shuffled order."""
    size = min(most, len(rows))
    queue: list[TokenRow] = []
    while len(queue) < steps * size:
        queue.extend(rng.sample(list(rows), len(rows)))
    plan: list[Step] = []
    for start in range(0, steps * size, STRETCH * size):
        stretch = queue[start : min(start + STRETCH * size, steps * size)]
        stretch.sort(key=lambda row: len(row.ids))
        cut = [tuple(stretch[i : i + size]) for i in range(0, len(stretch), size)]
        plan += rng.sample(cut, len(cut))
    return plan


def cut_step(step: Step, tokens: int) -> list[Step]:
    """The step in parts of at most `tokens` padded tokens each, a part having one row at least."""
    parts: list[list[TokenRow]] = []
    for row in sorted(step, key=lambda r: len(r.ids)):
        if parts and (len(parts[-1]) + 1) * len(row.ids) <= tokens:
            parts[-1].append(row)
        else:
            parts.append([row])
    return [tuple(part) for part in parts]
