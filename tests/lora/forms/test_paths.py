"""In a tree a label's row is the sum of its path's rows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.controls import Control, Label
from lora.forms.choice import from_labels, label_rows
from lora.forms.paths import UNSEEN_COST, incidence, is_tree, nodes_of, to_nodes, words_of

PATHS = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple),
    min_size=1,
    max_size=12,
    unique=True,
)


def tree(*paths: tuple[str, ...]) -> Control:
    labels = tuple(Label(" / ".join(p), p[-1], path=p) for p in paths)
    return Control("kind", "Taxonomy", "t", "text", labels)


@given(paths=PATHS, seed=st.integers(0, 99))
@settings(max_examples=60)
def test_sums_along_the_paths_are_the_label_rows(paths: list[tuple[str, ...]], seed: int) -> None:
    control = tree(*paths)
    rows = torch.randn(len(paths), 5, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(incidence(control) @ to_nodes(control, rows), rows, atol=1e-5)


@given(paths=PATHS)
@settings(max_examples=60)
def test_a_label_has_as_many_nodes_as_its_path_is_long(paths: list[tuple[str, ...]]) -> None:
    control = tree(*paths)
    assert incidence(control).sum(1).tolist() == [len(p) for p in paths]
    assert len(set(nodes_of(control))) == len(nodes_of(control))


def test_a_label_without_answers_borrows_from_its_siblings() -> None:
    control = tree(("life", "cat"), ("life", "dog"), ("life", "eel"), ("rock", "ore"))
    rows = torch.tensor([[2.0, 0], [0, 2], [9, 9], [-4, -4]])
    bias = torch.tensor([1.0, 3, 9, -1])
    head = from_labels(control, rows, bias, trained=True, seen={0, 1, 3})
    weight, level = label_rows(head)
    assert torch.allclose(weight[[0, 1, 3]], rows[[0, 1, 3]])
    assert weight[2].tolist() == [1.0, 1.0] and float(level[2]) == 2.0 - UNSEEN_COST


def test_what_is_trained_of_a_parent_moves_all_its_children() -> None:
    control = tree(("life", "cat"), ("life", "dog"), ("rock", "ore"))
    head = from_labels(control, torch.zeros(3, 2), torch.zeros(3), trained=True)
    head.bias[nodes_of(control).index(("life",))] += 1.0
    assert label_rows(head)[1].tolist() == [1.0, 1.0, 0.0]
    assert torch.allclose(head.logits(torch.zeros(1, 2)), torch.tensor([[1.0, 1.0, 0.0]]))


def test_a_path_is_read_in_words() -> None:
    leaf = Label("Eukarya / HomoSapiens", "HomoSapiens", "us", ("Eukarya", "HomoSapiens"))
    assert words_of(leaf) == "eukarya, homo sapiens: us"
    assert words_of(Label("RateBook", "RateBook")) == "rate book"


@pytest.mark.parametrize(("paths", "so"), [([("a",), ("b",)], False), ([("a", "b")], True)])
def test_labels_without_parents_are_no_tree(paths: list[tuple[str, ...]], so: bool) -> None:
    assert is_tree(tree(*paths)) is so
