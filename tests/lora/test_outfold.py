"""A temperature and a level a label make probabilities come true."""

from __future__ import annotations

import numpy as np
import pytest

from lora.outfold import SPREAD, settle


def answered(too_sure: float, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Logits that are `too_sure` times as far apart as the labels drawn by them say."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (rows, 5))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gold = np.array([rng.choice(5, p=p) for p in chances])
    return logits * too_sure, gold


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 3.0])
def test_it_is_how_many_times_too_sure_the_logits_are(too_sure: float) -> None:
    warm, levels = settle(*answered(too_sure))
    assert warm == pytest.approx(too_sure, rel=0.08)
    assert np.abs(levels).max() < 0.15  # there is nothing to move


def test_all_right_does_not_send_it_to_the_end_of_the_grid() -> None:
    logits, gold = np.eye(3)[[0, 1, 2] * 10] * 2.0, np.array([0, 1, 2] * 10)
    assert 0.2 < settle(logits, gold)[0] < 1.0


def test_a_label_that_is_said_too_often_is_moved_down_by_as_much() -> None:
    logits, gold = answered(2.0)
    logits = logits + np.array([1.6, 0, 0, 0, 0])  # .8 once cooled
    warm, levels = settle(logits, gold)
    assert warm == pytest.approx(2.0, rel=0.08)
    assert levels - levels[1:].mean() == pytest.approx([-0.8, 0, 0, 0, 0], abs=0.15)
    alone, none = settle(logits, gold, 0.0)
    assert alone == pytest.approx(warm, rel=0.1) and not none.any()


def test_few_rows_move_a_label_little() -> None:
    logits, gold = answered(1.0, 30)
    logits = logits + np.array([5.0, 0, 0, 0, 0])
    assert np.abs(settle(logits, gold)[1]).max() < 5 * SPREAD
    assert np.abs(settle(logits, gold, 0.01)[1]).max() < 0.01
