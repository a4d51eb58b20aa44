"""What the charts draw: figures as plain lists, shares between 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sync.page.words import short

STEPS = 8  # points of the way ahead

Values = list["float | None"]


def learning(curve: Mapping[str, Any]) -> dict[str, Any] | None:
    """Score by human answers: each round with its interval, the law through them, what comes."""
    points: Sequence[Mapping[str, Any]] = curve["points"]
    if not points:
        return None
    law, ahead = curve["law"], curve["ahead"]
    at = [float(p["labels"]) for p in points]
    low: Values = [p["low"] for p in points]
    high: Values = [p["high"] for p in points]
    if law and ahead:
        last = points[-1]
        for share in ((i + 1) / STEPS for i in range(STEPS)):  # what it may gain grows on the way
            at.append(last["labels"] + share * ahead["labels"])
            low.append(_within(last["low"] + share * ahead["low"]))
            high.append(_within(last["high"] + share * ahead["high"]))
    more: Values = [None] * (len(at) - len(points))
    return {
        "kind": "learning",
        "x": at,
        "promoted": [p["value"] if p["promoted"] else None for p in points] + more,
        "kept": [None if p["promoted"] else p["value"] for p in points] + more,
        "law": [_within(_law(law, x)) if law else None for x in at],
        "low": low,
        "high": high,
        "names": [short(p["version"]) if p["version"] else "" for p in points] + [""] * len(more),
    }


def corrections(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The share of shown answers that people changed, over time."""
    if not parts:
        return None
    return {
        "kind": "corrections",
        "x": [datetime.fromisoformat(p["at"]).timestamp() for p in parts],
        "rate": [p["rate"] for p in parts],
        "low": [p["low"] for p in parts],
        "high": [p["high"] for p in parts],
        "names": [", ".join(shown(v) for v in p["versions"]) for p in parts],
    }


def shown(version: str) -> str:
    """A version as predictions name it, in short."""
    if version.startswith("cold-"):
        return "cold start"
    return short(version) if version else "unknown"


def _law(law: Sequence[float], at: float) -> float:
    a, b, c = law
    return float(a - b * at**-c)


def _within(value: float) -> float:
    return min(1.0, max(0.0, value))
