"""What is trained: encoder and heads with one summed loss, and a step's rows as tensors.

Choices: cross-entropy (multiple: binary, summed over labels). Labels: one softmax over O and all B
and I of a piece; the measured alternative, a softmax per label, gave the same spans but took 2-3
points off the choices beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from label_config.values import Control
from lora.examples import IGNORE
from lora.heads import Head
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

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        targets: Mapping[str, torch.Tensor],
        share_of_row: torch.Tensor,
        borrowed_share: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """The summed loss. `share_of_row` [rows]: a row's weight in the choices' loss;
        `borrowed_share`: the same of a second loss on borrowed rows, added as it is."""
        kind = input_ids.device.type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=bf16_is_fast(kind)):
            out = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        states = out.last_hidden_state.float()
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        pooled = torch.nn.functional.normalize((states * mask).sum(1), dim=-1)
        loss = states.new_zeros(())
        for head, weight, bias in zip(self.starts, self.weights, self.biases, strict=True):
            target = targets.get(head.control.name)
            if target is None or not head.trained:
                continue
            if head.control.kind == "Labels":
                logits = torch.nn.functional.linear(states, weight, bias)
                loss = loss + tag_loss(logits, target)
            else:
                logits = torch.nn.functional.linear(pooled, weight, bias)
                loss = loss + choice_loss(head.control, logits, target, share_of_row)
                borrowed = choice_loss(head.control, logits, target, borrowed_share)
                loss = loss + borrowed * borrowed_share.sum()
        return {"loss": loss}


def tag_loss(logits: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
    """Cross-entropy over [0, B1, I1, ...] and the pieces that have a tag; 0 without any."""
    table = torch.cat([torch.zeros_like(logits[..., :1]), logits], dim=-1)
    total = torch.nn.functional.cross_entropy(
        table.flatten(0, 1), tags.flatten(), ignore_index=IGNORE, reduction="sum"
    )
    return total / (tags != IGNORE).sum().clamp_min(1)


def choice_loss(
    control: Control, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Weighted mean over the rows that have an answer (others hold IGNORE); 0 without any."""
    known = (target != IGNORE).all(dim=-1)
    if control.multiple:
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, target.clamp_min(0).to(logits.dtype), reduction="none"
        ).sum(-1)
    else:
        each = torch.nn.functional.cross_entropy(
            logits, target[:, 0], ignore_index=IGNORE, reduction="none"
        )
    weight = weight * known
    return (each * weight).sum() / weight.sum().clamp_min(1e-6)


def collate(step: Step, heads: Sequence[Head], filler: int) -> dict[str, Any]:
    """One step as tensors: ids, mask, each control's targets, and the rows' shares."""
    rows = [*step.rows, *step.names, *step.borrowed]
    inputs = pad([r.window.ids for r in rows], filler)
    width = inputs["input_ids"].shape[1]
    targets: dict[str, torch.Tensor] = {}
    for c in (h.control for h in heads):
        if c.kind == "Labels":
            table = torch.full((len(rows), width), IGNORE)
            for i, r in enumerate(rows):
                tags = r.tags.get(c.name, ())
                table[i, r.window.head : r.window.head + len(tags)] = torch.tensor(tags).long()
        else:
            table = torch.tensor([_choice_target(c, r.choices.get(c.name)) for r in rows])
        targets[c.name] = table
    each = [(1 - NAMES_SHARE) / len(step.rows)] * len(step.rows)
    each += [NAMES_SHARE / len(step.names)] * len(step.names) if step.names else []
    shares = torch.tensor(each + [0.0] * len(step.borrowed))
    borrowed = torch.zeros(len(rows))
    if step.borrowed:
        borrowed[-len(step.borrowed) :] = step.trust / len(step.borrowed)
    return {**inputs, "targets": targets, "share_of_row": shares, "borrowed_share": borrowed}


def _choice_target(control: Control, picked: tuple[int, ...] | None) -> list[int]:
    if not control.multiple:
        return [picked[0] if picked else IGNORE]
    if picked is None:
        return [IGNORE] * len(control.labels)
    return [int(k in picked) for k in range(len(control.labels))]


def bf16_is_fast(device: str) -> bool:
    """Whether this processor multiplies bf16 natively (a third off a CPU's training time)."""
    if device != "cpu":
        return torch.cuda.is_bf16_supported()  # type: ignore[no-any-return]
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))
