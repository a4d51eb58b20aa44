"""Options as a tree of tokens: what several begin with alike is run through the model once.

A node is a token that has something after it; an edge is a token's log p, given what comes before.
The last token of an option (what ends an answer) is an edge only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

ROOT = -1  # what comes before the first tokens: the prompt


@dataclass(frozen=True, eq=False)
class Trie:
    """`tokens`, `depths`, `sees` [nodes, nodes]: the nodes, in an order in which each comes after
    its parent, and which of them each sees, itself included. `edges`: (node, token), in the order
    of their nodes; `paths` [options, edges]: those that make up an option."""

    tokens: tuple[int, ...]
    depths: tuple[int, ...]
    sees: torch.Tensor
    edges: tuple[tuple[int, int], ...]
    paths: torch.Tensor

    def __len__(self) -> int:
        return len(self.tokens)


def make_trie(options: Sequence[Sequence[int]]) -> Trie:
    """The tree of options, none of them empty."""
    tokens: list[int] = []
    depths: list[int] = []
    parents: list[int] = []
    children: dict[tuple[int, int], int] = {}
    edges: dict[tuple[int, int], int] = {}
    walks: list[list[int]] = []
    for option in options:
        node, walk = ROOT, []
        for depth, token in enumerate(option):
            walk.append(edges.setdefault((node, token), len(edges)))
            if depth + 1 < len(option):
                step = (node, token)
                if step not in children:
                    children[step] = len(tokens)
                    tokens.append(token)
                    depths.append(depth)
                    parents.append(node)
                node = children[step]
        walks.append(walk)
    order = sorted(edges, key=lambda edge: edge[0])
    place = {edges[edge]: i for i, edge in enumerate(order)}
    paths = torch.zeros(len(options), len(edges))
    for i, walk in enumerate(walks):
        paths[i, [place[edge] for edge in walk]] = 1.0
    return Trie(tuple(tokens), tuple(depths), _sees(parents), tuple(order), paths)


def _sees(parents: Sequence[int]) -> torch.Tensor:
    sees = torch.eye(len(parents), dtype=torch.bool)
    for node, parent in enumerate(parents):
        if parent != ROOT:
            sees[node] |= sees[parent]
    return sees
