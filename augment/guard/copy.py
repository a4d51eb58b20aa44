"""Copy: a child that says what its parent says teaches nothing and doubles its weight."""

from __future__ import annotations

from augment.guard.texts import fold
from augment.guard.values import LIGHT, Context, Thresholds, family
from augment.values import Made


def copy(made: Made, context: Context, _: Thresholds) -> str | None:
    """Why it is its parent again: after folding, or for a light transform (whose point may be the
    casing) but for white space."""
    level = (lambda text: " ".join(text.split())) if family(made.transform) in LIGHT else fold
    parent = context.parents[made.parent].texts
    same = [key for key, text in made.texts.items() if level(text) == level(parent[key])]
    count = len(same)
    return f"{count} of {count} text(s) are its parent's own" if count == len(parent) else None
