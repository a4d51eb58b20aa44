"""How good answers are: the numbers the gate compares.

Choices: accuracy over the rows whose human answered the control (of a multiple choice the whole
set must be right). Labels: exact-match micro F1 over all rows. A schema's score is the mean over
the controls that had something to be judged on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from label_config.values import Control, Region, Schema, answer_key

Answers = tuple[Region, ...]


@dataclass(frozen=True)
class ControlScore:
    """One control's number; `n` rows were judged."""

    metric: str
    value: float
    n: int


@dataclass(frozen=True)
class Scores:
    """All controls' numbers and their mean over those with n > 0 (0 where there are none)."""

    controls: Mapping[str, ControlScore]
    mean: float

    def to_dict(self) -> dict[str, Any]:
        controls = {
            name: {"metric": s.metric, "value": s.value, "n": s.n}
            for name, s in self.controls.items()
        }
        return {"mean": self.mean, "controls": controls}


def evaluate(schema: Schema, gold: Sequence[Answers], got: Sequence[Answers]) -> Scores:
    """Judge `got` against what humans answered, row by row in the same order."""
    if len(gold) != len(got):
        raise ValueError(f"{len(gold)} right answers but {len(got)} to judge")
    marks = [right(schema, g, a) for g, a in zip(gold, got, strict=True)]
    controls = {
        c.name: _score(c, [m[c.name] for m in marks if c.name in m]) for c in schema.controls
    }
    judged = [s.value for s in controls.values() if s.n]
    return Scores(controls, sum(judged) / len(judged) if judged else 0.0)


def right(schema: Schema, gold: Answers, got: Answers) -> dict[str, list[float]]:
    """One row's marks by control: Choices [1.0 or 0.0], Labels [true, false, missed] spans.

    A choice that the human left open has no mark. Kept per row so that a gate can pair them.
    """
    marks: dict[str, list[float]] = {}
    for c in schema.controls:
        want, have = _keys(c, gold), _keys(c, got)
        if c.kind == "Labels":
            hits = len(want & have)
            marks[c.name] = [float(hits), float(len(have) - hits), float(len(want) - hits)]
        elif want:
            marks[c.name] = [1.0 if want == have else 0.0]
    return marks


def _keys(control: Control, answers: Answers) -> set[tuple[object, ...]]:
    """A control's answers as comparable things; a label the schema lost is no answer any more."""
    return {
        answer_key(r)
        for r in answers
        if r.from_name == control.name and set(r.labels) <= set(control.values)
    }


def _score(control: Control, marks: Sequence[Sequence[float]]) -> ControlScore:
    if control.kind == "Choices":
        value = sum(m[0] for m in marks) / len(marks) if marks else 0.0
        return ControlScore("accuracy", value, len(marks))
    hits, false, missed = (sum(m[i] for m in marks) for i in range(3))
    total = 2 * hits + false + missed
    value = 2 * hits / total if total else 1.0 if marks else 0.0
    return ControlScore("f1", value, len(marks))
