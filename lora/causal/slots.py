"""Keys and values of sequences that come and go: a slot each, filled from position 0 on.

Slots are kept close together, so that a step reads one piece of memory; who leaves gives its place
to the last one. They grow as needed, some at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import CacheLayerMixin

from lora.causal.kv import KeyValue, Past, Prefix

LENGTHS = 128  # positions that are added at a time, at least
GROWTH = 1.25


class Slots:
    """Slots 0 to `count` - 1 of a model's `layers`. Everything under torch.inference_mode."""

    def __init__(self, layers: int) -> None:
        self.count = 0
        self._layers = [_Slots() for _ in range(layers)]

    def past(self, rows: Sequence[int], places: torch.Tensor, reach: int) -> Past:
        """For a pass over these slots whose tokens stand at `places` [rows, tokens]; each sees the
        keys of the first `reach` positions."""
        whole = list(rows) == list(range(self.count))
        index = torch.tensor(list(rows), device=places.device)
        for layer in self._layers:
            layer.aim(index, None if whole else index, places, reach, self.count)
        return Past(self._layers)

    def add(self) -> int:
        """A new slot, without keys."""
        self.count += 1
        return self.count - 1

    def begin(self, slot: int, prefix: Prefix) -> None:
        """Let a slot begin with a prefix."""
        for layer, (k, v) in zip(self._layers, prefix.layers, strict=True):
            layer.write(slot, k, v, self.count)

    def copy(self, slot: int, source: Slots, other: int, length: int) -> None:
        """Let a slot begin with the first positions of another one."""
        for mine, its in zip(self._layers, source._layers, strict=True):
            k, v = its.held
            mine.write(slot, k[other, :, :length], v[other, :, :length], self.count)

    def drop(self, slot: int, last_length: int) -> None:
        """Give up a slot; the last one, of `last_length` positions, takes its place."""
        if slot != self.count - 1:
            self.copy(slot, self, self.count - 1, last_length)
        self.count -= 1


class _Slots(CacheLayerMixin):  # type: ignore[misc]
    """One layer's keys and values [slots, heads, positions, size]."""

    keep = False
    keys: Any
    values: Any

    def __init__(self) -> None:
        super().__init__()
        self._at: tuple[torch.Tensor, torch.Tensor | None, torch.Tensor] | None = None
        self._reach = self._count = 0

    @property
    def held(self) -> KeyValue:
        return self.keys, self.values

    def aim(
        self,
        rows: torch.Tensor,
        some: torch.Tensor | None,
        places: torch.Tensor,
        reach: int,
        count: int,
    ) -> None:
        """Where the next update writes and what it returns; `some`: not all slots in order."""
        self._at, self._reach, self._count = (rows.unsqueeze(1), some, places), reach, count

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> KeyValue:
        assert self._at is not None  # nosec B101  # for mypy and the reader
        rows, some, places = self._at
        self._make_room(key_states[0], value_states[0], self._count, self._reach)
        self.keys[rows, :, places] = key_states.transpose(1, 2)
        self.values[rows, :, places] = value_states.transpose(1, 2)
        if some is None:
            some = slice(self._count)
        return self.keys[some, :, : self._reach], self.values[some, :, : self._reach]

    def write(self, slot: int, k: torch.Tensor, v: torch.Tensor, count: int) -> None:
        """Fill a slot's first positions; k, v [heads, positions, size]."""
        self._make_room(k, v, count, k.shape[1])
        self.keys[slot, :, : k.shape[1]] = k
        self.values[slot, :, : v.shape[1]] = v

    def _make_room(self, k: torch.Tensor, v: torch.Tensor, count: int, reach: int) -> None:
        have = (0, 0) if self.keys is None else (self.keys.shape[0], self.keys.shape[2])
        if have[0] >= count and have[1] >= reach:
            return
        slots = have[0] if have[0] >= count else max(count, 2 * have[0])
        more = have[1] if have[1] >= reach else max(reach + LENGTHS, int(GROWTH * have[1]))
        self.keys = _larger(self.keys, k, slots, more)
        self.values = _larger(self.values, v, slots, more)

    def get_seq_length(self) -> int:
        return self._reach

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._reach, 0

    def get_max_length(self) -> int:
        return -1

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Room is made as it is needed."""


def _larger(old: torch.Tensor | None, like: torch.Tensor, slots: int, length: int) -> torch.Tensor:
    """Zeros, since what a mask hides is still multiplied, by nothing; with the old ones in it."""
    new = like.new_zeros(slots, like.shape[0], length, like.shape[2])
    if old is not None:
        new[: old.shape[0], :, : old.shape[2]] = old
    return new
