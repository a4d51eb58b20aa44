"""The serving encoder: one forward pass for all controls of a text, one adapter at a time.

A Tree of modules stands around weights that others own: the base's, and those of the active
adapter (lora/weights.py). `activate` points the tree at them, which takes microseconds and copies
nothing. It belongs to one thread, so no forward pass can see two adapters. A Network is the tree
of an encoder; that of a causal base is in lora/causal/network.py.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch

from lora.base import Base
from lora.joint import Joint, join, joints
from lora.lean import is_short, lean, tried, trusted
from lora.packed import Packed
from lora.weights import SCALE, LoraTensors, Mode, Pair, Weights, pack_all, packable, prepare
from lora.windows import Pieces, Window, cut, read_pieces

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SCALE", "Encoded", "LoraTensors", "Network", "Tree", "pad", "share"]

BATCH_TOKENS = 4096  # padded word pieces of one forward pass; bounds its memory
WASTE = 64  # padding, in pieces, that costs as much as one more forward pass


@dataclass(frozen=True)
class Encoded:
    """A text as the encoder sees it: `vector` [hidden], mean over pieces, L2-normalised; `tokens`
    [pieces, hidden], or None where nobody asked for them or there is no piece. Both float32."""

    pieces: Pieces
    vector: torch.Tensor
    tokens: torch.Tensor | None


class LowRank(torch.nn.Linear):  # type: ignore[misc]
    """A linear layer that adds 2 B (A x) while a pair (A, 2 B) is set."""

    pair: Pair | None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.nn.functional.linear(x, self.weight, self.bias)
        if self.pair is None:
            return y
        a, b = self.pair
        return y + torch.nn.functional.linear(torch.nn.functional.linear(x, a), b)


class Tree:
    """A base's modules with one active adapter. Not thread-safe: one thread owns it."""

    def __init__(self, base: Base, mode: Mode | None = None, *, plain: Any = None) -> None:
        """`plain`: the base's model in the mode's numbers, where another tree has made it."""
        self.base = base
        self.mode = mode or Mode()
        self._plain = self._own() if plain is None else plain
        self.model = share(self._plain)
        self._active: object | None = None
        self._joint: Joint = {}
        self._changed: frozenset[str] = frozenset()
        self._weights = dict(self._plain.named_parameters())
        if not self.mode.merged:
            for layer in self.model.modules():
                if low := self._low_rank(layer):
                    layer.__class__, layer.pair = low, None
        self._layers = {n: self.model.get_submodule(n.rpartition(".")[0]) for n in self._weights}

    def _own(self) -> Any:
        return cast(self.base.model, self.mode.dtype)

    def _low_rank(self, layer: Any) -> type | None:
        """The class that can carry a pair in this layer's place."""
        return LowRank if type(layer) is torch.nn.Linear else None

    def twin(self) -> Self:
        """Another one, for another thread, around the same plain weights."""
        return type(self)(self.base, self.mode, plain=self._plain)

    @property
    def plain_bytes(self) -> int:
        """Bytes of the plain weights."""
        return sum(p.numel() * p.element_size() for p in self._plain.parameters())

    def prepare(self, tensors: LoraTensors, scale: float = SCALE) -> Weights:
        """An adapter's tensors, ready for this tree and its twins; any thread may call it."""
        return prepare(self.base, self.mode, tensors, scale, self._joint)

    def activate(self, key: object, tensors: LoraTensors | Weights) -> None:
        """Make `tensors` (prepared, or PEFT's own) the active adapter; none: the plain base.

        Nothing happens if `key` is active already. Raises KeyError or ValueError when the tensors
        are not of this base and mode; then what was active stays so.
        """
        if self._active is key:
            return
        weights = tensors if isinstance(tensors, Weights) else self.prepare(tensors)
        made = (weights.revision, weights.mode, weights.joint)
        if made != (self.base.revision, self.mode, frozenset(self._joint)):
            raise ValueError(f"weights made for another network than base {self.base.name!r}")
        if self.mode.merged:
            self._merge(weights.merged)
        else:
            self._pair(weights.pairs)
        self._active = key

    def _merge(self, merged: Mapping[str, torch.nn.Parameter]) -> None:
        for name in self._changed | merged.keys():
            leaf = name.rpartition(".")[2]
            self._layers[name]._parameters[leaf] = merged.get(name, self._weights[name])
        self._changed = frozenset(merged)

    def _pair(self, pairs: Mapping[str, Pair]) -> None:
        odd = [name for name in pairs if not hasattr(self._layers[name], "pair")]
        if odd:
            raise ValueError(f"{odd[0]!r} is no plain linear layer; serve it merged")
        for name in self._changed | pairs.keys():
            self._layers[name].pair = pairs.get(name)
        self._changed = frozenset(pairs)


@dataclass(frozen=True, eq=False)
class Packs:
    """Packed weights of the plain base by name, and which of them lie in one."""

    weights: Mapping[str, torch.nn.Parameter]
    joint: Joint = field(default_factory=dict)


class Network(Tree):
    """An encoder with one active adapter. What can be packed (lora/packed.py) is."""

    def __init__(
        self,
        base: Base,
        mode: Mode | None = None,
        *,
        plain: Any = None,
        packs: Packs | None = None,
    ) -> None:
        """`plain`, `packs`: what a twin has made already."""
        super().__init__(base, mode, plain=plain)
        own = {name: self._weights[name] for name in packable(base, self.mode)}
        self._hold(packs or Packs(pack_all(own)))
        self._states = trusted(self.model) if self._joint else lean(self.model)
        if packs is None and is_short(self._states):
            self._join(own)

    def _hold(self, packs: Packs) -> None:
        self._packs, self._joint = packs, packs.joint
        self._weights |= packs.weights
        for name, packed in packs.weights.items():
            self._layers[name].__class__ = Packed
            self._layers[name]._parameters["weight"] = packed
        join(self.model, packs.joint)

    def _join(self, own: Mapping[str, torch.Tensor]) -> None:
        """Lay weights together where that says the same, bit by bit."""
        apart, joint = self._packs, joints(self.model)
        wanted = tried(self._states, self.model)
        self._hold(Packs(pack_all(own, joint), joint))
        if not all(map(torch.equal, tried(self._states, self.model), wanted)):
            join(self.model, joint, on=False)
            return self._hold(apart)
        for name in (n for names in joint.values() for n in names[1:]):  # nobody reads them now
            self._layers[name].__class__ = torch.nn.Linear
            self._layers[name]._parameters["weight"] = self._weights[name] = own[name]

    def twin(self) -> Network:
        return Network(self.base, self.mode, plain=self._plain, packs=self._packs)

    @property
    def plain_bytes(self) -> int:
        """Bytes of the plain weights, and of the packed ones beside them."""
        held = self._packs.weights.values()
        packed: int = sum(p.numel() * p.element_size() for p in held)
        return super().plain_bytes + packed

    def encode(self, texts: Sequence[str], tokens: Sequence[bool] | None = None) -> list[Encoded]:
        """Encode texts with the active adapter; `tokens[i]`: keep the piece vectors of text i."""
        pieces = [read_pieces(self.base, text) for text in texts]
        windows = [(i, w) for i, p in enumerate(pieces) for w in cut(self.base, p)]
        sums = torch.zeros(len(texts), self.base.hidden, device=self.model.device)
        parts: list[dict[int, torch.Tensor]] = [{} for _ in texts]
        for batch in _batches(windows):
            states, mask = self._forward([w for _, w in batch])
            places = torch.tensor([i for i, _ in batch], device=sums.device)
            sums.index_add_(0, places, (states * mask.unsqueeze(-1)).sum(1))
            for row, (i, w) in enumerate(batch):
                if w.last > w.first and (tokens is None or tokens[i]):
                    parts[i][w.first] = states[row, w.head : w.head + w.last - w.first]
        vectors = torch.nn.functional.normalize(sums, dim=-1)
        return [Encoded(p, vectors[i], _joined(parts[i])) for i, p in enumerate(pieces)]

    def _forward(self, windows: Sequence[Window]) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.inference_mode():
            inputs = pad([w.ids for w in windows], self.base.tokenizer.pad_token_id or 0)
            inputs = {k: v.to(self.model.device) for k, v in inputs.items()}
            states = self._states(inputs["input_ids"], inputs["attention_mask"]).float()
            return states, inputs["attention_mask"].to(states.dtype)


def share(model: Any) -> Any:
    """A module tree of its own whose weights are the very tensors of `model`, not copies."""
    shared = {id(t): t for t in chain(model.parameters(), model.buffers())}
    return copy.deepcopy(model, shared).eval()


def cast(model: Any, dtype: torch.dtype) -> Any:
    """The model with its weights in `dtype`: itself where they are. Buffers (such as rotary
    frequencies) keep their precision, as when transformers loads a model in that dtype."""
    made: dict[int, Any] = {id(b): b for b in model.buffers()}
    for p in model.parameters():
        same = p.dtype == dtype or not p.is_floating_point()  # 4 bits a weight are bytes
        made[id(p)] = p if same else torch.nn.Parameter(p.detach().to(dtype), False)
    if all(made[id(p)] is p for p in model.parameters()):
        return model
    return copy.deepcopy(model, made).eval()


def pad(ids: Sequence[Sequence[int]], filler: int) -> dict[str, torch.Tensor]:
    """Rows of ids as one rectangle and its attention mask."""
    longest = max(len(row) for row in ids)
    table = [[*row, *[filler] * (longest - len(row))] for row in ids]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in ids]
    return {"input_ids": torch.tensor(table), "attention_mask": torch.tensor(mask)}


def _batches(windows: list[tuple[int, Window]]) -> Iterator[list[tuple[int, Window]]]:
    """Windows of like length together: a new batch where padding would cost more than a pass."""
    batch: list[tuple[int, Window]] = []
    filled = 0
    for item in sorted(windows, key=lambda w: len(w[1].ids)):
        size = len(item[1].ids)
        padded = len(batch) * size
        if batch and (padded + size > BATCH_TOKENS or padded - filled > WASTE):
            yield batch
            batch, filled = [], 0
        batch.append(item)
        filled += size
    if batch:
        yield batch


def _joined(parts: Mapping[int, torch.Tensor]) -> torch.Tensor | None:
    return torch.cat([parts[first] for first in sorted(parts)]) if parts else None
