"""Which labels a candidate reads worse than what serves, beyond chance (Holm over all of them)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from lora.looks import LABELLED, look, rows_of

ERROR = 0.05  # of all labels together
NOTHING = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Harm:
    """A label's F1 by both, on how many rows it is right, and how often luck alone would make the
    candidate look so much worse. `real`: beyond chance, all labels considered."""

    control: str
    label: str
    rows: int
    candidate: float
    champion: float
    p: float
    real: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def harmed(
    candidate: Mapping[str, Any], champion: Mapping[str, Any], groups: Mapping[str, str]
) -> list[Harm]:
    """Every label with LABELLED rows on which the candidate is below, the surest first.

    Both as `lora/judge.py` has them: `labels`: by control, label and row true, false and missed.
    """
    found: list[Harm] = []
    tested = 0
    for control, labels in candidate.get("labels", {}).items():
        for label, mine in labels.items():
            theirs = champion.get("labels", {}).get(control, {}).get(label, {})
            gold = sum(m[0] + m[2] > 0 for m in mine.values())
            if gold < LABELLED:
                continue
            tested += 1
            ids = mine.keys() | theirs.keys()
            one, other = ({r: {label: m.get(r, NOTHING)} for r in ids} for m in (theirs, mine))
            rows = rows_of([one, other], {label: "f1"}, groups)
            assert rows is not None  # nosec B101  # for mypy and the reader
            those, ours = (rows.score(i) for i in (0, 1))
            if those > ours:
                p = look(rows, label, interval=False).p
                found.append(Harm(control, label, gold, ours, those, p, False))
    still = True
    made: list[Harm] = []
    for place, harm in enumerate(sorted(found, key=lambda h: h.p)):
        still = still and harm.p <= ERROR / (tested - place)
        made.append(replace(harm, real=still))
    return made
