"""Out-of-fold answers: what models like the candidate say of train rows that they never saw.

Each of `folds` models is fitted as the candidate is, without the groups it then answers. That costs
a training a fold, so it is off unless ops ask for it. It buys two things: probabilities that are
worth what they say (a temperature for each control of one label, and a level for each of its
labels; lora/ece.py measures it), and more
rows for the gate while few are blind: those answered since the champion's snapshot, which it never
saw. These are no fair sample: the champion chose to ask the least certain, and people saw what it
said; so the gate says how many such rows there were.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize  # type: ignore[import-untyped]

from label_config.controls import Schema
from label_config.values import Example
from lora.adapter import Manifest
from lora.base import Base
from lora.crossfit import deal
from lora.errors import BrokenAdapter
from lora.examples import chosen
from lora.fit import Fitted, fit, write_adapter
from lora.forms.paths import is_tree
from lora.loaded import open_folder, ready
from lora.network import Network
from lora.paired import Floats
from lora.store import STAGING, ProjectStore
from settings import Train

Judge = Callable[[Path, Sequence[Example]], Mapping[str, Any]]
"""Scores of a candidate's folder and of the champion on rows."""

WIDE = 0.5  # how far from 1, as a logarithm, a temperature may well lie before anybody looks
LEAST = 20  # answers; fewer say nothing of a temperature
HEATS = (float(np.log(0.2)), float(np.log(8.0)))
SPREAD = 0.2
"""How far from 0 what is added to a label's logit may well lie. A temperature alone leaves what
lies with single labels (Alexandari et al. 2020, arXiv:1901.06852). Chosen on train rows, together
with that it is added at all (docs/benchmarks.md)."""


@dataclass(frozen=True)
class Fold:
    """A model's files, and the human rows that it never saw."""

    folder: Path
    rows: tuple[Example, ...]


@contextmanager
def fold_models(
    base: Base,
    schema: Schema,
    train: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    settings: Train,
    beside: Path,
) -> Iterator[list[Fold]]:
    """The models of all folds, beside a folder of the store, as long as they are needed; what a
    kill leaves is swept as unfinished adapters are."""
    human = [e for e in train if e.origin.kind == "human"]
    place = deal(human, settings.seed, settings.folds)
    made: list[Fold] = []
    with ExitStack() as stack:
        enough = len({e.group for e in human}) > settings.folds
        for number in range(settings.folds if enough else 0):
            own = tuple(e for e in human if place[e.id] == number)
            groups = {e.group for e in own}
            rest = [e for e in train if e.group not in groups]
            where = tempfile.TemporaryDirectory(prefix=f"{STAGING}fold-", dir=beside.parent)
            folder = Path(stack.enter_context(where))
            write_adapter(folder, fit(base, schema, rest, pool, settings))
            made.append(Fold(folder, own))
        yield made


def cooled(
    base: Base, schema: Schema, fitted: Fitted, folds: Sequence[Fold]
) -> tuple[Fitted, dict[str, float]]:
    """The candidate with logits divided by the temperature, and moved by the level of each label
    of a flat list, at which the folds' answers are likeliest; the temperatures by control. An
    answer that hung by a thread can change: it is calibrated before it is judged. Options of a
    task's own are left alone."""
    if not folds:
        return fitted, {}
    network = Network(base)
    files = [open_folder(network, fold.folder, "fold", schema.digest) for fold in folds]
    loaded = [ready(network, opened, schema) for opened in files]
    heads = dict(fitted.heads)
    warmth: dict[str, float] = {}
    for c in schema.controls:
        if c.form != "one" or c.options is not None or c.name not in heads:
            continue
        tables: list[torch.Tensor] = []
        gold: list[int] = []
        for fold, model in zip(folds, loaded, strict=True):
            asked = [(e.texts.get(c.key, ""), chosen(c, e)) for e in fold.rows]
            rows = [(text, right[0]) for text, right in asked if text.strip() and right]
            if rows and model.heads[c.name].trained:
                network.activate(model, model.tensors)
                encoded = network.encode([text for text, _ in rows], [False] * len(rows))
                vectors = torch.stack([e.vector for e in encoded])
                tables.append(model.heads[c.name].logits(vectors).detach().cpu())
                gold += [right for _, right in rows]
        if len(gold) < LEAST:
            continue
        spread = 0.0 if is_tree(c) else SPREAD  # a tree's rows are places, not labels
        warm, levels = settle(torch.cat(tables).double().numpy(), np.array(gold), spread)
        head = heads[c.name]
        bias = head.bias / warm
        if spread:
            bias = bias + torch.from_numpy(levels).to(bias)
        heads[c.name] = replace(head, weight=head.weight / warm, bias=bias)
        warmth[c.name] = warm
    return replace(fitted, heads=heads), warmth


def settle(
    logits: Floats, gold: npt.NDArray[np.int64], spread: float = SPREAD
) -> tuple[float, Floats]:
    """What to divide logits [rows, labels] by and then to add to each label, so that the right
    answers are likeliest; drawn to 1 and 0 where rows are few. `spread` 0: nothing is added."""
    rows, labels = np.arange(len(gold)), logits.shape[1]

    def loss(x: Floats) -> tuple[float, Floats]:
        heat, levels = float(x[0]), x[1:]
        cooler = logits / np.exp(heat)
        scaled = cooler + levels if spread else cooler
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chances = np.exp(scaled)
        chances /= chances.sum(axis=1, keepdims=True)
        value = -float(np.log(np.maximum(chances[rows, gold], 1e-300)).sum())
        apart = chances
        apart[rows, gold] -= 1
        slope = np.zeros_like(x)
        slope[0] = -float((apart * cooler).sum()) + heat / WIDE**2
        value += heat**2 / (2 * WIDE**2)
        if spread:
            slope[1:] = apart.sum(axis=0) + levels / spread**2
            value += float((levels**2).sum()) / (2 * spread**2)
        return value, slope

    start = np.zeros(1 + (labels if spread else 0))
    bounds = [HEATS, *[(None, None)] * (len(start) - 1)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    added: Floats = found[1:] - found[1:].mean() if spread else np.zeros(labels)
    return float(np.exp(found[0])), added


def fresh_rows(place: ProjectStore, champion: Path, rows: Sequence[Example]) -> list[Example]:
    """The human rows among these that did not teach the champion, or taught it otherwise; none
    where nobody can tell any more."""
    try:
        past = place.snapshot(Manifest.read(champion).recipe.snapshot)
    except (FileNotFoundError, BrokenAdapter):
        return []
    known = {(e.id, e.answers) for e in past.train}
    return [e for e in rows if e.origin.kind == "human" and (e.id, e.answers) not in known]


def judge_since(
    folds: Sequence[Fold], fresh: Sequence[Example], judge: Judge
) -> dict[str, Any] | None:
    """Marks of both on the `fresh` rows, as the report has them; None where there are none, or the
    champion could not be judged."""
    new = {e.id for e in fresh}
    marks: dict[str, dict[str, Any]] = {"candidate": {}, "champion": {}}
    for fold in folds:
        own = [e for e in fold.rows if e.id in new]
        scores = judge(fold.folder, own) if own else None
        if scores is not None and not scores["champion"]:
            return None
        for who, found in marks.items():
            found |= scores[who]["right"] if scores else {}
    if not marks["candidate"]:
        return None
    shown = sum(e.origin.shown is True for e in fresh)
    return {"rows": len(fresh), "shown": shown, "folds": len(folds), "right": marks}
