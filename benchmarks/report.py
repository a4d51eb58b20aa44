"""What a benchmark leaves: results/NAME.json, a Markdown table on the screen, its machine."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
SHARED = Path(os.environ.get("ANNOTUNE_SHARED") or Path(__file__).parents[2] / "shared")


def write(name: str, result: Mapping[str, Any], table: str) -> Path:
    """Write results/NAME.json with the machine it ran on, and print the table."""
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **result}, indent=1) + "\n", encoding="utf-8")
    print(table, flush=True)
    return path


def machine() -> dict[str, Any]:
    import torch
    import transformers

    return {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_before": [round(x, 2) for x in os.getloadavg()],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
    }


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def interleaved(
    cases: Mapping[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each case, one of each in turn, in an order that moves on with every round."""
    names = list(cases)
    for name in names:
        cases[name]()  # not counted: caches, first touch
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for i in range(repeats):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            began = clock()
            cases[name]()
            seconds[name].append(clock() - began)
    return seconds


def middle(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Median and spread."""
    found = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {k: round(v, digits) for k, v in found.items()}


def ratio(over: Sequence[float], under: Sequence[float]) -> dict[str, float]:
    """Median and spread of the ratios of paired repeats."""
    return middle([a / b for a, b in zip(over, under, strict=True)], 3)


def centile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
