"""Heads start well, and label names that mislead are noticed."""

from __future__ import annotations

import numpy as np
import torch

from label_config.controls import Control, Label
from lora.heads import Head
from lora.start import _beat_permutations, names_help, start_choices

HIDDEN, K = 8, 4
CONTROL = Control("what", "Choices", "t", "x", tuple(Label(v, v) for v in "abcd"))
COLD = Head(CONTROL, torch.zeros(K, HIDDEN), torch.zeros(K), False)


def cloud(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Texts around four centres, their labels, and the centres as label names."""
    draw = np.random.default_rng(seed)
    names = np.eye(K, HIDDEN)
    labels = draw.integers(0, K, count)
    texts = names[labels] + 0.2 * draw.standard_normal((count, HIDDEN))
    return texts, labels, names


def test_good_names_pass_the_gate() -> None:
    texts, labels, names = cloud(40)
    assert names_help(texts, labels, names, texts, seed=0)


def test_exchanged_names_do_not() -> None:
    texts, labels, names = cloud(40)
    assert not names_help(texts, labels, np.roll(names, 1, axis=0), texts, seed=0)


def test_few_answers_or_two_labels_cannot_tell_and_names_are_trusted() -> None:
    texts, labels, names = cloud(10)
    assert names_help(texts, labels, np.roll(names, 1, axis=0), texts, seed=0)
    assert names_help(texts, labels % 2, names[:2], texts, seed=0)


def guesses(head: Head, vectors: np.ndarray) -> list[int]:  # type: ignore[type-arg]
    logits = head.logits(torch.tensor(vectors, dtype=torch.float32))
    return [int(i) for i in logits.argmax(1)]


def test_a_label_nobody_used_starts_from_its_name() -> None:
    texts, labels, names = cloud(40)
    kept = labels != 3
    picked = [(int(i),) for i in labels[kept]]
    head = start_choices(CONTROL, texts[kept], picked, names, COLD, trust=True)
    assert guesses(head, names) == [0, 1, 2, 3]


def test_without_trust_a_label_nobody_used_is_not_predicted() -> None:
    texts, labels, names = cloud(40)
    kept = labels != 3
    picked = [(int(i),) for i in labels[kept]]
    head = start_choices(CONTROL, texts[kept], picked, names, COLD, trust=False)
    assert 3 not in guesses(head, texts)


def test_answers_of_one_label_only_keep_the_cold_rows() -> None:
    texts, _, names = cloud(6)
    head = start_choices(CONTROL, texts, [(1,)] * 6, names, COLD, trust=False)
    assert torch.equal(head.weight, COLD.weight) and head.trained


def test_several_choices_at_once_are_learnt_apart() -> None:
    control = Control("what", "Choices", "t", "x", CONTROL.labels, multiple=True)
    texts, labels, names = cloud(60)
    picked = [tuple(sorted({int(i), 0})) for i in labels]
    cold = Head(control, torch.zeros(K, HIDDEN), torch.zeros(K), False)
    head = start_choices(control, texts, picked, names, cold, trust=False)
    chances = torch.sigmoid(head.logits(torch.tensor(names[2], dtype=torch.float32)[None]))[0]
    assert int(chances[1:].argmax()) == 1


def test_names_that_are_unsure_of_what_was_asked_for_still_help() -> None:
    """As when only the least sure texts were answered: between two names, told apart by more."""
    texts, labels, names = cloud(36)
    labels = labels % 2
    apart = np.eye(K, HIDDEN, k=K)[labels]
    texts = 0.2 * (texts - np.eye(K, HIDDEN)[labels]) + (names[0] + names[1]) / 2 + apart
    assert not _beat_permutations(texts, labels, names, texts, seed=0)
    assert names_help(texts, labels, names, texts, seed=0)
