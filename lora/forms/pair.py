"""Which of two texts (Pairwise): each text has a worth, and the worthier one is preferred.

P(left) = sigmoid(w.(left - right)), Bradley and Terry's model: without a bias, so that swapping
the texts swaps the answer exactly and no side can be learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from label_config.controls import Control
from label_config.values import Choice
from lora.forms.form import IGNORE, Embed, Form, Given, Goal, Head, Said, unit, vectors_of, weighted

LEFT, RIGHT = "left", "right"


class Pair(Form):
    """`vectors` are differences here: left less right."""

    def shapes(self, control: Control, hidden: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (1, hidden), (0,)

    def logits(
        self, control: Control, weight: torch.Tensor, bias: torch.Tensor, vectors: torch.Tensor
    ) -> torch.Tensor:
        """[n, hidden] -> [n, 1], of P(left)."""
        return torch.nn.functional.linear(vectors, weight)

    def target(self, head: Head, goal: Goal | None, offered: Sequence[str]) -> list[float]:
        known = isinstance(goal, tuple) and goal[:1] in {(LEFT,), (RIGHT,)}
        return [float(goal == (LEFT,))] if known else [IGNORE]

    def loss(
        self, control: Control, outputs: torch.Tensor, target: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        known = target[:, 0] != IGNORE
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            outputs[:, 0], target[:, 0].clamp_min(0), reduction="none"
        )
        return weighted(each, known, share)

    def read(self, head: Head, given: Sequence[Given], embed: Embed) -> list[Said]:
        if not head.trained:
            return [([], 0.0) for _ in given]
        others = torch.stack(
            [g.encoded.vector if g.other is None else g.other.vector for g in given]
        )
        rows = head.logits(vectors_of(given) - others)[:, 0].cpu().tolist()
        return [self._say(head.control, row) for row in rows]

    def _say(self, c: Control, logit: float) -> Said:
        if logit == 0 or logit != logit:
            return [], 0.5 if logit == 0 else 0.0  # two equal texts: nothing to prefer
        score = unit(1 / (1 + math.exp(-abs(logit))))
        return [Choice(c.name, c.to_name, (LEFT if logit > 0 else RIGHT,), score)], score
