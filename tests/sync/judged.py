"""Trainers' reports as the gate reads them, made of how many rows each contestant had right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

METRIC = {"c": "accuracy"}


def scored(right: Sequence[float], labels: Sequence[str] = ()) -> dict[str, Any]:
    """One contestant's scores; `labels`: the human's, for what the gate sees of each label."""
    mean = sum(right) / len(right) if right else 0.0
    marks = {f"r{i:04d}": {"c": [float(m)]} for i, m in enumerate(right)}
    controls = {"c": {"metric": "accuracy", "value": mean, "n": len(right)}}
    found: dict[str, Any] = {"mean": mean, "controls": controls, "right": marks}
    if labels:
        by: dict[str, dict[str, list[float]]] = {}
        for i, (mark, label) in enumerate(zip(right, labels, strict=True)):
            by.setdefault(label, {})[f"r{i:04d}"] = [mark, 0.0, 1.0 - mark]
        found["labels"] = {"c": by}
    return found


def first(count: int, of: int) -> list[float]:
    """`count` rows right, the first ones."""
    return [1.0] * count + [0.0] * (of - count)


def report(
    candidate: Sequence[float],
    cold: Sequence[float],
    champion: Sequence[float] | None = None,
    human: Sequence[float] | None = None,
    synthetic: int = 0,
    labels: Sequence[str] = (),
) -> dict[str, Any]:
    scores: dict[str, Any] = {
        "candidate": scored(candidate, labels),
        "cold": scored(cold, labels),
        "champion": scored(champion, labels) if champion is not None else None,
    }
    if human is not None:
        scores["human"] = scored(human, labels)
    return {"holdout": len(candidate), "scores": scores, "synthetic": synthetic}


def alone(report: Mapping[str, Any]) -> dict[str, str]:
    """Every row a group of its own."""
    return {row: row for row in report["scores"]["candidate"]["right"]}
