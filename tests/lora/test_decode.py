"""Decoding finds the likeliest path that is valid."""

from __future__ import annotations

import itertools

import pytest
import torch

from lora.decode import decode

LABELS = 2


def is_valid(path: tuple[int, ...]) -> bool:
    return all(
        state == 0 or state % 2 == 1 or before in (state, state - 1)
        for before, state in zip((0, *path), path, strict=False)
    )


def spans_of(path: tuple[int, ...]) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for i, state in enumerate(path):
        if state % 2 == 1:
            found.append((i, i + 1, state // 2))
        elif state:
            first, _, label = found.pop()
            found.append((first, i + 1, label))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_no_valid_path_is_likelier_than_the_one_found(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(4, 2 * LABELS, generator=draw)
    table = torch.log_softmax(torch.cat([torch.zeros(4, 1), logits], dim=1), dim=1)
    paths = filter(is_valid, itertools.product(range(2 * LABELS + 1), repeat=4))
    best = max(paths, key=lambda p: sum(float(table[i, s]) for i, s in enumerate(p)))
    assert [(f.first, f.last, f.label) for f in decode(logits).spans] == spans_of(best)


def test_two_spans_of_one_label_side_by_side_stay_two() -> None:
    logits = torch.full((2, 4), -5.0)
    logits[:, 0] = 5.0
    assert [(f.first, f.last) for f in decode(logits).spans] == [(0, 1), (1, 2)]


def test_scores_are_probabilities() -> None:
    path = decode(torch.tensor([[3.0, -3.0], [-3.0, 3.0], [-9.0, -9.0]]))
    assert [(f.first, f.last) for f in path.spans] == [(0, 2)]
    assert 0.9 < path.spans[0].score < 1 and 0.9 < path.score < 1


def test_numbers_that_are_none_do_not_raise() -> None:
    logits = torch.tensor([[float("nan"), float("inf")], [float("-inf"), float("nan")]])
    assert 0.0 <= decode(logits).score <= 1.0
