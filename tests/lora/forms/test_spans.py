"""Spans are made of whole words, and overlap only where people let them."""

from __future__ import annotations

import pytest
import torch

from label_config.controls import Control, Label
from lora.forms.form import Given, Head
from lora.forms.spans import OVERLAP, Mark, Spans, by_word, overlap, word_starts
from lora.forms.starts import start_spans
from lora.network import Encoded
from lora.windows import Pieces

CONTROL = Control("parts", "Labels", "t", "x", (Label("a", "a"), Label("b", "b")))
TEXT = "playing chess"
PIECES = Pieces((1, 2, 3), ((0, 4), (4, 7), (8, 13)), (0, 0, 1))


def said(rows: list[list[float]], overlaps: float) -> set[tuple[str, str]]:
    """What a head whose logits are `rows` [pieces, 4] says of TEXT."""
    table = torch.tensor(rows)
    head = Head(CONTROL, torch.eye(4), torch.zeros(4), True, {OVERLAP: overlaps})
    given = Given(TEXT, Encoded(PIECES, torch.zeros(4), table))
    [(regions, _)] = Spans().read(head, [given], lambda texts: torch.zeros(len(texts), 4))
    return {(r.text, r.labels[0]) for r in regions}  # type: ignore[union-attr]


def test_a_span_never_ends_within_a_word() -> None:
    rows = [[5.0, -9, -9, -9], [-9, -9, -9, -9], [-9, -9, -9, -9]]
    assert said(rows, overlaps=1.0) == {("playing", "a")}


def test_a_word_goes_on_as_its_pieces_do_on_average() -> None:
    assert word_starts(PIECES, 3) == [0, 2]
    logits = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8], [0, 0, 0, 0]])
    assert by_word(logits, [[0, 2]], [3]).tolist() == [[1, 4, 3, 6], [0, 0, 0, 0]]


def test_pieces_of_no_word_stand_alone() -> None:
    assert word_starts(Pieces((1, 2), ((0, 1), (1, 2)), (-1, -1)), 2) == [0, 1]


@pytest.mark.parametrize(
    ("overlaps", "wanted"), [(1.0, {("playing", "a"), ("playing", "b")}), (0.0, {("playing", "a")})]
)
def test_labels_compete_where_nobody_overlapped_them(
    overlaps: float, wanted: set[tuple[str, str]]
) -> None:
    rows = [[5.0, 5, 4, 4], [-9, 5, -9, 4], [-9, -9, -9, -9]]
    assert said(rows, overlaps) == wanted


def test_a_head_remembers_whether_spans_overlapped_when_it_learned() -> None:
    apart, over = [Mark(0, 1, 0), Mark(1, 3, 1)], [Mark(0, 2, 0), Mark(1, 3, 1)]
    assert not overlap([apart, [], [Mark(0, 3, 0)]]) and overlap([apart, over])
    for marks, known in ((apart, 0.0), (over, 1.0)):
        assert start_spans(CONTROL, 4, [marks], 3).facts[OVERLAP] == known


def test_a_piece_weighs_as_much_as_its_row_in_the_loss() -> None:
    form, outputs = Spans(), torch.tensor([[[9.0, -9, -9, -9]], [[-9.0, -9, -9, -9]]])
    target = torch.tensor([[[1, 0]], [[1, 0]]])  # the first row is right, the second wrong
    right, wrong, even, tilted = (
        float(form.loss(CONTROL, outputs, target, torch.tensor(share)))
        for share in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.3, 0.1])
    )
    assert right < 0.01 < wrong
    assert even == pytest.approx((right + wrong) / 2)
    assert tilted == pytest.approx(0.75 * right + 0.25 * wrong)
