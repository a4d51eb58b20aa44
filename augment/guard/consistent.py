"""Consistency: models that have not seen the source give a child the label it claims.

The bars are no 0.5 by taste: the label's share of the likeliest one's probability, and the F1 of
the spans, that people's own rows reach with models that have not seen those (`fit_thresholds`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from augment.guard.habits import spans_of
from augment.guard.values import Context, Judges, Thresholds
from augment.values import Made
from label_config.controls import InvalidValue
from label_config.values import Choice, Inputs, Region, Span

T = TypeVar("T")
Odds = Mapping[str, Mapping[str, float]]


def consistent(made: Sequence[Made], context: Context, thresholds: Thresholds) -> list[str | None]:
    """Why an unseeing model would give another answer."""
    judges = context.judges
    if judges is None:
        return [None] * len(made)
    rows = [Inputs(m.texts, context.parents[m.parent].options) for m in made]
    sources = [m.parent for m in made]
    odds = judged(judges, sources, rows, judges.classify)
    marks = judged(judges, sources, rows, judges.mark)
    out: list[str | None] = []
    for i, m in enumerate(made):
        why = _label(m.answers, odds[i], thresholds.agreement) if odds else None
        if why is None and marks:
            share = span_f1(m.answers, marks[i])
            if share < thresholds.marked:
                low = f"{thresholds.marked:.2f} is the least"
                why = f"its spans' F1 with an unseeing model's is {share:.2f}; {low}"
        out.append(why)
    return out


def judged(
    judges: Judges,
    sources: Sequence[str],
    rows: Sequence[Inputs],
    models: Sequence[Callable[[Sequence[Inputs]], Sequence[T]]],
) -> list[T]:
    """What the model that has not seen its source says of each row; nothing without models."""
    if not models:
        return []
    by_fold: defaultdict[int, list[int]] = defaultdict(list)
    for i, source in enumerate(sources):
        by_fold[judges.fold_of(source)].append(i)
    said: dict[int, T] = {}
    for fold, numbers in sorted(by_fold.items()):
        answers = models[fold]([rows[i] for i in numbers])
        if len(answers) != len(numbers):
            raise InvalidValue(f"judge {fold} said {len(answers)} things of {len(numbers)} rows")
        said.update(zip(numbers, answers, strict=True))
    return [said[i] for i in range(len(rows))]


def _label(answers: Sequence[Region], odds: Odds, least: float) -> str | None:
    for name, claimed in claims(answers, odds):
        share = agreement(claimed, odds[name])
        if share is not None and not share >= least:
            top = max(odds[name].values())
            return (
                f"{name!r} has probability {odds[name][claimed]:.3f}, {share:.2f} of the "
                f"likeliest label's {top:.3f}; {least:.2f} is the least"
            )
    return None


def claims(answers: Sequence[Region], odds: Odds) -> list[tuple[str, str]]:
    """(control, label) of the answers that are one label and were judged."""
    return [
        (r.from_name, r.labels[0])
        for r in answers
        if isinstance(r, Choice) and len(r.labels) == 1 and r.from_name in odds
    ]


def agreement(claimed: str, odds: Mapping[str, float]) -> float | None:
    """The label's share of the likeliest one's probability; None where the model does not know
    the label (its one row is the source), and so says nothing of it."""
    top = max(odds.values(), default=0.0)
    return odds[claimed] / top if claimed in odds and top > 0 else None


def span_f1(answers: Sequence[Region], found: Sequence[Span]) -> float:
    """F1 of the claimed spans against the found ones: a pair matches that overlaps and shares a
    label. 1 where both are empty."""
    claimed = spans_of(answers)
    if not claimed and not found:
        return 1.0
    hit = sum(any(_match(a, b) for b in found) for a in claimed)
    back = sum(any(_match(a, b) for a in claimed) for b in found)
    return (hit + back) / (len(claimed) + len(found))


def _match(a: Span, b: Span) -> bool:
    same = a.from_name == b.from_name and bool(set(a.labels) & set(b.labels))
    return same and a.start < b.end and b.start < a.end
