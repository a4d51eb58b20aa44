"""How likely each option is: all options of all controls of a row together.

A row is its prompt's tokens, then for each control the lead and its options as a tree
(lora/causal/trie.py), each token seeing only its own line of ancestors (lora/causal/packed.py).
What the rows of a batch begin with alike is read once (lora/causal/prefix.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch

from lora.causal.ask import Ask
from lora.causal.network import CausalNetwork
from lora.causal.packed import Branch, Row, run
from lora.causal.prefix import shared_prefix
from lora.causal.tokens import answer_ids, parts_ids
from lora.causal.trie import Trie, make_trie

BATCH_TOKENS = 4096  # padded tokens of one pass; bounds its memory
ROW_TOKENS = 1536  # nodes of one row's trees; more go into a row of their own
WASTE = 64  # padding, in tokens, that costs as much as one more pass
SLACK = 64  # tokens of room that a prompt leaves for its longest option at least

Ids = tuple[int, ...]


def score(
    net: CausalNetwork, asks: Sequence[Ask], end: str, margins: Sequence[float] = ()
) -> list[torch.Tensor]:
    """Log p of each option of each ask, followed by `end`, under the active adapter; float32.

    `margins`: of each ask how many nats below its likeliest option others may be told roughly;
    which is likeliest, and the log p of those within, does not change.
    """
    options = _tokens(net, asks, end)
    found = [torch.zeros(len(some)) for some in options]
    rows = _rows(net, asks, options, margins or [math.inf] * len(asks))
    if not rows:
        return found
    with torch.inference_mode():
        start = shared_prefix(net, [row.prompt for row in rows])
        for batch in _batches(rows, len(start) if start else 0):
            for branch, table in run(net, batch, start):
                found[branch.ask][branch.places] = table
    return found


def _tokens(net: CausalNetwork, asks: Sequence[Ask], end: str) -> list[list[Ids]]:
    room = net.base.max_tokens // 2
    said = net.base.tokenizer
    return [[_said(said, o.words, end)[:room] for o in ask.options] for ask in asks]


@lru_cache(maxsize=8192)  # a project has the same labels in every request
def _said(tokenizer: Any, words: str, end: str) -> Ids:
    return tuple(answer_ids(tokenizer, words, end))


def _room(net: CausalNetwork, longest: int = 0) -> int:
    """How many tokens a prompt may have whose options have at most `longest`."""
    context = net.base.max_tokens
    return max(context - max(longest, min(SLACK, context // 4)), 8)


def _rows(
    net: CausalNetwork,
    asks: Sequence[Ask],
    options: Sequence[Sequence[Ids]],
    margins: Sequence[float],
) -> list[Row]:
    """The asks as rows: those with the same `shared` together, as far as there is room."""
    open_rows: dict[str, Row] = {}
    rows: list[Row] = []
    for i, (ask, some) in enumerate(zip(asks, options, strict=True)):
        if not some:
            continue
        room = _room(net, max(map(len, some)))
        prompt, lead = parts_ids(net.base.tokenizer, ask.shared, ask.lead, room)
        parts = _tries(tuple(some), ROW_TOKENS)
        for places, trie in parts:  # of several the likeliest is known in the end only
            far = margins[i] if len(parts) == 1 else math.inf
            branch = Branch(i, lead, trie, places, far)
            row = open_rows.get(ask.shared)
            if row is None or row.nodes + len(branch) > ROW_TOKENS or len(row.prompt) > len(prompt):
                row = open_rows[ask.shared] = Row(prompt)
                rows.append(row)
            row.branches.append(branch)
    return rows


@lru_cache(maxsize=16)
def _tries(options: tuple[Ids, ...], most: int) -> tuple[tuple[slice, Trie], ...]:
    """The options as trees of at most some `most` nodes."""
    parts: list[tuple[slice, Trie]] = []
    first, held = 0, 0
    for i, option in enumerate(options):
        if held and held + len(option) > most:
            parts.append((slice(first, i), make_trie(options[first:i])))
            first, held = i, 0
        held += len(option)
    return (*parts, (slice(first, len(options)), make_trie(options[first:])))


def _batches(rows: Sequence[Row], begun: int) -> Iterator[list[Row]]:
    """Rows of like length together: a new batch where padding would cost more than a pass."""
    batch: list[Row] = []
    filled = 0
    for row in sorted(rows, key=lambda r: r.size(begun)):
        size = row.size(begun)
        padded = len(batch) * size
        if batch and (padded + size > BATCH_TOKENS or padded - filled > WASTE):
            yield batch
            batch, filled = [], 0
        batch.append(row)
        filled += size
    if batch:
        yield batch
