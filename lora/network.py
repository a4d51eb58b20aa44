"""The serving encoder: one forward pass for all controls of a text, one adapter at a time.

A Network shares the base's frozen weights and owns copies of those that an adapter changes;
`activate` writes base + 2 B A into them (8 ms for MiniLM at rank 16; unmerged LoRA would make
every forward pass a quarter slower). It belongs to one thread.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch

from lora.base import Base
from lora.windows import Pieces, Window, cut, read_pieces

BATCH_TOKENS = 4096  # padded word pieces of one forward pass; bounds its memory
SCALE = 2.0  # alpha / rank, the same for every adapter (lora/fit.py writes it, loaded.py checks)

LoraTensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Encoded:
    """A text as the encoder sees it: `vector` [hidden], mean over pieces, L2-normalised; `tokens`
    [pieces, hidden], or None where nobody asked for them or there is no piece."""

    pieces: Pieces
    vector: torch.Tensor
    tokens: torch.Tensor | None


class Network:
    """The encoder with one active adapter. Not thread-safe: one thread owns it."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.model = share(base.model)
        self._active: object | None = None
        self._weights = dict(base.model.named_parameters())
        self._own: dict[str, torch.Tensor] = {}

    def activate(self, key: object, tensors: LoraTensors) -> None:
        """Make `tensors` (PEFT's names) the active adapter; none of them: the plain base.

        Nothing happens if `key` is active already. Raises KeyError or ValueError when the tensors
        are not of this base; then no adapter is active and the next call writes everything anew.
        """
        if self._active is key:
            return
        pairs = _pairs(tensors)
        for name, (a, b) in pairs.items():
            self._check(name, a, b)
        self._active = None
        with torch.no_grad():
            for name in self._own.keys() - pairs.keys():
                self._own[name].copy_(self._weights[name])
            for name, (a, b) in pairs.items():
                delta = [t.to(self._weights[name].device) for t in (b, a)]
                torch.addmm(self._weights[name], *delta, alpha=SCALE, out=self._slot(name))
        self._active = key

    def _check(self, name: str, a: torch.Tensor, b: torch.Tensor) -> None:
        weight = self._weights.get(name)
        if weight is None or weight.dim() != 2:
            raise KeyError(f"adapter changes {name!r}, which base {self.base.name!r} has not")
        if (b.shape[0], a.shape[1]) != tuple(weight.shape) or a.shape[0] != b.shape[1]:
            came = f"{tuple(b.shape)} x {tuple(a.shape)}"
            raise ValueError(f"adapter of {name!r} is {came}, the weight {tuple(weight.shape)}")

    def _slot(self, name: str) -> torch.Tensor:
        """The network's own copy of a weight, made when an adapter first changes it."""
        if name not in self._own:
            own = torch.nn.Parameter(self._weights[name].detach().clone(), requires_grad=False)
            module, _, leaf = name.rpartition(".")
            setattr(self.model.get_submodule(module), leaf, own)
            self._own[name] = own
        return self._own[name]

    def encode(self, texts: Sequence[str], tokens: Sequence[bool] | None = None) -> list[Encoded]:
        """Encode texts with the active adapter; `tokens[i]`: keep the piece vectors of text i."""
        pieces = [read_pieces(self.base, text) for text in texts]
        windows = [(i, w) for i, p in enumerate(pieces) for w in cut(self.base, p)]
        sums = torch.zeros(len(texts), self.base.hidden, device=self.model.device)
        parts: list[dict[int, torch.Tensor]] = [{} for _ in texts]
        for batch in _batches(windows):
            states, mask = self._forward([w for _, w in batch])
            pooled = (states * mask.unsqueeze(-1)).sum(1)
            for row, (i, w) in enumerate(batch):
                sums[i] += pooled[row]
                if w.last > w.first and (tokens is None or tokens[i]):
                    parts[i][w.first] = states[row, w.head : w.head + w.last - w.first]
        vectors = torch.nn.functional.normalize(sums, dim=-1)
        return [Encoded(p, vectors[i], _joined(parts[i])) for i, p in enumerate(pieces)]

    def _forward(self, windows: Sequence[Window]) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.inference_mode():
            inputs = pad([w.ids for w in windows], self.base.tokenizer.pad_token_id or 0)
            inputs = {k: v.to(self.model.device) for k, v in inputs.items()}
            states = self.model(**inputs).last_hidden_state.float()
            return states, inputs["attention_mask"].to(states.dtype)


def share(model: Any) -> Any:
    """A module tree of its own whose weights are the very tensors of `model`, not copies."""
    shared = {id(t): t for t in chain(model.parameters(), model.buffers())}
    return copy.deepcopy(model, shared).eval()


def pad(ids: Sequence[Sequence[int]], filler: int) -> dict[str, torch.Tensor]:
    """Rows of ids as one rectangle and its attention mask."""
    longest = max(len(row) for row in ids)
    table = torch.full((len(ids), longest), filler, dtype=torch.long)
    mask = torch.zeros((len(ids), longest), dtype=torch.long)
    for i, row in enumerate(ids):
        table[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[i, : len(row)] = 1
    return {"input_ids": table, "attention_mask": mask}


def _pairs(tensors: LoraTensors) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """PEFT's `base_model.model.X.lora_A.weight` and `...lora_B.weight` by the weight's name."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        module, _, part = key.removesuffix(".weight").rpartition(".")
        if part not in {"lora_A", "lora_B"} or tensor.dim() != 2:
            raise KeyError(f"tensor {key!r} is no LoRA matrix")
        found.setdefault(module.removeprefix("base_model.model.") + ".weight", {})[part] = tensor
    lone = sorted(name for name, pair in found.items() if len(pair) != 2)
    if lone:
        raise KeyError(f"adapter of {lone[0]!r} lacks one of its two matrices")
    return {name: (pair["lora_A"], pair["lora_B"]) for name, pair in found.items()}


def _batches(windows: list[tuple[int, Window]]) -> Iterator[list[tuple[int, Window]]]:
    """Windows of like length together, so that little is padded."""
    batch: list[tuple[int, Window]] = []
    for item in sorted(windows, key=lambda w: len(w[1].ids)):
        if batch and (len(batch) + 1) * len(item[1].ids) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _joined(parts: Mapping[int, torch.Tensor]) -> torch.Tensor | None:
    return torch.cat([parts[first] for first in sorted(parts)]) if parts else None
