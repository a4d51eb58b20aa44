"""The guard: candidates in, the few that may teach out, each refusal with its filter and measure.

Cheap filters come first; twins last, so that a child that is refused anyway costs no other one its
place. All results are in the order of the children's keys, whatever order they came in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from augment.guard.answered import answered
from augment.guard.consistent import consistent
from augment.guard.copy import copy
from augment.guard.drift import drift
from augment.guard.funnel import SAMPLES, Funnel, Step, counted, sample_of
from augment.guard.length import length
from augment.guard.near import leak, near, twin
from augment.guard.nonsense import nonsense
from augment.guard.shape import shape
from augment.guard.spans import spans
from augment.guard.values import Context, Thresholds
from augment.guard.vectors import Remembered
from augment.values import Made, Refused
from label_config.controls import InvalidValue

Filter = Callable[[Sequence[Made], Context, Thresholds], "list[str | None]"]


def _each(one: Callable[[Made, Context, Thresholds], str | None]) -> Filter:
    return lambda made, context, bars: [one(m, context, bars) for m in made]


def _same(made: Sequence[Made], _: Context, __: Thresholds) -> list[str | None]:
    """All but the first of those that say the very same: two rows cannot have one id."""
    seen: set[str] = set()
    out: list[str | None] = []
    for m in made:
        out.append("1 other child says the very same of its parent" if m.key in seen else None)
        seen.add(m.key)
    return out


FILTERS: dict[str, Filter] = {
    "same": _same,
    "shape": _each(shape),
    "spans": _each(spans),
    "length": _each(length),
    "copy": _each(copy),
    "answered": _each(answered),
    "nonsense": nonsense,
    "leak": leak,
    "near": near,
    "drift": drift,
    "consistent": consistent,
    "twin": twin,
}
ALWAYS = frozenset({"same", "shape", "spans", "leak"})
"""Cannot be switched off: a row twice, a row that is none, a span elsewhere, and a leak spoil more
than they could bring."""


@dataclass(frozen=True)
class Passed:
    """`kept`; `refused`, by the first filter that did; `experts_first`: those of the refused that
    `consistent` alone turned down, and so what the model gets wrong."""

    kept: tuple[Made, ...]
    refused: tuple[Refused, ...]
    experts_first: tuple[Made, ...]
    funnel: Funnel


def guard(
    made: Sequence[Made], context: Context, thresholds: Thresholds, off: Collection[str] = ()
) -> Passed:
    """The candidates that pass every filter. `off`: filters to leave out, for measuring what each
    is worth; raises InvalidValue for one that cannot be left out, or is none."""
    _check(off)
    if context.embed is not None:
        context = replace(context, embed=Remembered(context.embed))
    ordered = sorted(made, key=_rank)
    left = ordered
    refused: list[Refused] = []
    steps: list[Step] = []
    wrong: list[Made] = []
    for name, run in FILTERS.items():
        came = len(left)
        turned: list[Refused] = []
        if name not in off:
            left, turned = _parted(name, run, left, context, thresholds)
        if name == "consistent":
            wrong = [r.made for r in turned]
        refused += turned
        shown = tuple(sample_of(r.made, r.why) for r in turned[:SAMPLES])
        state = "off" if name in off else _state(name, context, thresholds)
        steps.append(Step(name, came, len(turned), state, shown))
    experts = _untwinned(wrong, left, context, thresholds, "twin" in off)
    refused.sort(key=lambda r: _rank(r.made))
    funnel = Funnel(
        made=len(ordered),
        steps=tuple(steps),
        kept=len(left),
        experts_first=len(experts),
        samples=tuple(sample_of(m) for m in left[:SAMPLES]),
        by_transform=counted(ordered, left, refused),
        thresholds=thresholds,
    )
    return Passed(tuple(left), tuple(refused), tuple(experts), funnel)


def _check(off: Collection[str]) -> None:
    if unknown := sorted(set(off) - set(FILTERS)):
        raise InvalidValue(f"no filter is called {unknown}; {', '.join(FILTERS)} are")
    if never := sorted(set(off) & ALWAYS):
        raise InvalidValue(f"the filter(s) {never} cannot be switched off")


def _rank(made: Made) -> tuple[str, str, str, str, int]:
    """First by what it says, then by who says it: the same order whichever way they came."""
    return made.key, made.transform, made.generator or "", made.prompt or "", made.seed


def _parted(
    name: str, run: Filter, made: Sequence[Made], context: Context, thresholds: Thresholds
) -> tuple[list[Made], list[Refused]]:
    whys = run(made, context, thresholds)
    pairs = list(zip(made, whys, strict=True))
    return [m for m, w in pairs if w is None], [Refused(m, name, w) for m, w in pairs if w]


def _untwinned(
    wrong: Sequence[Made],
    kept: Sequence[Made],
    context: Context,
    thresholds: Thresholds,
    without: bool,
) -> list[Made]:
    """Those that nothing but `consistent` refused: no twin of a kept one or of each other."""
    if without or not wrong:
        return list(wrong)
    whys = twin([*kept, *wrong], context, thresholds)[len(kept) :]
    return [m for m, why in zip(wrong, whys, strict=True) if why is None]


def _state(name: str, context: Context, thresholds: Thresholds) -> str:
    """What a filter that is on could not do."""
    if name == "leak" and not context.holdout:
        return "no holdout"
    if context.embed is None and name in {"leak", "near", "twin"}:
        return "on, by letters only: no embeddings"
    if context.embed is None and name == "drift":
        return "no embeddings"
    if name == "drift" and thresholds.nearest is None and thresholds.centroid is None:
        return "no bar"
    if name == "nonsense" and thresholds.surprise is None:
        return "on, repetition only: too few texts"
    judges = context.judges
    if name == "consistent" and (judges is None or not (judges.classify or judges.mark)):
        return "no judges"
    return "on"
