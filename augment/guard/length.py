"""Length: as short and as long as the project's own texts are."""

from __future__ import annotations

from augment.guard.values import Context, Thresholds
from augment.values import Made


def length(made: Made, _: Context, thresholds: Thresholds) -> str | None:
    """Why one of its texts is too short or too long."""
    for key, text in sorted(made.texts.items()):
        low, high = thresholds.lengths.get(key, (1.0, float("inf")))
        if not low <= len(text) <= high:
            return f"{key!r} has {len(text)} code points; {low:g} to {high:g} is the band"
    return None
