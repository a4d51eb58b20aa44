"""Borrowed pool texts are the sure ones, a few of each label."""

from __future__ import annotations

from collections import Counter

import numpy as np

from lora.pseudo import borrow
from lora.start import Floats, Ints

K, HIDDEN = 3, 6


def around(labels: Ints, noise: float, seed: int) -> Floats:
    draw = np.random.default_rng(seed)
    made: Floats = np.eye(K, HIDDEN)[labels] + noise * draw.standard_normal((len(labels), HIDDEN))
    return made


LABELS = np.arange(12) % K
POOL_LABELS = np.array([0] * 60 + [1] * 8 + [2] * 8)
POOL = around(POOL_LABELS, 0.2, seed=2)


def test_a_frequent_label_does_not_crowd_out_the_others() -> None:
    found = borrow(around(LABELS, 0.1, 1), LABELS, None, POOL, K)
    count = Counter(label for _, label in found)
    assert count[0] == 3 * len(LABELS) // K
    assert min(count[1], count[2]) >= 3


def test_what_is_borrowed_is_mostly_right() -> None:
    found = borrow(around(LABELS, 0.1, 1), LABELS, None, POOL, K)
    assert np.mean([POOL_LABELS[i] == label for i, label in found]) > 0.95


def test_names_speak_for_labels_nobody_used() -> None:
    only = LABELS % 2
    found = borrow(around(only, 0.1, 1), only, np.eye(K, HIDDEN), POOL, K)
    assert 2 in {label for _, label in found}


def test_nothing_is_borrowed_where_it_cannot_help() -> None:
    vectors = around(LABELS, 0.1, 1)
    assert borrow(vectors, LABELS, None, POOL[:0], K) == []
    assert borrow(vectors[:1], LABELS[:1], None, POOL, K) == []
    many = np.arange(500) % K
    assert borrow(around(many, 0.1, 1), many, None, POOL, K) == []
    assert borrow(around(many, 0.1, 1), many, None, POOL, 77), "six or seven answers a label"
    assert borrow(around(many, 0.1, 1), many, None, POOL, 50) == [], "ten a label"
