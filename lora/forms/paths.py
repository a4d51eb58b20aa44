"""Labels that form a tree (Taxonomy, nested Choices): one row per node, summed along the path.

A label's logit is the sum of the rows of the nodes from its root down to it. Labels under one
parent so share what is trained of the parent, and a label without any answer is as likely as its
siblings are on average, not impossible.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import torch

from label_config.controls import Control, Label
from label_config.names import label_text, spell_out

UNSEEN_COST = 1.0  # logits that an unseen label lies below its siblings' mean

Path = tuple[str, ...]


def is_tree(control: Control) -> bool:
    """Whether some label lies below another node."""
    return any(len(label.path) > 1 for label in control.labels)


def words_of(label: Label) -> str:
    """What a model reads for a label: its path in words, and its hint where there is one."""
    if len(label.path) < 2:
        return label_text(label)
    words = ", ".join(map(spell_out, label.path))
    return f"{words}: {label.hint.strip()}" if label.hint and label.hint.strip() else words


@lru_cache(maxsize=64)
def nodes_of(control: Control) -> tuple[Path, ...]:
    """Every node of the tree, parents before children; of flat labels one node each."""
    paths = [_path(label) for label in control.labels]
    found = dict.fromkeys(p[:n] for p in paths for n in range(1, len(p) + 1))
    return tuple(sorted(found, key=len))


def _path(label: Label) -> Path:
    return label.path or (label.value,)


@lru_cache(maxsize=64)
def incidence(control: Control) -> torch.Tensor:
    """[labels, nodes]: 1 where the node lies on the label's path."""
    places = {node: i for i, node in enumerate(nodes_of(control))}
    table = torch.zeros(len(control.labels), len(places))
    for k, path in enumerate(map(_path, control.labels)):
        table[k, [places[path[:n]] for n in range(1, len(path) + 1)]] = 1.0
    return table


def to_nodes(
    control: Control, rows: torch.Tensor, seen: Collection[int] | None = None
) -> torch.Tensor:
    """Node rows [nodes, any] whose sums along the paths are the label rows [labels, any].

    A node that is no label stands for the mean of its children. `seen`: the labels whose row means
    something (None: all); the others get their parent's row.
    """
    nodes = nodes_of(control)
    places = {_path(label): k for k, label in enumerate(control.labels)}
    known = set(range(len(control.labels))) if seen is None else set(seen)
    values: dict[Path, torch.Tensor] = {}
    for node in reversed(nodes):  # children before parents
        if places.get(node) in known:
            values[node] = rows[places[node]]
            continue
        children = [values[c] for c in nodes if c[:-1] == node and c in values]
        if children:
            values[node] = torch.stack(children).mean(0)
    nothing = torch.zeros_like(rows[0])
    for node in nodes:
        values.setdefault(node, values.get(node[:-1], nothing))
    return torch.stack([values[n] - values.get(n[:-1], nothing) for n in nodes])
