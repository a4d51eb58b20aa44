"""Where heads start before training: fitted on frozen vectors, or on how often tags occur.

Training only (needs scikit-learn). Choices start in lora/start.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, cross_val_predict

from label_config.controls import Control
from lora.forms.form import NEVER, Head
from lora.forms.ordinal import as_stored
from lora.forms.pair import LEFT
from lora.forms.spans import OVERLAP, Mark, overlap

Floats = npt.NDArray[np.float64]

STRENGTH = 1.0  # sklearn's C, as for the choices (lora/start.py says why), and Ridge's alpha
FOLDS = 5
RAREST = -7.0  # least logit of a tag that occurs: one piece in a thousand


def start_ordinal(control: Control, vectors: Floats, places: Sequence[int]) -> Head:
    """`places`: each row's rating, from 0. One logistic regression for all thresholds: each row is
    asked K - 1 times whether it lies above, with the threshold's number as extra inputs."""
    levels = len(control.labels) - 1
    if levels == 0:
        return Head(control, torch.zeros(1, vectors.shape[1]), torch.zeros(0), trained=True)
    asked = np.concatenate(
        [np.repeat(vectors, levels, 0), np.tile(np.eye(levels), (len(places), 1))], 1
    )
    above = np.array([int(p > k) for p in places for k in range(levels)])
    prior = _log_odds(
        np.array([[p > k for k in range(levels)] for p in places]).mean(0), len(places)
    )
    direction = np.zeros(vectors.shape[1])
    if 0 < above.mean() < 1 and levels > 0:
        model = LogisticRegression(C=STRENGTH, max_iter=300).fit(asked, above)
        direction = model.coef_[0, : vectors.shape[1]]
    mean = float(vectors.mean(0) @ direction)
    bias = as_stored(torch.tensor(prior - mean, dtype=torch.float32))
    return Head(control, torch.tensor(direction[None], dtype=torch.float32), bias, trained=True)


def _log_odds(share: Floats, count: int) -> Floats:
    odds: Floats = np.log((share * count + 0.5) / ((1 - share) * count + 0.5))
    return odds


def start_number(control: Control, vectors: Floats, numbers: Sequence[float]) -> Head:
    """Ridge regression of the standardised numbers; its held-out error is the head's spread."""
    raw = np.array(numbers, dtype=np.float64)
    mean, scale = float(raw.mean()), float(raw.std()) or 1.0
    goal = (raw - mean) / scale
    model = Ridge(alpha=1 / STRENGTH).fit(vectors, goal)
    error = goal
    if len(raw) >= 2 * FOLDS:
        folds = KFold(FOLDS, shuffle=True, random_state=0)
        error = goal - cross_val_predict(Ridge(alpha=1 / STRENGTH), vectors, goal, cv=folds)
    spread = float(np.sqrt(np.mean(error**2))) * scale
    facts = {"mean": mean, "scale": scale, "spread": spread}
    facts |= {"low": float(raw.min()), "high": float(raw.max())}
    weight = torch.tensor(model.coef_.reshape(1, -1), dtype=torch.float32)
    bias = torch.tensor([float(model.intercept_)], dtype=torch.float32)
    return Head(control, weight, bias, trained=True, facts=facts)


def start_pair(control: Control, differences: Floats, sides: Sequence[str]) -> Head:
    """`differences`: left less right text; each row also counts swapped, so no side is learned."""
    left = np.array([s == LEFT for s in sides], dtype=np.int64)
    both = np.concatenate([differences, -differences])
    model = LogisticRegression(C=STRENGTH, max_iter=300, fit_intercept=False)
    model.fit(both, np.concatenate([left, 1 - left]))
    weight = torch.tensor(model.coef_, dtype=torch.float32)
    return Head(control, weight, torch.zeros(0), trained=True)


def start_spans(
    control: Control, hidden: int, marks: Sequence[Sequence[Mark]], pieces: int
) -> Head:
    """Rows of zeros, and each tag's log share of all `pieces` as its level; unused tags are silent.

    From the shares on, no step is spent on pushing every label towards O. One softmax over all
    tags, started at -1, never left O on 400 rows of wnut17 (F1 0.00; with this 0.36-0.41; 300 more
    train rows, 60 steps). On SNIPS .611 against .601 and .592 against .526, intents equal (100
    rows, two seeds). Weights start at zero: a fit on frozen pieces fits 100 rows at once and leaves
    the encoder nothing to learn.
    """
    begins, inside = np.zeros(len(control.labels)), np.zeros(len(control.labels))
    for mark in (m for row in marks for m in row):
        begins[mark.label] += 1
        inside[mark.label] += mark.last - mark.first - 1
    counts = np.stack([begins, inside], axis=1).reshape(-1)
    level = np.full(len(counts), NEVER)
    used = counts > 0
    level[used] = np.maximum(np.log(counts[used] / max(pieces, 1)), RAREST)
    bias = torch.tensor(level, dtype=torch.float32)
    facts = {OVERLAP: float(overlap(marks))}
    return Head(control, torch.zeros(len(counts), hidden), bias, trained=True, facts=facts)
