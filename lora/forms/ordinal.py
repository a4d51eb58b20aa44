"""A place on a scale (Rating): proportional odds.

P(rating > k) = sigmoid(w.x + b_k) with one direction w for all k and falling thresholds b_k, so
the scale's order is in the head itself and every answer teaches every threshold (McCullagh 1980;
the loss is CORAL's sum of binary ones, Cao et al. 2020). The answer is the median, which is off by
the fewest steps on average; its score is its probability.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from label_config.controls import Control
from label_config.values import Choice
from lora.forms.form import IGNORE, Embed, Form, Given, Goal, Head, Said, unit, vectors_of, weighted


class Ordinal(Form):
    """One of "1" to "K": a direction, and K - 1 thresholds stored as the first one and the falls
    from each to the next (before softplus), so that no training can put them out of order."""

    def shapes(self, control: Control, hidden: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (1, hidden), (len(control.labels) - 1,)

    def logits(
        self, control: Control, weight: torch.Tensor, bias: torch.Tensor, vectors: torch.Tensor
    ) -> torch.Tensor:
        """[n, hidden] -> [n, K - 1], of P(rating > k)."""
        return torch.nn.functional.linear(vectors, weight) + thresholds(bias)

    def target(self, head: Head, goal: Goal | None, offered: Sequence[str]) -> list[float]:
        control, levels = head.control, len(head.control.labels) - 1
        if not isinstance(goal, tuple) or not goal or goal[0] not in control.values:
            return [IGNORE] * levels
        place = control.values.index(goal[0])
        return [float(place > k) for k in range(levels)]

    def loss(
        self, control: Control, outputs: torch.Tensor, target: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        known = (target != IGNORE).all(dim=-1)
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            outputs, target.clamp_min(0), reduction="none"
        )
        return weighted(each.sum(-1), known, share)

    def read(self, head: Head, given: Sequence[Given], embed: Embed) -> list[Said]:
        if not head.trained:
            return [([], 0.0) for _ in given]
        above = torch.sigmoid(head.logits(vectors_of(given))).cpu()
        return [self._say(head.control, row.tolist()) for row in above]

    def _say(self, c: Control, above: Sequence[float]) -> Said:
        edges = [1.0, *above, 0.0]
        place = sum(chance >= 0.5 for chance in above)
        score = unit(edges[place] - edges[place + 1])
        return [Choice(c.name, c.to_name, (c.values[place],), score)], score


def thresholds(bias: torch.Tensor) -> torch.Tensor:
    """The stored first threshold and falls, [K - 1], as falling thresholds."""
    falls = torch.nn.functional.softplus(bias[1:])
    return torch.cat([bias[:1], bias[:1] - falls.cumsum(0)])


def as_stored(levels: torch.Tensor) -> torch.Tensor:
    """Falling thresholds as the first one and falls: what `thresholds` turns back."""
    falls = (levels[:-1] - levels[1:]).clamp_min(1e-3)
    return torch.cat([levels[:1], torch.log(torch.expm1(falls))])
