"""Keys and values of what a model has read, kept where transformers' layers look for them.

Two ways: a prefix that stands before all rows of a pass (scoring), and slots, one a sequence, that
grow token by token while others come and go (decoding).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

KeyValue = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Prefix:
    """The first tokens of prompts, and of each layer the keys and values [heads, tokens, size]."""

    ids: tuple[int, ...]
    layers: tuple[KeyValue, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def first(self, count: int) -> Prefix:
        """Its first tokens alone."""
        cut = tuple((k[:, :count], v[:, :count]) for k, v in self.layers)
        return self if count == len(self) else Prefix(self.ids[:count], cut)


class Stored(CacheLayerMixin):  # type: ignore[misc]
    """A layer's prefix, the same before every row; with `keep` it takes up what comes after."""

    keep = False

    def __init__(self, keys: torch.Tensor | None = None, values: torch.Tensor | None = None):
        super().__init__()
        self.keys = None if keys is None else keys.unsqueeze(0)
        self.values = None if values is None else values.unsqueeze(0)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> KeyValue:
        if self.keys is not None and self.values is not None:
            rows = len(key_states)
            key_states = torch.cat([self.keys.expand(rows, -1, -1, -1), key_states], dim=2)
            value_states = torch.cat([self.values.expand(rows, -1, -1, -1), value_states], dim=2)
        if self.keep:
            self.keys, self.values = key_states, value_states
        return key_states, value_states

    def get_seq_length(self) -> int:
        return 0 if self.keys is None else int(self.keys.shape[2])

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing to prepare."""


class Grown(Stored):
    """A layer's prefix, the same before every row, and apart what each row has brought since."""

    def __init__(self, keys: torch.Tensor | None = None, values: torch.Tensor | None = None):
        super().__init__(keys, values)
        self._own: KeyValue | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> KeyValue:
        if self._own is not None:
            key_states = torch.cat([self._own[0], key_states], dim=2)
            value_states = torch.cat([self._own[1], value_states], dim=2)
        self._own = key_states, value_states
        return super().update(key_states, value_states)

    def get_seq_length(self) -> int:
        return super().get_seq_length() + (self._own[0].shape[2] if self._own else 0)


class Past(Cache):  # type: ignore[misc]
    """What a forward pass finds before its tokens: a layer's keeper each."""

    def __init__(self, layers: Sequence[Any], keep: bool = False) -> None:
        super().__init__(layers=list(layers))
        for layer in self.layers:
            layer.keep = keep


def before(prefix: Prefix) -> Past:
    """A prefix as the past of a pass."""
    return Past([Stored(k, v) for k, v in prefix.layers])
