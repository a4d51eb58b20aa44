"""What is trained: a causal model with LoRA and its loss on answers alone.

The head of a language model is its widest layer, so it is asked only where an answer's token is
predicted: two dimensions go in, [answer tokens, hidden], which also keeps clear of a copy of the
whole head that torch makes of a frozen one for a batch (../shared/reference/models.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lora.base import bf16_is_fast
from lora.causal.rows import TokenRow
from lora.network import pad

WORTH = 16  # tokens in common that are worth a pass of their own


class AnswerHead(torch.nn.Linear):  # type: ignore[misc]
    """A language model's head that looks only at the places (row, column) it was given."""

    places: tuple[torch.Tensor, torch.Tensor] | None

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        if self.places is not None:
            states = states[self.places]
        return torch.nn.functional.linear(states.to(self.weight.dtype), self.weight, self.bias)


class CausalLearner(torch.nn.Module):  # type: ignore[misc]
    """A PeftModel whose forward is each row's loss: -log p of its answer, in nats."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._head: tuple[Any, ...] = (model.get_output_embeddings(),)  # not registered twice
        self._head[0].__class__, self._head[0].places = AnswerHead, None

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        places: tuple[torch.Tensor, torch.Tensor],
        targets: torch.Tensor,
        begin: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """`places`: (rows, columns) whose next token is an answer's; `targets`: these tokens;
        `begin` [tokens]: what comes before all rows alike, whose columns `attention_mask` has."""
        kind = input_ids.device.type
        head = self._head[0]
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=bf16_is_fast(kind)):
            inputs: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
            if begin is not None:
                nowhere = torch.zeros(0, dtype=torch.long, device=input_ids.device)
                head.places = (nowhere, nowhere)
                made = self.model(input_ids=begin.unsqueeze(0), use_cache=True)
                made.past_key_values.batch_repeat_interleave(len(input_ids))
                inputs["past_key_values"] = made.past_key_values
            head.places = places
            out = self.model(**inputs, use_cache=begin is not None)
        lost = torch.nn.functional.cross_entropy(out.logits.float(), targets, reduction="none")
        return lost.new_zeros(len(input_ids)).index_add(0, places[0], lost)


def collate(
    rows: Sequence[TokenRow], filler: int, device: Any = "cpu", share: bool = True
) -> dict[str, Any]:
    """Rows as what the learner takes. `share`: what they have in common is run once, which with a
    long description of many labels and short texts is most of the work."""
    common = _common(rows) if share and len(rows) > 1 else 0
    common = common if common >= WORTH else 0
    inputs = pad([r.ids[common:] for r in rows], filler)
    mask = torch.nn.functional.pad(inputs["attention_mask"], (common, 0), value=1)
    at = [(i, n - 1) for i, r in enumerate(rows) for n in range(r.start, len(r.ids))]
    made: dict[str, Any] = {
        "input_ids": inputs["input_ids"].to(device),
        "attention_mask": mask.to(device),
        "places": (
            torch.tensor([i for i, _ in at], device=device),
            torch.tensor([n - common for _, n in at], device=device),
        ),
        "targets": torch.tensor([rows[i].ids[n + 1] for i, n in at], device=device),
    }
    if common:
        made["begin"] = torch.tensor(rows[0].ids[:common], device=device)
    return made


def _common(rows: Sequence[TokenRow]) -> int:
    """How many first tokens all rows have in common, before what predicts an answer."""
    first, most = rows[0].ids, min(r.start - 1 for r in rows)
    for n in range(most):
        if any(r.ids[n] != first[n] for r in rows):
            return n
    return most
