"""What is decided on frozen embeddings before training: the heads' start, and the extra rows.

Looks at train rows, label names and the unlabelled pool; never at the holdout.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from label_config.names import label_text
from label_config.values import Control, Example, Schema
from lora.base import Base
from lora.examples import TRAIN_WINDOW, Row, chosen, tag
from lora.heads import Head, cold_head
from lora.network import Encoded, Network
from lora.pseudo import POOL_SAMPLE, borrow
from lora.start import Floats, names_help, start_choices, start_labels
from lora.windows import Pieces, cut, read_pieces


@dataclass
class Prepared:
    """Grows control by control. `names`, `borrowed`: rows beside the human ones; `notes`: what was
    decided, in words."""

    heads: dict[str, Head] = field(default_factory=dict)
    names: list[Row] = field(default_factory=list)
    borrowed: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Seen:
    """One data key's texts, encoded by the plain base."""

    held: Sequence[Example]
    encoded: Sequence[Encoded]
    pool: Sequence[Encoded]


def prepare(
    base: Base,
    schema: Schema,
    examples: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    seed: int,
) -> Prepared:
    """Start every head, and choose the label names and pool texts that help to train."""
    network = Network(base)
    made = Prepared()
    for key in schema.keys:
        seen = _see(network, key, examples, pool, seed)
        for control in (c for c in schema.controls if c.key == key):
            if control.kind == "Labels":
                made.heads[control.name] = _start_labels(control, seen, base.hidden)
            else:
                _prepare_choices(network, control, seen, seed, made)
    return made


def _see(
    network: Network,
    key: str,
    examples: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    seed: int,
) -> _Seen:
    held = [e for e in examples if e.texts.get(key, "").strip()]
    texts = sorted({p[key] for p in pool if p.get(key, "").strip()})
    drawn = random.Random(seed).sample(texts, min(POOL_SAMPLE, len(texts)))
    return _Seen(
        held,
        network.encode([e.texts[key] for e in held]),
        network.encode(drawn, [False] * len(drawn)),
    )


def _start_labels(control: Control, seen: _Seen, hidden: int) -> Head:
    """The head before training; without any row it knows nothing, and says so."""
    both = zip(seen.held, seen.encoded, strict=True)
    used = {t for e, x in both for t in tag(control, e, x.pieces)}
    return replace(start_labels(control, hidden, used), trained=bool(seen.held))


def _prepare_choices(
    network: Network, control: Control, seen: _Seen, seed: int, made: Prepared
) -> None:
    def embed(texts: Sequence[str]) -> torch.Tensor:
        return _vectors(network.encode(texts, [False] * len(texts)))

    cold = cold_head(control, embed)
    answered = [
        (p, x) for e, x in zip(seen.held, seen.encoded, strict=True) if (p := chosen(control, e))
    ]
    if not answered:
        made.heads[control.name] = cold
        return
    picked = [p for p, _ in answered]
    vectors = _floats([x for _, x in answered])
    first = np.array([p[0] for p in picked], dtype=np.int64)
    names = embed([label_text(label) for label in control.labels]).double().numpy()
    around = _floats([*seen.pool, *seen.encoded])
    trust = names_help(vectors, first, names, around, seed)
    made.heads[control.name] = start_choices(control, vectors, picked, names, cold, trust)
    if trust:
        made.names += [_name_row(network.base, control, k) for k in range(len(control.labels))]
    else:
        made.notes.append(f"{control.name}: label names did not help on the answers")
    if not control.multiple and seen.pool:
        known = names if trust else None
        found = borrow(vectors, first, known, _floats(seen.pool), len(control.labels))
        made.borrowed += [_row(network.base, control, seen.pool[i].pieces, k) for i, k in found]
        made.notes.append(f"{control.name}: {len(found)} pool texts borrowed")


def _name_row(base: Base, control: Control, k: int) -> Row:
    return _row(base, control, read_pieces(base, label_text(control.labels[k])), k)


def _row(base: Base, control: Control, pieces: Pieces, k: int) -> Row:
    return Row(cut(base, pieces, min(TRAIN_WINDOW, base.max_tokens))[0], {control.name: (k,)})


def _vectors(encoded: Sequence[Encoded]) -> torch.Tensor:
    return torch.stack([x.vector for x in encoded]).cpu()


def _floats(encoded: Sequence[Encoded]) -> Floats:
    found: Floats = _vectors(encoded).double().numpy()
    return found
