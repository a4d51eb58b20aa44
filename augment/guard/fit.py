"""Where the guard's bars stand: quantiles of what the project's own rows measure.

Nothing here sees the holdout. A row is never measured against itself or its group: the letters are
foretold from other texts, and models that judge have not seen it. Below ENOUGH rows a quantile
says nothing, and what Thresholds falls back to stands; each fall-back is named there.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from augment.guard.consistent import Odds, agreement, claims, judged, span_f1
from augment.guard.drift import class_sums, classes, closest
from augment.guard.letters import Letters, repeats
from augment.guard.minhash import LEAST, Index, shingles
from augment.guard.texts import fold, row_text
from augment.guard.values import LOOSEST_COSINE, LOOSEST_JACCARD, Judges, Surprise, Thresholds
from augment.guard.vectors import checked, cosines
from augment.values import Vectors
from label_config.controls import InvalidValue, Schema
from label_config.values import Example

ENOUGH = 20  # rows, below which nothing is fitted
HIGH, LOW = 0.99, 0.01  # of the project's own rows one in a hundred would be refused
MARGIN = 1.5  # times the longest, or one over it the shortest, that people write
FEW_MARGIN = 3.0  # the same below ENOUGH rows
STRANGE_MARGIN = 1.1  # times the letters' bar: a counted model is a little surer of other texts
TEXTS = 2_000  # texts of the pool that are looked at
FOLDS = 5  # of the texts, each foretold from the others
WORST_TENTH = 0.1  # a child's spans may be as far from a model's as the worst tenth of people's
ALONE = -2.0  # below every cosine: no row of another group
LABEL_BARS = tuple(round(0.05 * k, 2) for k in range(2, 21))  # 0.10, 0.15 ... 1.00


def fit_thresholds(
    schema: Schema,
    originals: Sequence[Example],
    pool: Sequence[Mapping[str, str]] = (),
    vectors: Vectors | None = None,
    surprise: Surprise | None = None,
    judges: Judges | None = None,
    seed: int = 0,
) -> Thresholds:
    """The bars for this project. `vectors`: the originals' rows (`row_vectors`), in their order;
    `surprise` and `judges`: those of the Context, which must be the same when guarding."""
    wrong = [e.id for e in originals if e.side != "train" or e.origin.kind != "human"]
    if wrong:
        raise InvalidValue(
            f"bars are fitted on human train rows; {len(wrong)} are not: {wrong[:3]}"
        )
    if vectors is not None:
        vectors = checked(vectors, len(originals))
    texts = _texts(originals, pool, seed)
    enough = len(originals) >= ENOUGH
    jaccard = _jaccard(originals, seed) if enough else Thresholds.jaccard
    cosine, leak_cosine, nearest, centroid = _band(schema, originals, vectors)
    few = len(texts) < ENOUGH
    return Thresholds(
        lengths=_lengths(originals),
        surprise=None if few else _surprise(texts, surprise, seed),
        repeats=Thresholds.repeats if few else _repeats(texts),
        jaccard=jaccard,
        cosine=cosine,
        leak_jaccard=min(jaccard, LOOSEST_JACCARD),
        leak_cosine=leak_cosine,
        nearest=nearest,
        centroid=centroid,
        agreement=_agreement(originals, judges),
        marked=_marked(originals, judges),
        rows=len(originals),
    )


def _texts(originals: Sequence[Example], pool: Sequence[Mapping[str, str]], seed: int) -> list[str]:
    """The distinct texts of the originals and of a sample of the pool."""
    own = dict.fromkeys(t for e in originals for t in e.texts.values() if t.strip())
    more = sorted({t for row in pool for t in row.values() if t.strip()} - set(own))
    random.Random(f"{seed}:fit").shuffle(more)  # nosec B311  # drawn again from a seed
    return sorted([*own, *more[:TEXTS]])


def _lengths(originals: Sequence[Example]) -> dict[str, tuple[float, float]]:
    """By key the band of lengths: the quantiles, or all that is known of few rows, and a margin."""
    by_key: dict[str, list[int]] = {}
    for e in originals:
        for key, text in e.texts.items():
            by_key.setdefault(key, []).append(len(text))
    out: dict[str, tuple[float, float]] = {}
    for key, lengths in sorted(by_key.items()):
        few = len(lengths) < ENOUGH
        low, high = (0.0, 1.0) if few else (LOW, HIGH)
        margin = FEW_MARGIN if few else MARGIN
        shortest, longest = quantile(lengths, low) / margin, quantile(lengths, high) * margin
        out[key] = (max(1.0, round(shortest, 1)), round(longest, 1))
    return out


def quantile(values: Iterable[float], share: float) -> float:
    """The linear quantile."""
    return float(np.quantile(np.fromiter(values, np.float64), share))


def _surprise(texts: Sequence[str], surprise: Surprise | None, seed: int) -> float:
    """A model passed in has not learnt the texts; letters are foretold from the other folds."""
    if surprise is not None:
        return round(quantile(surprise(texts), HIGH), 4)
    order = list(range(len(texts)))
    random.Random(f"{seed}:letters").shuffle(order)  # nosec B311  # drawn again from a seed
    scores: list[float] = []
    for fold_number in range(FOLDS):
        held = [texts[i] for i in order[fold_number::FOLDS]]
        rest = [texts[i] for n, i in enumerate(order) if n % FOLDS != fold_number]
        scores += Letters(rest)(held)
    return round(quantile(scores, HIGH) * STRANGE_MARGIN, 4)


def _repeats(texts: Sequence[str]) -> float:
    return round(min(1.0, max(0.2, quantile(map(repeats, texts), HIGH))), 4)


def _jaccard(originals: Sequence[Example], seed: int) -> float:
    """How alike distinct rows of people are at most, between the usual bar and 0.95."""
    sample = sorted(originals, key=lambda e: e.id)
    random.Random(f"{seed}:jaccard").shuffle(sample)  # nosec B311  # drawn again from a seed
    index = Index()
    most: list[float] = []
    taken = sample[:TEXTS]
    marks = [shingles(fold(row_text(e.texts))) for e in taken]
    for one in marks:
        index.add(one)
    for i, e in enumerate(taken):
        alike = [s for n, s in index.like(marks[i], LEAST) if taken[n].group != e.group]
        most.append(max(alike, default=0.0))
    return round(min(0.95, max(Thresholds.jaccard, quantile(most, HIGH))), 4)


def _band(
    schema: Schema, originals: Sequence[Example], vectors: Vectors | None
) -> tuple[float, float, float | None, float | None]:
    """Near-duplicates' cosine, the leak's, and the least to the nearest and to the label's own.

    Below ENOUGH rows the least cosine between any two of them is the only lower edge.
    """
    usual = (Thresholds.cosine, Thresholds.leak_cosine, None, None)
    if vectors is None or len(originals) < 2:
        return usual
    nearest, least = _neighbours(vectors, [e.group for e in originals])
    if len(nearest) < ENOUGH:
        return usual[0], usual[1], round(least, 4), None
    high = quantile(nearest, HIGH)
    labels = [classes(schema, e.answers) for e in originals]
    sums = class_sums(vectors, labels)
    held = [closest(v, row, sums, itself=True) for v, row in zip(vectors, labels, strict=True)]
    close = [c for c in held if c < 1.0]
    return (
        round(min(0.995, max(Thresholds.cosine, high)), 4),
        round(min(LOOSEST_COSINE, max(Thresholds.leak_cosine, high)), 4),
        round(quantile(nearest, LOW), 4),
        round(quantile(close, LOW), 4) if len(close) >= ENOUGH else None,
    )


def _neighbours(vectors: Vectors, groups: Sequence[str]) -> tuple[npt.NDArray[np.float32], float]:
    """Each row's cosine to the nearest row of another group, and the least of all cosines."""
    names = np.unique(np.array(groups), return_inverse=True)[1]
    nearest = np.full(len(vectors), ALONE, np.float32)
    least = 1.0
    for at, block in cosines(vectors, vectors):
        least = min(least, float(block.min()))
        same = names[at : at + len(block), None] == names[None, :]
        nearest[at : at + len(block)] = np.where(same, ALONE, block).max(axis=1)
    return nearest[nearest > ALONE], least


def _agreement(originals: Sequence[Example], judges: Judges | None) -> float:
    """The bar that best parts people's labels from wrong ones, by models that saw neither row.

    A wrong label is drawn as a generator drifts: towards what the model takes for likely. Best is
    Youden's J: the share of right labels that pass less that of wrong ones. Of the bars within a
    standard error of the best the middle one, so that a judge who can hardly tell refuses little.
    """
    if judges is None or not judges.classify:
        return Thresholds.agreement
    right, wrong, weights = [], [], []
    for e, odds in zip(originals, _said(originals, judges), strict=True):
        for name, claimed in claims(e.answers, odds):
            share = agreement(claimed, odds[name])
            rest = sum(p for label, p in odds[name].items() if label != claimed)
            if share is None or rest <= 0:
                continue
            right.append(share)
            top = max(odds[name].values())
            others = [p for label, p in odds[name].items() if label != claimed]
            wrong += [p / top for p in others]
            weights += [p / rest for p in others]
    if len(right) < ENOUGH:
        return Thresholds.agreement
    wrong_share, weight = np.array(wrong), np.array(weights)
    gains = [
        float((np.array(right) >= bar).mean() - weight[wrong_share >= bar].sum() / weight.sum())
        for bar in LABEL_BARS
    ]
    best = np.flatnonzero(np.array(gains) >= max(gains) - 0.5 / len(right) ** 0.5)
    return LABEL_BARS[int(best[len(best) // 2])]


def _said(originals: Sequence[Example], judges: Judges) -> list[Odds]:
    return judged(judges, [e.id for e in originals], [e.inputs for e in originals], judges.classify)


def _marked(originals: Sequence[Example], judges: Judges | None) -> float:
    """The F1 that the worst tenth of people's rows reach; no bar below ENOUGH rows."""
    if judges is None or not judges.mark or len(originals) < ENOUGH:
        return Thresholds.marked
    rows = [e.inputs for e in originals]
    found = judged(judges, [e.id for e in originals], rows, judges.mark)
    scores = [span_f1(e.answers, marks) for e, marks in zip(originals, found, strict=True)]
    return round(quantile(scores, WORST_TENTH), 4)
