"""How far stated probabilities are from how often they are right: the expected calibration error.

Answers are put into BINS of equal width by their confidence; the error is the mean distance of a
bin's mean confidence from its share of right answers, each bin by its answers (Guo et al. 2017).
On few rows it is too large, since luck never cancels within a bin; the interval, which draws groups
of near-duplicates anew, does not take that away. Pure numpy; the same input gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lora.paired import LEVEL, Estimate, Floats

BINS = 15
DRAWS = 1000

Said = Mapping[str, tuple[float, float]]
"""By row the confidence of the answer, and 1 where it is right, else 0."""


def calibration_error(said: Said, groups: Mapping[str, str]) -> Estimate | None:
    """None where nothing was answered."""
    if not said:
        return None
    names = {name: i for i, name in enumerate(sorted({groups[row] for row in said}))}
    table = np.zeros((len(names), BINS, 3))  # answers, confidence, right
    for row in sorted(said):
        confidence, right = said[row]
        place = min(int(confidence * BINS), BINS - 1)
        table[names[groups[row]], place] += (1.0, confidence, right)
    flat = table.reshape(len(names), -1)
    rng = np.random.default_rng(0)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)
    drawn = _error((counts.astype(np.float64) @ flat).reshape(DRAWS, BINS, 3))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = float(_error(table.sum(0)[None])[0])
    return Estimate("ece", value, float(low), float(high), len(said))


def luck(said: Said) -> dict[str, float]:
    """What luck alone leaves: `mean`, the error that would be seen on such rows if every answer
    came true as often as it says; `as_far`: how often one as large as was seen. 0 and 1 of none."""
    if not said:
        return {"mean": 0.0, "as_far": 1.0}
    chances, right = (np.array(x) for x in zip(*(said[row] for row in sorted(said)), strict=True))
    places = np.minimum((chances * BINS).astype(np.int64), BINS - 1)
    bins = np.eye(BINS)[places]
    drawn = np.random.default_rng(0).random((DRAWS, len(chances))) < chances
    sums = np.zeros((DRAWS + 1, BINS, 3))
    sums[..., 0], sums[..., 1] = bins.sum(0), chances @ bins
    sums[..., 2] = np.vstack([drawn.astype(np.float64), right]) @ bins
    errors = _error(sums)
    return {"mean": float(errors[:-1].mean()), "as_far": float((errors[:-1] >= errors[-1]).mean())}


def _error(sums: Floats) -> Floats:
    """Of [draws, BINS, 3]."""
    apart = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    found: Floats = apart / sums[..., 0].sum(axis=-1)
    return found
