"""One batch of rows through the model: prompts, leads and trees of options, laid side by side.

Each token sees its own line of ancestors alone. A large tree may go in parts: first the nodes that
several options share, which bounds each option from above, since what is not asked for yet has a
log p of 0 at most; then the ends of those that may still count. What a pass has read stays for the
next one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from lora.causal.kv import Grown, Past, Prefix, before
from lora.causal.network import CausalNetwork
from lora.causal.trie import ROOT, Trie

HEAD_ROWS = 256  # positions at once whose logits over the vocabulary are held
OWN_NODES = 48  # nodes that single options have, below which one more pass costs more than it saves
END = 2.0
"""Nats that an end counts which was not asked for. BANKING77, 100 train rows to learn from, 231
others, 77 labels: with all ends the likeliest label had .389 on average and was right in .407
(Brier score .181, -log p of the right one 2.83); with those that are FAR behind at 0, 1, 2, 3 nats
.277, .326, .376, .422 (.204, .189, .179, .176; 2.78, 2.72, 2.69, 2.68), and the same label."""


@dataclass(frozen=True, eq=False)
class Branch:
    """A control's lead and options, or a part of these, at the end of a row. `places`: which of
    the ask's options. `margin`: an option that is surely so many nats below the likeliest need not
    be asked for to its end, which then counts END."""

    ask: int
    lead: Sequence[int]
    trie: Trie
    places: slice
    margin: float = math.inf

    def __len__(self) -> int:
        return len(self.lead) + len(self.trie)

    @property
    def in_parts(self) -> bool:
        own = len(self.trie) - len(self.trie.trunk)
        return math.isfinite(self.margin) and own >= OWN_NODES

    @property
    def first(self) -> Sequence[int]:
        """The nodes of its first pass."""
        return self.trie.trunk if self.in_parts else range(len(self.trie))


@dataclass(eq=False)
class Row:
    """A prompt's tokens, and what comes after them."""

    prompt: Sequence[int]
    branches: list[Branch] = field(default_factory=list)

    @property
    def nodes(self) -> int:
        return sum(len(b) for b in self.branches)

    def size(self, begun: int) -> int:
        return len(self.prompt) - begun + self.nodes


@dataclass(eq=False)
class _Place:
    """A branch in the batch: its row, the keys of its lead and of its nodes so far, and the log p
    of its edges, 0 where they are not known."""

    branch: Branch
    row: int
    lead: slice
    keys: dict[int, int]
    chances: torch.Tensor
    known: torch.Tensor

    @property
    def table(self) -> torch.Tensor:
        """Log p of each option."""
        return self._most - END * (~self._done).float()

    @property
    def _most(self) -> torch.Tensor:
        """Log p of each option, or what it is at most."""
        return self.branch.trie.paths @ self.chances

    @property
    def _done(self) -> torch.Tensor:
        """Whether an option was asked for to its end."""
        return self.branch.trie.paths @ (~self.known).float() == 0

    def left(self, guess: bool) -> list[int]:
        """The nodes that are still to be asked for. `guess`: no end is known yet, so what the
        likeliest is at most stands for what it is."""
        most, done = self._most, self._done
        best = most.max() if guess or not done.any() else most[done].max()
        more = (~done & (most >= best - self.branch.margin)).nonzero().flatten().tolist()
        return sorted({node for option in more for node in self.branch.trie.tails[option]})


def run(
    net: CausalNetwork, rows: Sequence[Row], start: Prefix | None
) -> Iterator[tuple[Branch, torch.Tensor]]:
    """The tables of all branches of a batch, whose rows go on from `start`."""
    batch = _Batch(net, rows, start)
    batch.begin()
    for guess in (True, False):  # after the second no bound reaches the likeliest any more
        nodes = {p: n for p in batch.places if p.branch.in_parts and (n := p.left(guess))}
        if nodes:
            batch.go_on(nodes)
    for place in batch.places:
        yield place.branch, place.table


class _Batch:
    """Rows on their way through the model. Keys: those of `start`, then each pass's columns."""

    def __init__(self, net: CausalNetwork, rows: Sequence[Row], start: Prefix | None) -> None:
        self._net, self._rows = net, rows
        self._begun = len(start) if start else 0
        again = any(b.in_parts for row in rows for b in row.branches)
        self._past = _kept(net, start) if again else before(start) if start else None
        self._reach = torch.arange(self._begun).expand(len(rows), -1)
        self.places: list[_Place] = []

    def begin(self) -> None:
        """The rest of the prompts, the leads and the trees, as far as they go at first."""
        sizes = [
            len(row.prompt) - self._begun + sum(len(b.lead) + len(b.first) for b in row.branches)
            for row in self._rows
        ]
        self._open(max(sizes))
        asked: dict[_Place, dict[int, int]] = {}
        for i, row in enumerate(self._rows):
            at = self._lay_prompt(i, row)
            for branch in row.branches:
                size = len(branch.lead)
                lead = slice(self._before + at, self._before + at + size)
                edges = len(branch.trie.edges)
                chances, known = torch.zeros(edges), torch.zeros(edges, dtype=torch.bool)
                place = _Place(branch, i, lead, {}, chances, known)
                self._lay_lead(place, at)
                last = at + size - 1 if size else len(row.prompt) - self._begun - 1
                asked[place] = {ROOT: last} | self._lay_nodes(place, branch.first, at + size)
                at += size + len(branch.first)
                self.places.append(place)
        self._pass(asked)

    def go_on(self, nodes: Mapping[_Place, Sequence[int]]) -> None:
        """More nodes of some branches."""
        filled = [0] * len(self._rows)
        for place, some in nodes.items():
            filled[place.row] += len(some)
        self._open(max(filled))
        asked: dict[_Place, dict[int, int]] = {}
        filled = [0] * len(self._rows)
        for place, some in nodes.items():
            asked[place] = self._lay_nodes(place, some, filled[place.row])
            filled[place.row] += len(some)
        self._pass(asked)

    def _open(self, columns: int) -> None:
        """Empty tensors of the next pass."""
        count, self._before = len(self._rows), self._reach.shape[1]
        self._ids = torch.zeros(count, columns, dtype=torch.long)
        self._places = torch.zeros(count, columns, dtype=torch.long)
        self._visible = torch.zeros(count, columns, self._before + columns, dtype=torch.bool)
        self._visible[:, :, 0] = True  # also of padding, whose attention must be over something

    def _lay_prompt(self, i: int, row: Row) -> int:
        """Write the rest of a row's prompt; returns its length."""
        begun, count = self._begun, len(row.prompt) - self._begun
        self._ids[i, :count] = torch.tensor(list(row.prompt[begun:]))
        self._places[i, :count] = torch.arange(begun, len(row.prompt))
        self._visible[i, :, :begun] = True
        own = torch.ones(count, count, dtype=torch.bool).tril()
        self._visible[i, :count, begun : begun + count] = own
        return count

    def _lay_lead(self, place: _Place, at: int) -> None:
        size, prompt = len(place.branch.lead), len(self._rows[place.row].prompt)
        mine = self._visible[place.row, at : at + size]
        self._ids[place.row, at : at + size] = torch.tensor(list(place.branch.lead))
        self._places[place.row, at : at + size] = torch.arange(prompt, prompt + size)
        mine[:, :prompt] = True  # the keys of all rows' beginnings and of the prompt
        mine[:, place.lead] = torch.ones(size, size, dtype=torch.bool).tril()

    def _lay_nodes(self, place: _Place, nodes: Sequence[int], at: int) -> dict[int, int]:
        """Write nodes after those that are there already; returns the column of each."""
        if not nodes:
            return {}
        trie, end = place.branch.trie, at + len(nodes)
        prompt = len(self._rows[place.row].prompt)
        known, some = list(place.keys), list(nodes)
        mine = self._visible[place.row, at:end]
        self._ids[place.row, at:end] = torch.tensor([trie.tokens[n] for n in some])
        depths = torch.tensor([trie.depths[n] for n in some], dtype=torch.long)
        self._places[place.row, at:end] = depths + prompt + len(place.branch.lead)
        mine[:, :prompt] = True
        mine[:, place.lead] = True
        if known:
            mine[:, [place.keys[n] for n in known]] = trie.sees[some][:, known]
        mine[:, self._before + at : self._before + end] = trie.sees[some][:, some]
        columns = {n: at + k for k, n in enumerate(some)}
        place.keys |= {n: self._before + column for n, column in columns.items()}
        return columns

    def _pass(self, asked: Mapping[_Place, Mapping[int, int]]) -> None:
        """Run what was laid; `asked`: by branch the nodes, ROOT among them, that edges leave from,
        with their columns."""
        self._reach = torch.cat([self._reach, self._places], dim=1)
        to = self._net.device
        ids, places = self._ids.to(to), self._places.to(to)
        visible, reach = self._visible.to(to), self._reach.to(to)
        states = self._net.states(ids, places, visible, reach, self._past)
        wanted: list[tuple[int, int]] = []  # (row, column) of each position
        edges: list[tuple[int, int]] = []  # (which of these, token)
        mine: list[tuple[_Place, list[int]]] = []  # and whose they are
        for place, columns in asked.items():
            seen: dict[int, int] = {}
            own: list[int] = []
            for edge, (node, token) in enumerate(place.branch.trie.edges):
                if node in columns:
                    if node not in seen:
                        seen[node] = len(wanted)
                        wanted.append((place.row, columns[node]))
                    edges.append((seen[node], token))
                    own.append(edge)
            mine.append((place, own))
        found = _log_p(self._net, states, wanted, edges)
        for (place, own), part in zip(mine, found.split([len(o) for _, o in mine]), strict=True):
            place.chances[own] = part
            place.known[own] = True


def _log_p(
    net: CausalNetwork,
    states: torch.Tensor,
    wanted: Sequence[tuple[int, int]],
    edges: Sequence[tuple[int, int]],
) -> torch.Tensor:
    """The head at each position that predicts an option's token."""
    columns = torch.tensor(wanted, device=states.device)
    asked = torch.tensor(edges, device=states.device)
    flat = states[columns[:, 0], columns[:, 1]]
    found = torch.empty(len(edges), device=states.device)
    for first in range(0, len(flat), HEAD_ROWS):
        here = (asked[:, 0] >= first) & (asked[:, 0] < first + HEAD_ROWS)
        some = flat[first : first + HEAD_ROWS]
        found[here] = net.chances(some, asked[here, 0] - first, asked[here, 1])
    return found.cpu()


def _kept(net: CausalNetwork, start: Prefix | None) -> Past:
    """A past that takes up what each pass brings."""
    if start is None:
        return Past([Grown() for _ in range(net.layers)])
    return Past([Grown(keys, values) for keys, values in start.layers])
