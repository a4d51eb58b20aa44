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
    of their nodes; `paths` [options, edges]: those that make up an option. `trunk`: the nodes that
    several options have in common; `tails`: of each option those that are its own."""

    tokens: tuple[int, ...]
    depths: tuple[int, ...]
    sees: torch.Tensor
    edges: tuple[tuple[int, int], ...]
    paths: torch.Tensor
    trunk: tuple[int, ...]
    tails: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.tokens)


def make_trie(options: Sequence[Sequence[int]]) -> Trie:
    """The tree of options, none of them empty."""
    tokens: list[int] = []
    depths: list[int] = []
    parents: list[int] = []
    users: list[int] = []  # how many options go through a node
    children: dict[tuple[int, int], int] = {}
    edges: dict[tuple[int, int], int] = {}
    walks: list[list[int]] = []
    passed: list[list[int]] = []
    for option in options:
        node, walk, nodes = ROOT, [], []
        for depth, token in enumerate(option):
            walk.append(edges.setdefault((node, token), len(edges)))
            if depth + 1 < len(option):
                step = (node, token)
                if step not in children:
                    children[step] = len(tokens)
                    tokens.append(token)
                    depths.append(depth)
                    parents.append(node)
                    users.append(0)
                node = children[step]
                users[node] += 1
                nodes.append(node)
        walks.append(walk)
        passed.append(nodes)
    order = sorted(edges, key=lambda edge: edge[0])
    place = {edges[edge]: i for i, edge in enumerate(order)}
    paths = torch.zeros(len(options), len(edges))
    for i, walk in enumerate(walks):
        paths[i, [place[edge] for edge in walk]] = 1.0
    trunk = tuple(node for node, count in enumerate(users) if count > 1)
    tails = tuple(tuple(n for n in nodes if users[n] == 1) for nodes in passed)
    return Trie(tuple(tokens), tuple(depths), _sees(parents), tuple(order), paths, trunk, tails)


def _sees(parents: Sequence[int]) -> torch.Tensor:
    sees = torch.eye(len(parents), dtype=torch.bool)
    for node, parent in enumerate(parents):
        if parent != ROOT:
            sees[node] |= sees[parent]
    return sees
