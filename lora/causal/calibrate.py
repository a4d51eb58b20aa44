"""What makes likelihoods probabilities: one temperature a control, or the pool's own leaning.

Functions on tables of log p, options in columns; where the tables come from is not asked here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

COLDEST, HOTTEST = 0.1, 10.0
PULL = 0.5
"""Standard deviation of log temperature around 0, believed before any row is seen: a dozen rows
that are all right would otherwise make it as cold as can be."""


@dataclass(frozen=True)
class Calibration:
    """How log p of a control's options become probabilities. `leaning`: by option what it gains
    whatever the text says, in nats, taken off first."""

    temperature: float = 1.0
    leaning: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = [self.temperature, *self.leaning.values()]
        if not all(math.isfinite(n) for n in numbers) or self.temperature <= 0:
            raise ValueError(f"temperature {self.temperature} or a leaning is no number above 0")

    def chances(self, table: torch.Tensor, values: Sequence[str]) -> torch.Tensor:
        """[..., options] log p -> probabilities among `values`. An option that leanings do not
        know leans as the others do on average."""
        table = table.double()
        if self.leaning:
            usual = sum(self.leaning.values()) / len(self.leaning)
            table = table - table.new_tensor([self.leaning.get(v, usual) for v in values])
        return torch.softmax(table / self.temperature, dim=-1)


def batch_calibration(values: Sequence[str], tables: torch.Tensor) -> Calibration:
    """From [texts, options] log p of unlabelled texts: an option's usual gain is taken off.

    As batch calibration (Zhou et al. 2023, arXiv:2309.17249), but the mean of log p and not the log
    of the mean, which a few sure texts would set: .75 to .55 on SNIPS train rows with SmolLM2.
    """
    if not len(tables):
        return Calibration()
    mean = torch.log_softmax(tables.double(), dim=-1).mean(dim=0)
    return Calibration(leaning=dict(zip(values, mean.tolist(), strict=True)))


def fit_temperature(tables: Sequence[torch.Tensor], gold: Sequence[int]) -> float:
    """The temperature that makes the right options likeliest on rows not trained on.

    `tables[i]` [options of row i] log p, `gold[i]` the right one's place. Golden-section search of
    log T: the likelihood has one peak in 1 / T, and the pull towards 1 keeps it to one.
    """
    rows = [t.double() for t in tables]

    def cost(log_t: float) -> float:
        heat = math.exp(log_t)
        lost = sum(
            float(torch.log_softmax(t / heat, -1)[g]) for t, g in zip(rows, gold, strict=True)
        )
        return 0.5 * (log_t / PULL) ** 2 - lost

    return round(math.exp(_lowest(cost, math.log(COLDEST), math.log(HOTTEST))), 4)


def _lowest(cost: Callable[[float], float], low: float, high: float) -> float:
    golden = (math.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        a, b = high - golden * (high - low), low + golden * (high - low)
        if cost(a) <= cost(b):
            high = b
        else:
            low = a
    return (low + high) / 2
