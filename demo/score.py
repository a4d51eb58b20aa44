"""The test file, scored through the running backend's /predict; the loop never sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from demo.annotator import read_answer
from demo.predictor import Backend
from demo.rows import Data, Row

BATCH = 50
FIRST_ID = 2_000_000_000


@dataclass(frozen=True)
class Scores:
    """Choices accuracy and exact micro F1 of spans on the test rows; None where they have none."""

    test: float | None
    test_spans: float | None
    version: str
    requests: int


def score(backend: Backend, data: Data) -> Scores:
    """Ask for every test row in low-priority batches; raises PredictFailed."""
    answers = []
    starts = range(0, len(data.test), BATCH)
    with backend.client() as http:
        for start in starts:
            texts = [row.text for row in data.test[start : start + BATCH]]
            answers += backend.predict(http, texts, FIRST_ID + start, bulk=True)
    read = [read_answer(a.result) for a in answers]
    return Scores(
        accuracy([label for label, _ in read], data.test) if data.has_label else None,
        span_f1([spans for _, spans in read], data.test) if data.has_spans else None,
        answers[-1].version,
        len(starts),
    )


def accuracy(labels: Sequence[str | None], rows: Sequence[Row]) -> float:
    """Share of the rows whose label was given exactly."""
    return sum(a == row.label for a, row in zip(labels, rows, strict=True)) / len(rows)


def span_f1(spans: Sequence[set[tuple[int, int, str]]], rows: Sequence[Row]) -> float:
    """Exact-match micro F1: offsets and label must both be right."""
    right = said = wanted = 0
    for got, row in zip(spans, rows, strict=True):
        gold = {(s.start, s.end, s.label) for s in row.spans}
        right, said, wanted = right + len(got & gold), said + len(got), wanted + len(gold)
    return 2 * right / (said + wanted) if said + wanted else 1.0
