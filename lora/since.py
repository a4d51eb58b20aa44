"""Rows answered since the champion's snapshot: it never saw them, so they can help to judge it.

The candidate has learned from them, so its answers come from models like it, fitted without the
rows they answer (folds by group). That costs a training a fold, and such rows are no fair sample:
the champion chose to ask the least certain, and people saw what it said. So it is off unless ops
ask for it, only while blind labels are few, and the gate says how many such rows there were.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from label_config.controls import Schema
from label_config.values import Example
from lora.adapter import Manifest
from lora.base import Base
from lora.crossfit import deal
from lora.errors import BrokenAdapter
from lora.fit import fit, write_adapter
from lora.store import ProjectStore
from settings import Train

Judge = Callable[[Path, Sequence[Example]], Mapping[str, Any]]
"""Scores of a candidate's folder and of the champion on rows."""


def fresh_rows(place: ProjectStore, champion: Path, rows: Sequence[Example]) -> list[Example]:
    """The human rows among these that did not teach the champion, or taught it otherwise; none
    where nobody can tell any more."""
    try:
        past = place.snapshot(Manifest.read(champion).recipe.snapshot)
    except (FileNotFoundError, BrokenAdapter):
        return []
    known = {(e.id, e.answers) for e in past.train}
    return [e for e in rows if e.origin.kind == "human" and (e.id, e.answers) not in known]


def judge_since(
    base: Base,
    schema: Schema,
    train: Sequence[Example],
    fresh: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    settings: Train,
    judge: Judge,
) -> dict[str, Any] | None:
    """Marks of both on the `fresh` rows of `train`, as the report has them; None where there are
    fewer groups than folds, or the champion could not be judged."""
    folds = settings.folds
    if len({e.group for e in fresh}) < folds:
        return None
    fold = deal(fresh, settings.seed, folds)
    marks: dict[str, dict[str, Any]] = {"candidate": {}, "champion": {}}
    for number in range(folds):
        own = [e for e in fresh if fold[e.id] == number]
        groups = {e.group for e in own}
        rest = [e for e in train if e.group not in groups]
        with tempfile.TemporaryDirectory(prefix="annotune-fold-") as folder:
            write_adapter(Path(folder), fit(base, schema, rest, pool, settings))
            scores = judge(Path(folder), own)
        if not scores["champion"]:
            return None
        for who, found in marks.items():
            found |= scores[who]["right"]
    shown = sum(e.origin.shown is True for e in fresh)
    return {"rows": len(fresh), "shown": shown, "folds": folds, "right": marks}
