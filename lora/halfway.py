"""After many answers to choices: heads meet a regression on the adapted encoder halfway.

A head learns while the encoder moves under it, and an encoder that was pulled back is none that it
ever saw. The mean of it and of a logistic regression on where the texts lie now is better than
either; both are linear, so the mean is one head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from label_config.controls import Control
from label_config.values import Example
from lora.base import Base
from lora.examples import chosen
from lora.forms.form import Head
from lora.forms.paths import is_tree
from lora.network import LoraTensors, Network
from lora.start import FROZEN_STRENGTH, logistic


def meet_halfway(
    base: Base, tensors: LoraTensors, heads: Mapping[str, Head], human: Sequence[Example]
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Weight and bias, by control, of each trained head that takes one label of a flat list.

    `tensors`: the adapter's, by PEFT's names; `human`: the rows it has learned from.
    """
    network = Network(base)
    network.activate("adapted", tensors)
    fit = {c.name for c in (h.control for h in heads.values()) if _is_flat(c)}
    found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, head in heads.items():
        c = head.control
        rows = [
            (e.texts[c.key], picked[0])
            for e in human
            if name in fit and e.texts.get(c.key, "").strip() and (picked := chosen(c, e))
        ]
        if head.trained and len({k for _, k in rows}) > 1:
            found[name] = _halfway(network, head, rows)
    return found


def _is_flat(control: Control) -> bool:
    return control.form == "one" and control.options is None and not is_tree(control)


def _halfway(
    network: Network, head: Head, rows: Sequence[tuple[str, int]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of the head and the regression; a label without an answer keeps the head's row,
    as far below the others' mean as it was."""
    encoded = network.encode([text for text, _ in rows], [False] * len(rows))
    vectors = torch.stack([e.vector for e in encoded]).cpu().double().numpy()
    labels = np.array([k for _, k in rows], dtype=np.int64)
    classes, fitted, level = logistic(vectors, labels, np.ones(len(labels)), FROZEN_STRENGTH)
    weight, bias = head.weight.detach().cpu().clone(), head.bias.detach().cpu().clone()
    bias -= bias[classes].mean()
    weight[classes] = (weight[classes] + torch.tensor(fitted, dtype=weight.dtype)) / 2
    own = torch.tensor(level - level.mean(), dtype=bias.dtype)
    bias[classes] = (bias[classes] + own) / 2
    return weight, bias
