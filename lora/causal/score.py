"""How likely each option is: all options of all controls of a row in one pass.

A row is its prompt's tokens, then for each control the lead and its options as a tree
(lora/causal/trie.py), each token seeing only its own line of ancestors. What the rows of a batch
begin with alike is read once (lora/causal/prefix.py). The head is asked for the few positions that
predict an option's token, a few hundred at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch

from lora.causal.ask import Ask
from lora.causal.kv import Prefix, before
from lora.causal.network import CausalNetwork
from lora.causal.prefix import shared_prefix
from lora.causal.tokens import answer_ids, parts_ids
from lora.causal.trie import ROOT, Trie, make_trie

BATCH_TOKENS = 4096  # padded tokens of one pass; bounds its memory
ROW_TOKENS = 1536  # nodes of one row's trees; more go into a row of their own
HEAD_ROWS = 256  # positions at once whose logits over the vocabulary are held
WASTE = 64  # padding, in tokens, that costs as much as one more pass
SLACK = 64  # tokens of room that a prompt leaves for its longest option at least

Ids = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Branch:
    """A control's lead and options, or a part of these, at the end of a row. `places`: which of
    the ask's options."""

    ask: int
    lead: Sequence[int]
    trie: Trie
    places: slice

    def __len__(self) -> int:
        return len(self.lead) + len(self.trie)


@dataclass(eq=False)
class _Row:
    prompt: Sequence[int]
    branches: list[_Branch] = field(default_factory=list)

    @property
    def nodes(self) -> int:
        return sum(len(b) for b in self.branches)

    def size(self, begun: int) -> int:
        return len(self.prompt) - begun + self.nodes


def score(net: CausalNetwork, asks: Sequence[Ask], end: str) -> list[torch.Tensor]:
    """Log p of each option of each ask, followed by `end`, under the active adapter; float32."""
    options = _tokens(net, asks, end)
    found = [torch.zeros(len(some)) for some in options]
    rows = _rows(net, asks, options)
    if not rows:
        return found
    with torch.inference_mode():
        start = shared_prefix(net, [row.prompt for row in rows])
        for batch in _batches(rows, len(start) if start else 0):
            for branch, table in _run(net, batch, start):
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


def _rows(net: CausalNetwork, asks: Sequence[Ask], options: Sequence[Sequence[Ids]]) -> list[_Row]:
    """The asks as rows: those with the same `shared` together, as far as there is room."""
    open_rows: dict[str, _Row] = {}
    rows: list[_Row] = []
    for i, (ask, some) in enumerate(zip(asks, options, strict=True)):
        if not some:
            continue
        room = _room(net, max(map(len, some)))
        prompt, lead = parts_ids(net.base.tokenizer, ask.shared, ask.lead, room)
        for places, trie in _tries(tuple(some), ROW_TOKENS):
            branch = _Branch(i, lead, trie, places)
            row = open_rows.get(ask.shared)
            if row is None or row.nodes + len(branch) > ROW_TOKENS or len(row.prompt) > len(prompt):
                row = open_rows[ask.shared] = _Row(prompt)
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


def _batches(rows: Sequence[_Row], begun: int) -> Iterator[list[_Row]]:
    """Rows of like length together: a new batch where padding would cost more than a pass."""
    batch: list[_Row] = []
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


def _run(
    net: CausalNetwork, rows: Sequence[_Row], start: Prefix | None
) -> Iterator[tuple[_Branch, torch.Tensor]]:
    """One pass, and the tables of all branches in it."""
    begun = len(start) if start else 0
    longest = max(row.size(begun) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    places = torch.zeros(len(rows), longest, dtype=torch.long)
    visible = torch.zeros(len(rows), longest, begun + longest, dtype=torch.bool)
    visible[:, :, 0] = True  # also of padding, whose attention must be over something
    roots: list[tuple[_Branch, int, int]] = []  # with its row, and where its tree begins
    for i, row in enumerate(rows):
        at = _lay_prompt(row, begun, ids[i], places[i], visible[i])
        for branch in row.branches:
            _lay_branch(row, begun, branch, at, (ids[i], places[i], visible[i]))
            roots.append((branch, i, at + len(branch.lead)))
            at += len(branch)
    reach = torch.cat([torch.arange(begun).expand(len(rows), -1), places], dim=1)
    to = net.device
    past = before(start) if start else None
    states = net.states(ids.to(to), places.to(to), visible.to(to), reach.to(to), past)
    yield from _read(net, rows, roots, states, begun)


def _lay_prompt(
    row: _Row, begun: int, ids: torch.Tensor, places: torch.Tensor, visible: torch.Tensor
) -> int:
    """Write the rest of a row's prompt; returns its length."""
    count = len(row.prompt) - begun
    ids[:count] = torch.tensor(list(row.prompt[begun:]))
    places[:count] = torch.arange(begun, len(row.prompt))
    visible[:, :begun] = True
    visible[:count, begun : begun + count] = torch.ones(count, count, dtype=torch.bool).tril()
    return count


def _lay_branch(
    row: _Row,
    begun: int,
    branch: _Branch,
    at: int,
    rows: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    """Write a branch at `at`: its lead after the prompt, its tree after the lead."""
    ids, places, visible = rows
    lead, size, prompt = len(branch.lead), len(branch), len(row.prompt)
    tree = at + lead
    ids[at : at + size] = torch.tensor([*branch.lead, *branch.trie.tokens])
    places[at:tree] = torch.arange(prompt, prompt + lead)
    places[tree : at + size] = torch.tensor(branch.trie.depths, dtype=torch.long) + prompt + lead
    visible[at : at + size, :prompt] = True  # the keys of all rows' beginnings and of the prompt
    visible[at:tree, begun + at : begun + tree] = torch.ones(lead, lead, dtype=torch.bool).tril()
    visible[tree : at + size, begun + at : begun + tree] = True
    visible[tree : at + size, begun + tree : begun + at + size] = branch.trie.sees


def _read(
    net: CausalNetwork,
    rows: Sequence[_Row],
    roots: Sequence[tuple[_Branch, int, int]],
    states: torch.Tensor,
    begun: int,
) -> Iterator[tuple[_Branch, torch.Tensor]]:
    """The head at each position that predicts an option's token, then the sums along the paths."""
    wanted: list[tuple[int, int]] = []  # (row, column) of each position
    edges: list[tuple[int, int]] = []  # (which of these, token)
    for branch, i, tree in roots:
        last = tree - 1 if branch.lead else len(rows[i].prompt) - begun - 1
        seen: dict[int, int] = {}
        for node, token in branch.trie.edges:
            if node not in seen:
                seen[node] = len(wanted)
                wanted.append((i, last if node == ROOT else tree + node))
            edges.append((seen[node], token))
    columns = torch.tensor(wanted, device=states.device)
    asked = torch.tensor(edges, device=states.device)
    flat = states[columns[:, 0], columns[:, 1]]
    found = torch.empty(len(edges), device=states.device)
    for first in range(0, len(flat), HEAD_ROWS):
        here = (asked[:, 0] >= first) & (asked[:, 0] < first + HEAD_ROWS)
        some = flat[first : first + HEAD_ROWS]
        found[here] = net.chances(some, asked[here, 0] - first, asked[here, 1])
    done = 0
    table = found.cpu()
    for branch, _, _ in roots:
        count = len(branch.trie.edges)
        yield branch, branch.trie.paths @ table[done : done + count]
        done += count
