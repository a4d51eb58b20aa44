"""How the test file is scored."""

from demo.rows import Gold, Row
from demo.score import accuracy, span_f1

ROWS = [Row("aa bb", "x", (Gold(0, 2, "k"), Gold(3, 5, "k"))), Row("cc", "y", ())]


def test_accuracy_counts_exact_labels_only() -> None:
    assert accuracy(["x", None], ROWS) == 0.5


def test_span_f1_wants_offsets_and_label_exact() -> None:
    assert span_f1([{(0, 2, "k"), (3, 5, "k")}, set()], ROWS) == 1.0
    assert span_f1([{(0, 2, "k"), (3, 4, "k")}, set()], ROWS) == 0.5
    assert span_f1([{(0, 2, "other")}, {(0, 2, "k")}], ROWS) == 0.0
