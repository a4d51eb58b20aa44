"""Where heads start: of choices, a fit on frozen embeddings with label names as extra points.

Both beat a random start by far here (reference: ../shared/reference/learning.md, sections 1, 2
and 8). Names count only if they pass a permutation gate on the training answers, or if there are
too few of those to tell.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from label_config.controls import Control
from lora.heads import Head

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STRENGTH = 30.0
"""sklearn's C of a single choice's start: beside names and borrowed texts not worse than 10 on six
data sets, and better on four (train rows; docs/benchmarks.md)."""
SOFTENED = 0.35
"""The start's logits are scaled so: as sure as it is, it leaves the encoder nothing to learn."""
MULTIPLE_STRENGTH = 1.0
"""sklearn's C of each label of a multiple choice."""
NAME_WEIGHT = 2.0
TRUSTED_BELOW = 20  # with fewer answers the gate has no power and names are trusted
PERMUTATIONS = 200
FOLDS = 5
FROZEN_STRENGTH = 10.0
"""sklearn's C of a frozen fit that is used as it is, not as a start."""


def names_help(vectors: Floats, labels: Ints, names: Floats, pool: Floats, seed: int) -> bool:
    """Whether label names tell the labelled texts apart: two ways to show it, one is enough.

    Cosine of text and name less its mean over the pool beats the 95 % quantile of 200
    permutations; or the names as extra points do not raise the cross-validated log loss. The
    second is for answers that were asked for because names were unsure of them: on these names
    look no better than chance (SNIPS, the 34 least sure of 2,000), and yet are all that is known
    of labels without an answer. Two labels have too few permutations to tell.
    """
    if len(labels) < TRUSTED_BELOW:
        return True
    if len(names) > 2 and _beat_permutations(vectors, labels, names, pool, seed):
        return True
    without, given = (_held_out_loss(vectors, labels, names, seed, use) for use in (False, True))
    return given <= without


def _beat_permutations(
    vectors: Floats, labels: Ints, names: Floats, pool: Floats, seed: int
) -> bool:
    likeness = vectors @ names.T - (pool @ names.T).mean(axis=0)
    guess = likeness.argmax(axis=1)
    rng = np.random.default_rng(seed)
    chance = [(rng.permutation(len(names))[guess] == labels).mean() for _ in range(PERMUTATIONS)]
    return bool((guess == labels).mean() > np.quantile(chance, 0.95))


def _held_out_loss(
    vectors: Floats, labels: Ints, names: Floats, seed: int, use_names: bool
) -> float:
    """Summed log loss over 5 folds; a label the fold never saw is a little below all others."""
    total = 0.0
    for here, there in KFold(FOLDS, shuffle=True, random_state=seed).split(vectors):
        points, targets = vectors[here], labels[here]
        weights: Floats = np.ones(len(here))
        if use_names:
            points, targets, weights = with_names(points, targets, names)
        if len(set(targets.tolist())) < 2:
            continue
        classes, rows, bias = logistic(points, targets, weights, FROZEN_STRENGTH)
        seen = vectors[there] @ rows.T + bias
        logits = np.repeat(seen.min(axis=1, keepdims=True) - 1.0, len(names), axis=1)
        logits[:, classes] = seen
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        total -= float(log_p[np.arange(len(there)), labels[there]].sum())
    return total


def with_names(points: Floats, labels: Ints, names: Floats) -> tuple[Floats, Ints, Floats]:
    """Points, labels and weights with one more point for each label: its name."""
    return (
        np.concatenate([points, names]),
        np.concatenate([labels, np.arange(len(names))]),
        np.concatenate([np.ones(len(labels)), np.full(len(names), NAME_WEIGHT)]),
    )


def start_choices(
    control: Control,
    vectors: Floats,
    picked: Sequence[tuple[int, ...]],
    names: Floats,
    cold: Head,
    trust: bool,
    borrowed: tuple[Floats, Ints] | None = None,
) -> Head:
    """A Choices head fitted on frozen embeddings. `picked`: each row's labels; `cold`: the head to
    keep for labels that neither an answer nor a trusted name speaks for; `borrowed`: pool texts
    and guessed labels, together as heavy as the answers."""
    if control.multiple:
        return _start_multiple(control, vectors, picked, names, cold, trust)
    labels = np.array([p[0] for p in picked], dtype=np.int64)
    weights: Floats = np.ones(len(labels))
    if trust:
        vectors, labels, weights = with_names(vectors, labels, names)
    if borrowed is not None and len(borrowed[1]):
        count = len(borrowed[1])
        vectors, labels = np.concatenate([vectors, borrowed[0]]), np.append(labels, borrowed[1])
        weights = np.append(weights, np.full(count, len(picked) / count))
    if len(set(labels.tolist())) < 2:
        return Head(control, cold.weight.clone(), cold.bias.clone(), trained=True)
    classes, rows, bias = logistic(vectors, labels, weights, STRENGTH)
    rows, bias = SOFTENED * rows, SOFTENED * bias
    weight = torch.zeros(len(names), vectors.shape[1])
    level = torch.full((len(names),), float(bias.min()) - 1.0)  # below all that were seen
    weight[classes] = torch.tensor(rows, dtype=torch.float32)
    level[classes] = torch.tensor(bias, dtype=torch.float32)
    return Head(control, weight, level, trained=True)


def _start_multiple(
    control: Control,
    vectors: Floats,
    picked: Sequence[tuple[int, ...]],
    names: Floats,
    cold: Head,
    trust: bool,
) -> Head:
    weight, bias = cold.weight.clone(), cold.bias.clone()
    for k in range(len(names)):
        labels = np.array([int(k in p) for p in picked], dtype=np.int64)
        points, weights = vectors, np.ones(len(labels))
        if trust:
            points = np.concatenate([points, names])
            labels = np.concatenate([labels, (np.arange(len(names)) == k).astype(np.int64)])
            weights = np.concatenate([weights, np.full(len(names), NAME_WEIGHT)])
        if len(set(labels.tolist())) == 2:
            _, rows, level = logistic(points, labels, weights, MULTIPLE_STRENGTH)
            weight[k] = torch.tensor(rows[1] - rows[0], dtype=torch.float32)
            bias[k] = float(level[1] - level[0])
    return Head(control, weight, bias, trained=True)


def logistic(
    points: Floats, labels: Ints, weights: Floats, strength: float
) -> tuple[list[int], Floats, Floats]:
    """Classes, rows and bias of a logistic regression; two classes also get a row each."""
    model = LogisticRegression(C=strength, max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not be converged
        model.fit(points, labels, sample_weight=weights)
    classes = [int(c) for c in model.classes_]
    if len(classes) == 2:
        half = np.concatenate([-model.coef_, model.coef_]) / 2
        return classes, half, np.concatenate([-model.intercept_, model.intercept_]) / 2
    return classes, model.coef_, model.intercept_
