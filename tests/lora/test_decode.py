"""Decoding finds, for each label alone, the likeliest path that is valid."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch

from lora.decode import Path, decode, decode_apart

LABELS, TOKENS = 3, 5


def alone(logits: torch.Tensor) -> Path:
    [path] = decode(logits, [len(logits)])
    return path


def apart(logits: torch.Tensor) -> Path:
    [path] = decode_apart(logits, [len(logits)])
    return path


def is_valid(path: tuple[int, ...]) -> bool:
    return all(tag < 2 or before > 0 for before, tag in zip((0, *path), path, strict=False))


def spans_of(path: tuple[int, ...], label: int) -> set[tuple[int, int, int]]:
    found: set[tuple[int, int, int]] = set()
    for first in (i for i, tag in enumerate(path) if tag == 1):
        last = first + 1
        while last < len(path) and path[last] == 2:
            last += 1
        found.add((first, last, label))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_no_valid_path_is_likelier_than_the_one_found(seed: int) -> None:
    logits = 2 * torch.randn(TOKENS, 2 * LABELS, generator=torch.Generator().manual_seed(seed))
    paths = [p for p in itertools.product(range(3), repeat=TOKENS) if is_valid(p)]
    wanted: set[tuple[int, int, int]] = set()
    for k in range(LABELS):
        table = torch.cat([torch.zeros(TOKENS, 1), logits[:, 2 * k : 2 * k + 2]], dim=1)
        best = max(paths, key=lambda p: sum(float(table[i, s]) for i, s in enumerate(p)))
        wanted |= spans_of(best, k)
    assert {(f.first, f.last, f.label) for f in alone(logits).spans} == wanted


def test_spans_of_different_labels_may_overlap() -> None:
    logits = torch.tensor([[5.0, -5, -5, -5], [-5, 5, 5, -5], [-5, -5, -5, 5]])
    assert [(f.first, f.last, f.label) for f in alone(logits).spans] == [(0, 2, 0), (1, 3, 1)]


def test_two_spans_of_one_label_side_by_side_stay_two() -> None:
    logits = torch.full((2, 4), -5.0)
    logits[:, 0] = 5.0
    assert [(f.first, f.last) for f in alone(logits).spans] == [(0, 1), (1, 2)]


def test_scores_are_probabilities() -> None:
    path = alone(torch.tensor([[3.0, -3.0], [-3.0, 3.0], [-9.0, -9.0]]))
    assert [(f.first, f.last) for f in path.spans] == [(0, 2)]
    assert 0.9 < path.spans[0].score < 1 and 0.9 < path.score < 1


def test_the_path_is_sure_only_if_every_label_is() -> None:
    one = torch.full((3, 2), -5.0)
    two = torch.cat([one, torch.zeros(3, 2)], dim=1)  # of the second label nothing is known
    assert alone(two).score < 0.4 < 0.9 < alone(one).score


def test_numbers_that_are_none_do_not_raise() -> None:
    logits = torch.tensor([[float("nan"), float("inf")], [float("-inf"), float("nan")]])
    assert 0.0 <= alone(logits).score <= 1.0


def test_no_tokens_and_no_labels_are_no_spans() -> None:
    assert alone(torch.zeros(0, 4)).spans == alone(torch.zeros(4, 0)).spans == ()


@pytest.mark.parametrize("seed", range(12))
def test_apart_no_valid_path_without_overlap_is_likelier(seed: int) -> None:
    logits = 2 * torch.randn(4, 2 * LABELS, generator=torch.Generator().manual_seed(seed))
    chance = torch.log_softmax(torch.cat([torch.zeros(4, 1), logits], dim=1), dim=1)
    tags = range(1 + 2 * LABELS)
    paths = [p for p in itertools.product(tags, repeat=4) if goes_on(p)]
    best = max(paths, key=lambda p: sum(float(chance[i, s]) for i, s in enumerate(p)))
    wanted: set[tuple[int, int, int]] = set()
    for k in range(LABELS):
        own = tuple({2 * k + 1: 1, 2 * k + 2: 2}.get(tag, 0) for tag in best)
        wanted |= spans_of(own, k)
    assert {(f.first, f.last, f.label) for f in apart(logits).spans} == wanted


def goes_on(path: tuple[int, ...]) -> bool:
    """Whether I follows only its own label's B or I."""
    return all(
        tag == 0 or tag % 2 or before in {tag, tag - 1}
        for before, tag in zip((0, *path), path, strict=False)
    )


def test_apart_of_two_labels_for_one_token_the_likelier_wins() -> None:
    logits = torch.tensor([[2.0, -9.0, 3.0, -9.0]])
    assert [f.label for f in alone(logits).spans] == [0, 1]
    assert [f.label for f in apart(logits).spans] == [1]


@pytest.mark.parametrize("way", [decode, decode_apart])
def test_texts_decoded_together_are_decoded_as_alone(way: Callable[..., list[Path]]) -> None:
    draw = torch.Generator().manual_seed(1)
    texts = [2 * torch.randn(n, 2 * LABELS, generator=draw) for n in (4, 0, 1, 7, 2, 0)]
    together = way(torch.cat(texts), [len(t) for t in texts])
    single = [way(t, [len(t)])[0] for t in texts]
    assert [p.spans for p in together] == [p.spans for p in single]
    assert [p.score for p in together] == pytest.approx([p.score for p in single])
