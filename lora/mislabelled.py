"""Which answers a model that never saw them would not have given: the order to look at again in.

Confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068) on out-of-fold chances, in a
few lines of numpy: cleanlab does the same on one label of several, brings its own way to say it for
every other kind, and would be a dependency for these lines. Judges are lora/crossfit.py's: frozen
embeddings and a logistic regression a fold, which leaves no time to learn a wrong label by heart.
Spans are judged by what the same words are marked as elsewhere (lora/mismarked.py) and come after
all others; numbers, comparisons, texts and options of a task's own are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from label_config.controls import Control, Schema
from label_config.values import Example
from lora.crossfit import FOLDS, SINGLE, Embedder, Odds, crossfit, deal
from lora.doubts import Doubt
from lora.examples import chosen
from lora.mismarked import of_spans
from lora.start import FROZEN_STRENGTH, Floats, logistic

Ints = npt.NDArray[np.int64]
LEAST = 2  # answers with and without a label of several, in what a judge learned from


def doubts(
    embed: Embedder,
    schema: Schema,
    examples: Sequence[Example],
    pool: Sequence[Mapping[str, str]] = (),
    seed: int = 0,
    folds: int = FOLDS,
) -> list[Doubt]:
    """The human train rows that models of other rows disagree with, the worst first: by margin.
    To put first what confident learning counts as wrong finds fewer where labels are many, and the
    chance of the label given alone fewer where mistakes are likely ones (docs/benchmarks.md). Rows
    of which only spans are doubted come behind: their margins are no model's."""
    found: dict[str, Doubt] = {}
    odds = crossfit(embed, schema, examples, pool, seed, folds).out_of_fold
    for control in (c for c in schema.controls if c.options is None):
        if control.form in SINGLE:
            _keep_worst(found, of_one(control, examples, odds))
        elif control.form == "many":
            _keep_worst(found, _of_many(embed, control, examples, seed, folds))
    marked: dict[str, Doubt] = {}
    for control in (c for c in schema.controls if c.form == "spans" and c.options is None):
        _keep_worst(marked, [d for d in of_spans(control, examples) if d.row not in found])
    return [d for some in (found, marked) for d in _in_order(some)]


def _in_order(some: Mapping[str, Doubt]) -> list[Doubt]:
    return sorted(some.values(), key=lambda d: (d.margin, d.row))


def _keep_worst(found: dict[str, Doubt], more: Sequence[Doubt]) -> None:
    for d in more:
        known = found.get(d.row)
        if known is None or d.margin < known.margin:
            found[d.row] = d


def of_one(control: Control, examples: Sequence[Example], odds: Mapping[str, Odds]) -> list[Doubt]:
    """The doubts of a control with one label of several."""
    rows = [(e, p[0]) for e in examples if (p := chosen(control, e)) and control.name in odds[e.id]]
    if not rows:
        return []
    table = np.array([[odds[e.id][control.name][v] for v in control.values] for e, _ in rows])
    given = np.array([g for _, g in rows], dtype=np.int64)
    other, margin, sure = weigh(table, given)
    made: list[Doubt] = []
    for (e, g), k, m, s in zip(rows, other, margin, sure, strict=True):
        if m < 0:
            labels = (control.values[g],), (control.values[int(k)],)
            made.append(_doubt(e, control, *labels, float(m), bool(s)))
    return made


def weigh(chances: Floats, given: Ints) -> tuple[Ints, Floats, npt.NDArray[np.bool_]]:
    """By row, of chances [rows, labels] and the labels given: the likeliest other label, how much
    likelier the given one is, and whether confident learning counts the given one as wrong: some
    other label is at least as likely as it is, on the mean, for the rows that have it, and the
    likeliest of such labels is not the one given."""
    rows = np.arange(len(given))
    own = chances[rows, given]
    bars = np.array(
        [own[given == k].mean() if (given == k).any() else np.inf for k in range(chances.shape[1])]
    )
    rest = chances.copy()
    rest[rows, given] = -np.inf
    other = rest.argmax(axis=1)
    confident = np.where(chances >= bars, chances, -np.inf)
    best = confident.argmax(axis=1)
    sure = np.isfinite(confident.max(axis=1)) & (best != given)
    return other.astype(np.int64), own - chances[rows, other], sure


def _of_many(
    embed: Embedder, control: Control, examples: Sequence[Example], seed: int, folds: int
) -> list[Doubt]:
    """The doubts of a control with any of several labels: each label is a question of its own."""
    rows = [e for e in examples if e.texts.get(control.key, "").strip() and chosen(control, e)]
    if not rows:
        return []
    fold = deal(rows, seed, folds)
    place = np.array([fold[e.id] for e in rows])
    points = embed([e.texts[control.key] for e in rows])
    picked = [set(chosen(control, e)) for e in rows]
    worst: dict[int, Doubt] = {}
    for k, value in enumerate(control.values):
        has = np.array([int(k in p) for p in picked], dtype=np.int64)
        chances = _binary(points, has, place, folds)
        asked = ~np.isnan(chances)
        if not asked.any():
            continue
        own = np.where(asked)[0]
        table = np.stack([1 - chances[own], chances[own]], axis=1)
        _, margin, sure = weigh(table, has[own])
        for i, m, s in zip(own.tolist(), margin, sure, strict=True):
            if m >= 0 or (i in worst and worst[i].margin <= m):
                continue
            given = tuple(v for j, v in enumerate(control.values) if j in picked[i])
            said = tuple(v for v in control.values if (v in given) != (v == value))
            worst[i] = _doubt(rows[i], control, given, said, float(m), bool(s))
    return list(worst.values())


def _binary(points: Floats, has: Ints, place: Ints, folds: int) -> Floats:
    """Out-of-fold chances of one label [rows]; nan where the fold's judge knew too few."""
    found: Floats = np.full(len(has), np.nan)
    for number in range(folds):
        seen, own = place != number, place == number
        count = int(has[seen].sum())
        if not own.any() or count < LEAST or int(seen.sum()) - count < LEAST:
            continue
        weights: Floats = np.ones(int(seen.sum()))
        _, rows, level = logistic(points[seen], has[seen], weights, FROZEN_STRENGTH)
        logits = points[own] @ (rows[1] - rows[0]) + (level[1] - level[0])
        found[own] = 1 / (1 + np.exp(-logits))
    return found


def _doubt(
    e: Example,
    control: Control,
    given: tuple[str, ...],
    said: tuple[str, ...],
    margin: float,
    sure: bool,
) -> Doubt:
    return Doubt(
        e.id, e.task, e.origin.annotation, control.name, given, said, round(margin, 4), sure
    )
