"""A number: linear regression on the text's vector, in units of the answers' own spread.

The score is the probability that the answer lies within a tolerance of the right one, if errors
are normal with the spread that 5-fold cross-validation of the frozen start had (lora/forms/
starts.py): all rows of one head so have the same score, and it errs on the modest side, since
training usually betters the start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from label_config.controls import Control
from label_config.values import Quantity
from lora.forms.form import IGNORE, Embed, Form, Given, Goal, Head, Said, unit, vectors_of, weighted

TOLERANCE = 0.1  # of the range of the train answers; the control's step where that is more
FACTS = ("mean", "scale", "spread", "low", "high")
"""Of the train answers: mean, standard deviation, error of the start, least, most."""


class Number(Form):
    """One number, clipped to the control's bounds and rounded to its step."""

    def shapes(self, control: Control, hidden: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (1, hidden), (1,)

    def target(self, head: Head, goal: Goal | None, offered: Sequence[str]) -> list[float]:
        if not isinstance(goal, float):
            return [0.0, IGNORE]
        return [(goal - head.facts["mean"]) / head.facts["scale"], 0.0]

    def loss(
        self, control: Control, outputs: torch.Tensor, target: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        """Huber's, of standardised numbers: one mistyped answer must not steer the rest."""
        known = target[:, 1] != IGNORE
        each = torch.nn.functional.smooth_l1_loss(outputs[:, 0], target[:, 0], reduction="none")
        return weighted(each, known, share)

    def read(self, head: Head, given: Sequence[Given], embed: Embed) -> list[Said]:
        if not head.trained:
            return [([], 0.0) for _ in given]
        score = within(head)
        rows = head.logits(vectors_of(given))[:, 0].cpu().double().tolist()
        return [self._say(head, row, score) for row in rows]

    def _say(self, head: Head, row: float, score: float) -> Said:
        c = head.control
        value = head.facts["mean"] + head.facts["scale"] * row
        if not math.isfinite(value):
            return [], 0.0
        return [Quantity(c.name, c.to_name, fitted(c, value), score)], score


def fitted(control: Control, value: float) -> float:
    """Rounded to the control's step (counted from its low bound) and clipped to its bounds."""
    if control.step:
        origin = control.low or 0.0
        steps = round((value - origin) / control.step)
        if control.high is not None:  # the highest step may lie below the bound
            steps = min(steps, math.floor((control.high - origin) / control.step + 1e-9))
        value = round(origin + steps * control.step, 10)  # 0.1 * 3 is 0.3 again
    if control.high is not None:
        value = min(value, control.high)
    return value if control.low is None else max(value, control.low)


def within(head: Head) -> float:
    """The probability of an error within the tolerance."""
    extent = head.facts["high"] - head.facts["low"]
    tolerance = max(TOLERANCE * extent, head.control.step or 0.0)
    spread = head.facts["spread"]
    return unit(math.erf(tolerance / (spread * math.sqrt(2)))) if spread > 0 else 1.0
