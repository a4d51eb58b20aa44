"""What is trained: encoder and heads with one summed loss, and a step's rows as tensors.

Each head's form says its loss (lora/forms/); one forward pass of the encoder serves them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from label_config.controls import Control
from lora.base import bf16_is_fast
from lora.examples import Row
from lora.forms import form_of
from lora.forms.form import IGNORE, Head
from lora.forms.spans import tag_table
from lora.network import pad
from lora.plan import NAMES_SHARE, Step


class Learner(torch.nn.Module):  # type: ignore[misc]
    """Encoder and heads with one loss, in the shape that Trainer takes."""

    def __init__(self, encoder: Any, heads: Mapping[str, Head]) -> None:
        super().__init__()
        self.encoder = encoder
        self.starts = list(heads.values())
        self.weights = torch.nn.ParameterList([h.weight.clone() for h in self.starts])
        self.biases = torch.nn.ParameterList([h.bias.clone() for h in self.starts])

    def heads(self) -> dict[str, Head]:
        """The heads as trained; one without any answer stays as it started."""
        return {
            h.control.name: replace(h, weight=w.detach().cpu(), bias=b.detach().cpu())
            if h.trained
            else h
            for h, w, b in zip(self.starts, self.weights, self.biases, strict=True)
        }

    def set_heads(self, found: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Take weights and biases by control; the others stay as they are."""
        with torch.no_grad():
            for head, weight, bias in zip(self.starts, self.weights, self.biases, strict=True):
                if new := found.get(head.control.name):
                    weight.copy_(new[0])
                    bias.copy_(new[1])

    def pull_back(self, share: float) -> None:
        """Leave of all that was learned so much: LoRA's and the heads' change since the start."""
        with torch.no_grad():
            for name, parameter in self.encoder.named_parameters():
                if "lora_B" in name:  # which starts at 0
                    parameter.mul_(share)
            for head, weight, bias in zip(self.starts, self.weights, self.biases, strict=True):
                weight.copy_(torch.lerp(head.weight.to(weight), weight, share))
                bias.copy_(torch.lerp(head.bias.to(bias), bias, share))

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        targets: Mapping[str, torch.Tensor],
        share_of_row: torch.Tensor,
        borrowed_share: torch.Tensor,
        partners: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """The summed loss. `share_of_row` [rows]: a row's weight in the loss of whole-text answers;
        `borrowed_share`: the same of a second loss on borrowed rows, added as it is. `partners`
        [rows]: where a pair's right text lies among the inputs, behind the rows; else the row."""
        kind = input_ids.device.type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=bf16_is_fast(kind)):
            out = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        states = out.last_hidden_state.float()
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        pooled = torch.nn.functional.normalize((states * mask).sum(1), dim=-1)
        rows = len(share_of_row)
        seen = {"pair": pooled[:rows] - pooled[partners], "spans": states[:rows]}
        loss = states.new_zeros(())
        for head, weight, bias in zip(self.starts, self.weights, self.biases, strict=True):
            target = targets.get(head.control.name)
            if target is None:  # nobody answered it
                continue
            c, form = head.control, form_of(head.control)
            outputs = form.logits(c, weight, bias, seen.get(c.form, pooled[:rows]))
            loss = loss + form.loss(c, outputs, target, share_of_row)
            if c.form == "one":
                borrowed = form.loss(c, outputs, target, borrowed_share)
                loss = loss + borrowed * borrowed_share.sum()
        return {"loss": loss}


def collate(step: Step, heads: Sequence[Head], filler: int) -> dict[str, Any]:
    """One step as tensors: ids, mask, each control's targets, the rows' shares, pairs' partners."""
    rows = [*step.rows, *step.names, *step.made, *step.borrowed]
    seconds = [(i, r.second) for i, r in enumerate(rows) if r.second is not None]
    inputs = pad([r.window.ids for r in rows] + [w.ids for _, w in seconds], filler)
    width = inputs["input_ids"].shape[1]
    targets = {
        h.control.name: _tags(h.control, rows, width)
        if h.control.form == "spans"
        else torch.tensor([_target(h, r) for r in rows])
        for h in heads
        if h.trained
    }
    partners = torch.arange(len(rows))
    for n, (i, _) in enumerate(seconds):
        partners[i] = len(rows) + n
    each = [(1 - NAMES_SHARE) / len(step.rows) * r.weight for r in step.rows]
    each += [NAMES_SHARE / len(step.names)] * len(step.names) if step.names else []
    if step.made:
        each += [step.made_weight * (1 - NAMES_SHARE) / len(step.made)] * len(step.made)
    shares = torch.tensor(each + [0.0] * len(step.borrowed))
    borrowed = torch.zeros(len(rows))
    if step.borrowed:
        borrowed[-len(step.borrowed) :] = step.trust / len(step.borrowed)
    return {
        **inputs,
        "targets": targets,
        "share_of_row": shares,
        "borrowed_share": borrowed,
        "partners": partners,
    }


def _target(head: Head, row: Row) -> list[float]:
    name = head.control.name
    goal, offered = row.choices.get(name), row.offered.get(name, ())
    return form_of(head.control).target(head, goal, offered)


def _tags(control: Control, rows: Sequence[Row], width: int) -> torch.Tensor:
    """[rows, width, labels]; IGNORE where there is no piece, or nobody was asked for the label."""
    table = torch.full((len(rows), width, len(control.labels)), IGNORE)
    for i, r in enumerate(rows):
        if control.name in r.tags:
            count, head = r.window.last - r.window.first, r.window.head
            tags = tag_table(r.tags[control.name], count, len(control.labels))
            table[i, head : head + count] = tags
            for value in r.unasked.get(control.name, ()):
                if value in control.values:
                    table[i, :, control.values.index(value)] = IGNORE
    return table
