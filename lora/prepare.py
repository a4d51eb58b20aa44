"""What is decided on frozen embeddings before training: the heads' start, and the extra rows.

Looks at train rows, label names and the unlabelled pool; never at the holdout.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from label_config.controls import Control, Schema
from label_config.values import Example
from lora.base import Base
from lora.examples import Row, chosen, goal_of, labels_asked, train_windows, with_options
from lora.forms.choice import from_labels, label_rows
from lora.forms.form import Embed, Head
from lora.forms.paths import words_of
from lora.forms.spans import marks_of
from lora.forms.starts import start_number, start_ordinal, start_pair, start_spans
from lora.heads import cold_head
from lora.network import Encoded, Network
from lora.pseudo import POOL_CHARS, POOL_SAMPLE, borrow
from lora.start import Floats, names_help, start_choices
from lora.windows import Pieces, read_pieces


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
    """One data key's texts, encoded by the plain base; `held` by the example's place."""

    held: Mapping[int, Encoded]
    pool: Sequence[Encoded]


def prepare(
    base: Base,
    schema: Schema,
    examples: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    seed: int,
) -> Prepared:
    """Start every head, and choose the label names and pool texts that help to train.

    A head starts untrained where no example answers its control.
    """
    network = Network(base)
    made = Prepared()
    seen = {key: _see(network, key, examples, pool, seed) for key in schema.keys}
    for c in schema.controls:
        if c.form in {"one", "many"}:
            _prepare_choices(network, c, examples, seen[c.key], seed, made)
            continue
        start = _start(c, examples, [seen[key] for key in c.keys], base.hidden)
        made.heads[c.name] = start or cold_head(c, _embedder(network))
    return made


def _see(
    network: Network,
    key: str,
    examples: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    seed: int,
) -> _Seen:
    held = {i: e.texts[key] for i, e in enumerate(examples) if e.texts.get(key, "").strip()}
    texts = sorted({p[key] for p in pool if p.get(key, "").strip()})
    drawn = _sample(texts, seed)
    encoded = network.encode([*held.values(), *drawn], [False] * (len(held) + len(drawn)))
    return _Seen(dict(zip(held, encoded[: len(held)], strict=True)), encoded[len(held) :])


def _sample(texts: Sequence[str], seed: int) -> list[str]:
    """POOL_SAMPLE texts or POOL_CHARS of text, whichever is less."""
    drawn: list[str] = []
    room = POOL_CHARS
    for text in random.Random(seed).sample(list(texts), min(POOL_SAMPLE, len(texts))):  # nosec B311  # drawn again from a seed
        room -= len(text)
        if room < 0:
            break
        drawn.append(text)
    return drawn


def _start(
    control: Control, examples: Sequence[Example], seen: Sequence[_Seen], hidden: int
) -> Head | None:
    """The start of any form but choices; None where nobody answered."""
    left, right = seen[0].held, seen[-1].held
    if control.form == "spans":
        asked = ((examples[i], x.pieces) for i, x in left.items())
        pieces = [(e, p) for e, p in asked if labels_asked(control, e)]
        marks = [marks_of(control, e, p) for e, p in pieces]
        total = sum(len(p.ids) for _, p in pieces)
        return start_spans(control, hidden, marks, total) if pieces else None
    goals = {
        i: g for i in left.keys() & right.keys() if (g := goal_of(control, examples[i])) is not None
    }
    goals = {i: goals[i] for i in sorted(goals)}
    if not goals:
        return None
    vectors = _floats([left[i] for i in goals])
    if control.form == "number":
        return start_number(control, vectors, [g for g in goals.values() if isinstance(g, float)])
    values = [g[0] for g in goals.values() if isinstance(g, tuple)]
    if control.form == "pair":
        return start_pair(control, vectors - _floats([right[i] for i in goals]), values)
    return start_ordinal(control, vectors, [control.values.index(v) for v in values])


def _prepare_choices(
    network: Network,
    asked: Control,
    examples: Sequence[Example],
    seen: _Seen,
    seed: int,
    made: Prepared,
) -> None:
    control, embed = with_options(asked, examples), _embedder(network)
    answered = [(p, x) for i, x in seen.held.items() if (p := chosen(control, examples[i]))]
    if not answered:
        made.heads[control.name] = cold_head(asked, embed)
        return
    picked = [p for p, _ in answered]
    vectors = _floats([x for _, x in answered])
    first = np.array([p[0] for p in picked], dtype=np.int64)
    names = embed([words_of(label) for label in control.labels]).double().numpy()
    around = _floats([*seen.pool, *seen.held.values()])
    trust = names_help(vectors, first, names, around, seed)
    cold = Head(control, *label_rows(_cold_of(control, embed)), trained=False)
    pool = _floats(seen.pool) if seen.pool else None
    found: list[tuple[int, int]] = []
    if pool is not None and not control.multiple and control.options is None:
        found = borrow(vectors, first, names if trust else None, pool, len(control.labels))
        made.notes.append(f"{control.name}: {len(found)} pool texts borrowed")
    lent = None
    if pool is not None and found:
        lent = pool[[i for i, _ in found]], np.array([k for _, k in found], dtype=np.int64)
    start = start_choices(control, vectors, picked, names, cold, trust, lent)
    spoken = None if trust or control.multiple else {k for p in picked for k in p}
    made.heads[control.name] = from_labels(
        control, start.weight, start.bias, trained=True, seen=spoken
    )
    if trust:
        made.names += [_name_row(network.base, control, k) for k in range(len(control.labels))]
    else:
        made.notes.append(f"{control.name}: label names did not help on the answers")
    made.borrowed += [_row(network.base, control, seen.pool[i].pieces, k) for i, k in found]


def _cold_of(control: Control, embed: Embed) -> Head:
    """Rows of the labels' own texts, also where these came as options."""
    return cold_head(replace(control, options=None), embed)


def _name_row(base: Base, control: Control, k: int) -> Row:
    return _row(base, control, read_pieces(base, words_of(control.labels[k])), k)


def _row(base: Base, control: Control, pieces: Pieces, k: int) -> Row:
    offered = {} if control.options is None else {control.name: control.values}
    window = train_windows(base, pieces)[0]
    return Row(window, {control.name: (control.values[k],)}, offered=offered)


def _embedder(network: Network) -> Embed:
    def embed(texts: Sequence[str]) -> torch.Tensor:
        return _vectors(network.encode(texts, [False] * len(texts)))

    return embed


def _vectors(encoded: Sequence[Encoded]) -> torch.Tensor:
    return torch.stack([x.vector for x in encoded]).cpu()


def _floats(encoded: Sequence[Encoded]) -> Floats:
    found: Floats = _vectors(encoded).double().numpy()
    return found
