"""Judges that have not seen what they judge: frozen embeddings and a logistic regression a fold.

For what expansion needs to know of the train rows: which of them a model reads wrongly that never
saw them, and whether a child carries its label in the eyes of one that never saw its parent. Cheap
enough for every round. Controls with one label of several are judged, the others are not.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from label_config.controls import Control, Form, Schema
from label_config.values import Example, Inputs
from lora.base import Base
from lora.examples import chosen
from lora.forms.paths import words_of
from lora.network import Network
from lora.start import FROZEN_STRENGTH, Floats, logistic, names_help, with_names

FOLDS = 5
SINGLE: tuple[Form, ...] = ("one", "ordinal")
"""Controls that are judged: one label of several, a scale's marks being labels like others."""
UNSEEN = 1.0  # a label the fold never saw lies so far below all others

Odds = dict[str, dict[str, float]]
Judge = Callable[[Sequence[Inputs]], list[Odds]]


@dataclass(frozen=True)
class CrossFit:
    """`fold`: example id -> its fold; `judges[i]` never saw fold i; `out_of_fold`: example id ->
    control -> label -> probability, from the judge of its own fold."""

    fold: Mapping[str, int]
    judges: Sequence[Judge]
    out_of_fold: Mapping[str, Odds]


class Embedder:
    """Texts as unit vectors [texts, hidden] of the plain base; each text is encoded once."""

    def __init__(self, base: Base) -> None:
        self._network = Network(base)
        self._hidden = base.hidden
        self._known: dict[str, Floats] = {}

    def __call__(self, texts: Sequence[str]) -> Floats:
        fresh = [t for t in dict.fromkeys(texts) if t not in self._known]
        if fresh:
            encoded = self._network.encode(fresh, [False] * len(fresh))
            vectors = torch.stack([x.vector for x in encoded]).cpu().double().numpy()
            self._known.update(zip(fresh, vectors, strict=True))
        if not texts:
            return np.zeros((0, self._hidden))
        found: Floats = np.stack([self._known[t] for t in texts])
        return found


def crossfit(
    embed: Embedder,
    schema: Schema,
    examples: Sequence[Example],
    pool: Sequence[Mapping[str, str]] = (),
    seed: int = 0,
    folds: int = FOLDS,
) -> CrossFit:
    """Judges of the human train rows `examples`, in `folds` parts by group.

    `pool`: unlabelled texts, which say what label names are like to any text.
    """
    fold = deal(examples, seed, folds)
    controls = [c for c in schema.controls if c.form in SINGLE and c.options is None]
    judges: list[Judge] = []
    for number in range(folds):
        seen = [e for e in examples if fold[e.id] != number]
        heads = {c.name: h for c in controls if (h := _head(embed, c, seen, pool, seed))}
        judges.append(_judge(embed, controls, heads))
    out: dict[str, Odds] = {}
    for number, judge in enumerate(judges):
        own = [e for e in examples if fold[e.id] == number]
        out |= zip([e.id for e in own], judge([e.inputs for e in own]), strict=True)
    return CrossFit(fold, judges, out)


def deal(examples: Sequence[Example], seed: int, folds: int) -> dict[str, int]:
    """Whole groups, dealt in shuffled order."""
    groups = sorted({e.group for e in examples})
    random.Random(f"{seed}:folds").shuffle(groups)  # nosec B311  # drawn again from a seed
    place = {group: i % folds for i, group in enumerate(groups)}
    return {e.id: place[e.group] for e in examples}


@dataclass(frozen=True)
class _Frozen:
    """A row and a level a label."""

    weight: Floats
    bias: Floats

    def odds(self, vectors: Floats) -> Floats:
        logits = vectors @ self.weight.T + self.bias
        logits -= logits.max(axis=1, keepdims=True)
        chances: Floats = np.exp(logits)
        chances /= chances.sum(axis=1, keepdims=True)
        return chances


def _head(
    embed: Embedder,
    control: Control,
    seen: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    seed: int,
) -> _Frozen | None:
    """None where the fold answers with fewer than two labels, so that nothing can be told apart."""
    rows = [(e.texts[control.key], p) for e in seen if (p := _answered(control, e))]
    if not rows:
        return None
    points, labels = embed([t for t, _ in rows]), np.array([p[0] for _, p in rows], dtype=np.int64)
    names = embed([words_of(label) for label in control.labels])
    around = embed([p[control.key] for p in pool if p.get(control.key, "").strip()] or [rows[0][0]])
    weights: Floats = np.ones(len(labels))
    if names_help(points, labels, names, around, seed):
        points, labels, weights = with_names(points, labels, names)
    if len(set(labels.tolist())) < 2:
        return None
    classes, found, level = logistic(points, labels, weights, FROZEN_STRENGTH)
    weight = np.zeros((len(names), points.shape[1]))
    bias = np.full(len(names), float(np.min(level)) - UNSEEN)
    weight[classes], bias[classes] = found, level
    return _Frozen(weight, bias)


def _answered(control: Control, example: Example) -> tuple[int, ...]:
    return chosen(control, example) if example.texts.get(control.key, "").strip() else ()


def _judge(embed: Embedder, controls: Sequence[Control], heads: Mapping[str, _Frozen]) -> Judge:
    def judge(rows: Sequence[Inputs]) -> list[Odds]:
        made: list[Odds] = [{} for _ in rows]
        for c in controls:
            there = [i for i, r in enumerate(rows) if r.texts.get(c.key, "").strip()]
            if c.name not in heads or not there:
                continue
            table = heads[c.name].odds(embed([rows[i].texts[c.key] for i in there]))
            for i, chances in zip(there, table.tolist(), strict=True):
                made[i][c.name] = dict(zip(c.values, chances, strict=True))
        return made

    return judge
