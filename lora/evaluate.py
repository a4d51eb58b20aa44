"""How good answers are: the numbers the gate compares.

Over the rows whose human answered the control:
  accuracy   one, many, pair: the answer is the human's (of many the whole set)
  closeness  Rating and Number: 1 - |error| / range, at least 0; the range is the scale's, or that
             of the train answers; no answer is 0
  chrf       TextArea: sentence chrF / 100 (character n-grams, 0 to 1) against the human's text; no
             answer is 0
Spans are judged over all rows: f1, exact-match micro F1 of (label, start, end). A schema's score is
the mean over the controls that had something to be judged on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sacrebleu.metrics.chrf import CHRF

from label_config.conditions import hidden_controls
from label_config.controls import Control, Form, Schema
from label_config.values import Choice, Quantity, Region, Span, Written

Answers = tuple[Region, ...]
Ranges = Mapping[str, float]
"""Range of the train answers by control, of Numbers."""
Unasked = Mapping[str, Collection[str]]
"""By control of spans the labels that were not on offer when a row was answered."""

METRICS: Mapping[Form, str] = {
    "one": "accuracy",
    "many": "accuracy",
    "pair": "accuracy",
    "ordinal": "closeness",
    "number": "closeness",
    "spans": "f1",
    "text": "chrf",
}
_CHRF = CHRF()  # chrF2 of up to six characters, without words: sacrebleu's defaults


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


def evaluate(
    schema: Schema,
    gold: Sequence[Answers],
    got: Sequence[Answers],
    ranges: Ranges | None = None,
    unasked: Sequence[Unasked] = (),
) -> Scores:
    """Judge `got` against what humans answered, row by row in the same order.

    `ranges`: of Numbers; without one the config's bounds count, else the range of `gold`.
    `unasked`: of each row, as Example has it.
    """
    if len(gold) != len(got):
        raise ValueError(f"{len(gold)} right answers but {len(got)} to judge")
    known = {**_ranges(schema, gold), **(ranges or {})}
    late = unasked or [{}] * len(gold)
    marks = [right(schema, g, a, known, u) for g, a, u in zip(gold, got, late, strict=True)]
    controls = {
        c.name: _score(c, [m[c.name] for m in marks if c.name in m]) for c in schema.controls
    }
    judged = [s.value for s in controls.values() if s.n]
    return Scores(controls, sum(judged) / len(judged) if judged else 0.0)


def right(
    schema: Schema,
    gold: Answers,
    got: Answers,
    ranges: Ranges | None = None,
    unasked: Unasked | None = None,
) -> dict[str, list[float]]:
    """One row's marks by control: spans [true, false, missed], the others one mark in [0, 1].

    What the human left open, or was not shown the control for, has no mark, and spans of labels
    that were not on offer yet (`unasked`) do not count. Kept per row so that a gate can pair them.
    A Number without bounds and without a range is judged relative to the human's number.
    """
    marks: dict[str, list[float]] = {}
    hidden = hidden_controls(schema, gold)
    for c in schema.controls:
        if c.name in hidden:
            continue
        if c.form == "spans":
            asked = set(c.values) - set((unasked or {}).get(c.name, ()))
            if not asked:
                continue
            want, have = _spans(c, gold, asked), _spans(c, got, asked)
            hits = len(want & have)
            marks[c.name] = [float(hits), float(len(have) - hits), float(len(want) - hits)]
        elif c.form == "number":
            marks |= _closeness(c, _number(c, gold), _number(c, got), (ranges or {}).get(c.name))
        elif c.form == "ordinal":
            steps = float(max(1, len(c.labels) - 1))
            marks |= _closeness(c, _place(c, gold), _place(c, got), steps)
        elif c.form == "text":
            marks |= _likeness(c, _written(c, gold), _written(c, got))
        elif want_labels := _labels(c, gold):
            marks[c.name] = [1.0 if want_labels == _labels(c, got) else 0.0]
    return marks


def right_by_label(
    schema: Schema, gold: Answers, got: Answers, unasked: Unasked | None = None
) -> dict[str, dict[str, list[float]]]:
    """One row's [true, false, missed] by control and label, of choices and spans that it was asked
    for; labels in neither answer are left out. Labels of a task's own are not compared."""
    found: dict[str, dict[str, list[float]]] = {}
    hidden = hidden_controls(schema, gold)
    for c in schema.controls:
        if c.name in hidden or c.options is not None or c.form not in {"one", "many", "spans"}:
            continue
        want: set[tuple[Any, ...]]
        have: set[tuple[Any, ...]]
        if c.form == "spans":
            asked = set(c.values) - set((unasked or {}).get(c.name, ()))
            want, have = _spans(c, gold, asked), _spans(c, got, asked)
        else:
            want, have = ({(label,) for label in _labels(c, some)} for some in (gold, got))
            if not want:
                continue
        for label in sorted({str(w[0]) for w in want | have}):
            mine, theirs = ({x for x in some if x[0] == label} for some in (have, want))
            hits = len(mine & theirs)
            counts = [float(hits), float(len(mine) - hits), float(len(theirs) - hits)]
            found.setdefault(c.name, {})[label] = counts
    return found


def ranges_of(schema: Schema, answers: Sequence[Answers]) -> dict[str, float]:
    """The range of the answers to each Number that anybody answered: of the train rows' answers
    the same for all contestants, whose errors are measured in it."""
    found: dict[str, float] = {}
    for c in schema.controls:
        numbers = [n for row in answers if (n := _number(c, row)) is not None]
        if c.form == "number" and numbers:
            found[c.name] = max(numbers) - min(numbers)
    return found


def _ranges(schema: Schema, gold: Sequence[Answers]) -> dict[str, float]:
    found = ranges_of(schema, gold)
    for c in schema.controls:
        if c.low is not None and c.high is not None:
            found[c.name] = c.high - c.low
    return found


def _closeness(
    c: Control, want: float | None, have: float | None, extent: float | None
) -> dict[str, list[float]]:
    if want is None:
        return {}
    if have is None:
        return {c.name: [0.0]}
    if extent is None:
        extent = c.high - c.low if c.low is not None and c.high is not None else abs(want)
    error = abs(want - have)
    return {c.name: [max(0.0, 1 - error / extent) if extent > 0 else float(error == 0)]}


def _likeness(c: Control, want: str, have: str) -> dict[str, list[float]]:
    return {c.name: [_CHRF.sentence_score(have, [want]).score / 100]} if want else {}


def _spans(c: Control, answers: Answers, asked: Collection[str]) -> set[tuple[str, int, int]]:
    """A label the schema lost is no answer any more, one it did not have yet was none."""
    return {
        (label, r.start, r.end)
        for r in answers
        if isinstance(r, Span) and r.from_name == c.name
        for label in r.labels
        if label in asked
    }


def _labels(c: Control, answers: Answers) -> set[str]:
    """Nothing, too, where the schema lost one of the labels; options are never lost."""
    for r in answers:
        if isinstance(r, Choice) and r.from_name == c.name:
            known = c.options is not None or set(r.labels) <= set(c.values)
            return set(r.labels) if known else set()
    return set()


def _place(c: Control, answers: Answers) -> float | None:
    picked = _labels(c, answers)
    return float(c.values.index(picked.pop())) if len(picked) == 1 else None


def _number(c: Control, answers: Answers) -> float | None:
    found = (r.value for r in answers if isinstance(r, Quantity) and r.from_name == c.name)
    return next(found, None)


def _written(c: Control, answers: Answers) -> str:
    found = (r.text for r in answers if isinstance(r, Written) and r.from_name == c.name)
    return next(found, "")


def _score(control: Control, marks: Sequence[Sequence[float]]) -> ControlScore:
    metric = METRICS[control.form]
    if metric != "f1":
        value = sum(m[0] for m in marks) / len(marks) if marks else 0.0
        return ControlScore(metric, value, len(marks))
    hits, false, missed = (sum(m[i] for m in marks) for i in range(3))
    total = 2 * hits + false + missed
    value = 2 * hits / total if total else 1.0 if marks else 0.0
    return ControlScore(metric, value, len(marks))
