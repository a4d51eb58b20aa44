"""What makes likelihoods probabilities: one temperature a control, or the pool's own leaning.

Functions on tables of log p, options in columns; where the tables come from is not asked here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

COLDEST, HOTTEST = 0.1, 10.0
SOFT = 3.0
ROUNDS, STEP, CLOSE = 300, 0.5, 1e-4  # of the leanings' fixed point, in nats
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

    def margin(self, share: float) -> float:
        """How many nats below the likeliest an option is whose chance is `share` of that one's; no
        number is enough where leanings move options."""
        return math.inf if self.leaning else -self.temperature * math.log(share)

    def chances(self, table: torch.Tensor, values: Sequence[str]) -> torch.Tensor:
        """[..., options] log p -> probabilities among `values`. An option that leanings do not
        know leans as the others do on average."""
        table = table.double()
        if self.leaning:
            usual = sum(self.leaning.values()) / len(self.leaning)
            table = table - table.new_tensor([self.leaning.get(v, usual) for v in values])
        return torch.softmax(table / self.temperature, dim=-1)


def batch_calibration(values: Sequence[str], tables: torch.Tensor) -> Calibration:
    """From [texts, options] log p of unlabelled texts: what makes every option as likely as another
    over all of them, at temperature SOFT, is taken off.

    Batch calibration (Zhou et al. 2023, arXiv:2309.17249) takes off the log of the mean chance,
    which a few sure texts set; the mean of log p, which is this at an endless temperature, is set
    by how unlikely the unlikely is. SmolLM2, train rows, five draws of 100 pool texts, at 1, SOFT
    and endless: SNIPS .770, .784, .763 (400 rows); sms_spam .596, .587, .585 (300 rows).
    """
    if not len(tables):
        return Calibration()
    table = tables.double()
    leaning = torch.log_softmax(table, dim=-1).mean(dim=0)
    for _ in range(ROUNDS):
        chance = torch.softmax((table - leaning) / SOFT, dim=-1).mean(dim=0)
        step = SOFT * (chance.clamp_min(1e-30).log() + math.log(len(chance)))
        leaning = leaning + STEP * step
        if float(step.abs().max()) < CLOSE:
            break
    return Calibration(leaning=dict(zip(values, leaning.tolist(), strict=True)))


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
