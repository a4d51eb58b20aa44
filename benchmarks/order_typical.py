"""The order that decisions/0012 measures against ours, as a replay may run it: typical tasks first,
then the least sure, one of each cluster. Not the product's."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.order_ways import State, typical, typical_then_sure
from label_config.values import Example
from sync.replay.play import Asked

SEED = 0
BLOCK, BLOCKS = 25, 20  # tasks that are placed together, and how often
LABELLED = {"one", "many", "pair", "ordinal", "spans"}  # forms whose labels are counted


def typical_first(asked: Asked) -> dict[int, float]:
    """Places in [0, 1]; what nobody can tell vectors of, in the order of its text's length."""
    rows = [*asked.given, *asked.shown]
    if not asked.shown or "vector" not in asked.said[asked.shown[0].id]:
        return {e.task: i / len(asked.shown) for i, e in enumerate(_short(asked.shown))}
    sure = np.array([float(asked.said[e.id]["score"]) for e in rows])
    labels = max((len(c.labels) for c in asked.schema.controls if c.form in LABELLED), default=2)
    taken = tuple(range(len(asked.given)))
    state = State(_vectors(rows, asked.said), sure[:, None], taken, not asked.learned, labels, SEED)
    order = _in_blocks(state)
    return {rows[i].task: place / len(order) for place, i in enumerate(order)}


def _in_blocks(state: State) -> list[int]:
    """As if it were asked anew after each block; the rest as the last one has it."""
    order: list[int] = []
    for _ in range(BLOCKS):
        now = replace(state, taken=(*state.taken, *order))
        if len(now.left) <= BLOCK:
            break
        order += (typical if state.early or state.cold else typical_then_sure)(now, BLOCK)
    left = [i for i in state.left if i not in set(order)]
    return order + sorted(left, key=lambda i: float(state.chances[i, 0]))


def _short(rows: Sequence[Example]) -> list[Example]:
    return sorted(rows, key=lambda e: len(str(e.texts)))


def _vectors(rows: Sequence[Example], said: Mapping[str, Mapping[str, Any]]) -> Any:
    raw = (base64.b64decode(said[e.id]["vector"]) for e in rows)
    return np.stack([np.frombuffer(one, "<f2") for one in raw]).astype(np.float64)
