"""A temperature makes probabilities come true, and changes no answer."""

from __future__ import annotations

import numpy as np
import pytest

from lora.outfold import temperature


def answered(too_sure: float, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Logits that are `too_sure` times as far apart as the labels drawn by them say."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (rows, 5))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gold = np.array([rng.choice(5, p=p) for p in chances])
    return logits * too_sure, gold


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 3.0])
def test_it_is_how_many_times_too_sure_the_logits_are(too_sure: float) -> None:
    assert temperature(*answered(too_sure)) == pytest.approx(too_sure, rel=0.08)


def test_all_right_does_not_send_it_to_the_end_of_the_grid() -> None:
    logits, gold = np.eye(3)[[0, 1, 2] * 10] * 2.0, np.array([0, 1, 2] * 10)
    assert 0.2 < temperature(logits, gold) < 1.0
