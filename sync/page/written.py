"""How templates write figures and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from markupsafe import Markup, escape

NOTHING = "–"


def percent(value: float | None) -> str:
    """A share, to a tenth of a percent."""
    return NOTHING if value is None else f"{100 * value:.1f} %"


def plain(value: object) -> str:
    """Any value in a cell."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def points(value: float | None) -> str:
    """A difference of shares, in points."""
    return NOTHING if value is None else f"{100 * value:+.1f}"


def lasting(seconds: float | None) -> str:
    """How long, in the largest unit that says it."""
    if seconds is None:
        return NOTHING
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def moment(at: str | float | None) -> Markup:
    """A time, in UTC for those without scripts; live.js writes it in the reader's own zone."""
    if at in (None, "", 0):
        return escape(NOTHING)
    try:
        when = (
            datetime.fromisoformat(at)
            if isinstance(at, str)
            else datetime.fromtimestamp(float(at or 0), timezone.utc)
        )
    except ValueError:
        return escape(str(at))
    utc = when.astimezone(timezone.utc)
    words = utc.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(timespec="seconds"), words)


def rival(version: Mapping[str, Any]) -> float | None:
    """What the version before it had on the same rows: the champion's score, else the cold
    start's."""
    scores = version.get("scores") or {}
    found: float | None = scores.get("champion", scores.get("cold"))
    return found


def f1(counts: list[int]) -> float | None:
    """Of a label's [rows, true, false, missed]."""
    _, true, false, missed = counts
    total = 2 * true + false + missed
    return 2 * true / total if total else None


def by_support(labels: Mapping[str, list[int]]) -> list[tuple[str, list[int]]]:
    """Labels, those with the most rows first."""
    return sorted(labels.items(), key=lambda item: (-item[1][0], item[0]))


FILTERS: dict[str, Callable[..., Any]] = {
    "percent": percent,
    "plain": plain,
    "points": points,
    "lasting": lasting,
    "moment": moment,
    "f1": f1,
    "rival": rival,
    "by_support": by_support,
}
