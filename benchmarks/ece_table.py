"""What the finished cells of `ece.py` say, as numbers and as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import table

GOAL = 0.05
NUMBERS = ("ece", "low", "high", "accuracy", "sure", "temperature")


def summarise(
    cells: Mapping[tuple[str, int, int], Mapping[str, Any]], sets: Sequence[str]
) -> list[dict[str, Any]]:
    """By set and folds the means over seeds, and each seed's error; `luck`: the mean error that
    true probabilities would show on these rows, and how often as large a one as was seen."""
    lines: list[dict[str, Any]] = []
    for name in sets:
        for folds in sorted({key[2] for key in cells if key[0] == name}):
            own = {k[1]: c for k, c in sorted(cells.items()) if (k[0], k[2]) == (name, folds)}
            means = {x: statistics.fmean(c[x] for c in own.values()) for x in NUMBERS}
            chance = {
                x: statistics.fmean(c["luck"][x] for c in own.values()) for x in ("mean", "as_far")
            }
            facts = {"set": name, "folds": folds, "rows": next(iter(own.values()))["n"]}
            errors = {str(seed): c["ece"] for seed, c in own.items()}
            lines.append({**facts, **means, "luck": chance, "seeds": errors})
    return lines


def as_table(lines: Sequence[Mapping[str, Any]]) -> str:
    """One line a set and number of folds; bold where the goal is met."""
    head = ["set", "folds", "rows", "accuracy", "said", "ECE (interval)", "by luck", "as far"]
    head += ["temperature", "seeds"]
    return table(head, [_line(line) for line in lines])


def _line(line: Mapping[str, Any]) -> list[str]:
    error = f"{line['ece']:.3f}"
    error = f"**{error}**" if line["ece"] <= GOAL else error
    return [
        line["set"],
        str(line["folds"] or "none"),
        str(line["rows"]),
        f"{line['accuracy']:.3f}",
        f"{line['sure']:.3f}",
        f"{error} ({line['low']:.3f} to {line['high']:.3f})",
        f"{line['luck']['mean']:.3f}",
        f"{line['luck']['as_far']:.0%}",
        f"{line['temperature']:.2f}" if line["folds"] else "-",
        ", ".join(f"{value:.3f}" for value in line["seeds"].values()),
    ]
