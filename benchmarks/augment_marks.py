"""Each judged row's marks: small enough to be kept in a cell, and as the trainer's report has them.

A cell of `augment.py` keeps what the gate reads, so that verdicts are made from it at any time, by
the product's own code. One control is judged and each row is a group of its own. No model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from label_config.controls import Schema
from label_config.values import Example, Region
from lora.evaluate import right
from lora.paired import score_of
from lora.train import gain

Marks = Sequence[Sequence[float]]
"""Of each row, in the rows' order: one mark, or true, false and missed spans."""
Packed = str | list[list[int]]
"""A digit a row (right or wrong), or its three counts."""
Cell = Mapping[str, Any]

CONTROL = "answer"


def marks_of(
    schema: Schema, rows: Sequence[Example], got: Sequence[tuple[Region, ...]]
) -> list[list[float]]:
    """What each answer is worth, by the judge's own function; nothing beside a row that claims no
    label of the schema."""
    (control,) = schema.controls
    marks = (right(schema, e.answers, a) for e, a in zip(rows, got, strict=True))
    return [m.get(control.name, [0.0]) for m in marks]


def pack(marks: Marks) -> Packed:
    if all(len(m) == 1 for m in marks):
        return "".join(str(int(m[0])) for m in marks)
    return [[int(n) for n in m] for m in marks]


def unpack(held: Packed) -> list[list[float]]:
    return [[float(m)] if isinstance(m, str) else [float(n) for n in m] for m in held]


def tally(marks: Marks) -> list[int]:
    """Rows that are right and rows; of spans the sums of the three counts."""
    if all(len(m) == 1 for m in marks):
        return [int(sum(m[0] for m in marks)), len(marks)]
    return [int(sum(m[i] for m in marks)) for i in range(3)]


def share(counts: Sequence[int]) -> float:
    """Accuracy, or micro F1, of tallied marks."""
    metric = "accuracy" if len(counts) == 2 else "f1"
    return float(score_of(metric, np.array(counts, np.float64)))


def contestant(cell: Cell) -> dict[str, Any]:
    """What the trainer's report says of one contestant on the blind rows (lora/judge.py). `labels`
    is not there: no label has as many blind rows as `lora.looks.LABELLED` asks for."""
    ((metric, _),) = cell["blind"].items()
    marks = unpack(cell["marks"]["blind"])
    value = share(tally(marks))
    return {
        "mean": value,
        "controls": {CONTROL: {"metric": metric, "value": value, "n": len(marks)}},
        "right": {name: {CONTROL: m} for name, m in zip(names(cell), marks, strict=True)},
    }


def names(cell: Cell) -> list[str]:
    """Of the blind rows."""
    return [f"blind-{i:04}" for i in range(len(cell["marks"]["blind"]))]


def gained(candidate: Cell, human: Cell, answers: int) -> dict[str, float]:
    """What the loop would record as the gain of a challenger: on the blind rows, with its error."""
    rows = [Example(name, i, name, "holdout", {}, ()) for i, name in enumerate(names(human))]
    found = gain(contestant(candidate), contestant(human), rows, answers)
    assert found is not None  # both were judged on the same rows
    return found
