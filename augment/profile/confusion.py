"""What a model that has not seen a row makes of it: margins, and which labels are taken for which.

Out-of-fold predictions of train rows only; the holdout is never asked (law 4).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from label_config.controls import Control, InvalidValue, Schema
from label_config.values import Choice, Example

OutOfFold = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Example.id -> control -> label value -> probability, by a model that has not seen that row."""
ONE = frozenset({"one", "ordinal", "pair"})


@dataclass(frozen=True)
class Confusion:
    """Rows of label `true` that were taken for `taken`: `rows` of `of`, and the mean probability
    `mass` that went there, which shows a pair before the first row falls."""

    control: str
    true: str
    taken: str
    rows: int
    of: int
    mass: float


def check_known(examples: Sequence[Example], out_of_fold: OutOfFold) -> None:
    """Raises InvalidValue where predictions are of rows that are not among the examples."""
    strange = sorted(set(out_of_fold) - {e.id for e in examples})
    if strange:
        raise InvalidValue(
            f"out-of-fold predictions of {len(strange)} rows that are no train rows here "
            f"({', '.join(strange[:3])}); pass those of the examples alone"
        )


def said(example: Example, control: Control) -> tuple[str, ...]:
    """The labels that people gave for a control; () where they gave none."""
    own = [r for r in example.answers if r.from_name == control.name and isinstance(r, Choice)]
    return tuple(label for r in own for label in r.labels)


def margin(example: Example, schema: Schema, out_of_fold: OutOfFold) -> float | None:
    """How safely the row is read rightly, in [-1, 1]: its label's probability less the best
    other's; below 0 it is read wrongly. The worst control counts; None: nothing was predicted."""
    found = out_of_fold.get(example.id, {})
    margins = [
        _margin(control, said(example, control), found[control.name])
        for control in schema.controls
        if found.get(control.name)
    ]
    return min((m for m in margins if m is not None), default=None)


def _margin(control: Control, own: tuple[str, ...], says: Mapping[str, float]) -> float | None:
    if control.form == "many":  # each label is a yes or no of its own
        return min(2 * (p if value in own else 1 - p) - 1 for value, p in says.items())
    if control.form not in ONE or not own:
        return None
    others = [p for value, p in says.items() if value != own[0]]
    return says.get(own[0], 0.0) - max(others, default=0.0)


def accuracy(
    examples: Sequence[Example], schema: Schema, out_of_fold: OutOfFold
) -> tuple[int, int]:
    """(rows read rightly in every control that was predicted, rows predicted)."""
    margins = [margin(e, schema, out_of_fold) for e in examples]
    known = [m for m in margins if m is not None]
    return sum(m > 0 for m in known), len(known)


def lower_bound(right: int, of: int, z: float = 1.645) -> float:
    """Wilson's lower bound of a share, one-sided 95 % by default; 0 of nothing."""
    if not of:
        return 0.0
    share, tail = right / of, z * z / of
    spread = z * math.sqrt(share * (1 - share) / of + tail / (4 * of))
    return max(0.0, (share + tail / 2 - spread) / (1 + tail))


def confusions(
    examples: Sequence[Example], schema: Schema, out_of_fold: OutOfFold
) -> tuple[Confusion, ...]:
    """Every pair of labels of a one-choice control between which probability goes, most first."""
    found: list[Confusion] = []
    for control in schema.controls:
        if control.form in ONE:
            found += _of_control(control, examples, out_of_fold)
    return tuple(sorted(found, key=lambda c: (-c.mass, c.control, c.true, c.taken)))


def _of_control(
    control: Control, examples: Sequence[Example], out_of_fold: OutOfFold
) -> list[Confusion]:
    of: dict[str, int] = defaultdict(int)
    rows: dict[tuple[str, str], int] = defaultdict(int)
    mass: dict[tuple[str, str], float] = defaultdict(float)
    for e in examples:
        says, own = out_of_fold.get(e.id, {}).get(control.name), said(e, control)
        if not says or not own:
            continue
        of[own[0]] += 1
        rows[own[0], max(says, key=lambda v: (says[v], v))] += 1
        for value, p in says.items():
            mass[own[0], value] += p
    return [
        Confusion(control.name, true, taken, rows[true, taken], of[true], round(m / of[true], 4))
        for (true, taken), m in mass.items()
        if true != taken and m > 0
    ]
