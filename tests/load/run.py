"""`make load`: webhooks at 200 a second while it trains, 32 people who open tasks while it swaps,
a project of 100,000 tasks, and one of 10,000 in a real Label Studio; numbers go into
benchmarks/results/load.json."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.kills.run import scripted_house, tiny_base
from tests.load.prices import MEASURED
from tests.load.project import measure
from tests.load.real import beside_a_real_one
from tests.load.served import predictions, webhooks

RESULTS = Path("benchmarks/results/load.json")
PARTS = ("project", "real", "webhooks", "predict")
CHANGES = {"an answer": "answer", "a new task": "new_task"}
LEAST_MB = 30.0  # of a first sync, and 5 kB a task: with 100,000 half of what Kubernetes grants it
GREW_MB = 300.0  # a queue of requests that nobody refuses would be more within a minute
LATE_MB = 50.0  # what fills up once is filled by then
HANDLES = 32  # beside a connection of each client
MOST = 0.5  # of the time somebody must train
ANSWERED = 0.9  # of those who open a task see one; the others are told to come again
OWN = {"webhooks": {"ANNOTUNE_TRAIN_STEPS": "400"}, "predict": {"ANNOTUNE_BACKEND_MEMORY_MB": "0"}}
"""By part: trainings that outlast their start; room for one project's adapter, whatever it is."""
Told = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """0: what is held was held; 1: it was not, and what is said."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.run", description=__doc__)
    parser.add_argument("parts", nargs="*", default=[], help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--tasks", type=int, default=100_000, help="of the large project")
    parser.add_argument("--real-tasks", type=int, default=10_000, help="of the real one's project")
    parser.add_argument("--seconds", type=float, default=600.0, help="of each load")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(argv)
    found: dict[str, Any] = json.loads(given.out.read_text()) if given.out.exists() else {}
    broken: list[str] = []
    for part in given.parts or PARTS:
        told = _measured(part, given.tasks, given.real_tasks, given.seconds)
        found[part] = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **told}
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        wrong = breaches(part, told)
        broken += wrong
        print(part, json.dumps(told), wrong or "all held", flush=True)
    return int(bool(broken))


def _measured(part: str, tasks: int, real_tasks: int, seconds: float) -> dict[str, Any]:
    if part == "project":
        sizes = (1000, tasks)
        return {f"{n}": asdict(measure(n, n // 2)) for n in sizes}
    if part == "real":
        return {f"{n}": asdict(cost) for n, cost in beside_a_real_one(real_tasks).items()}
    with tempfile.TemporaryDirectory(prefix="annotune-load-") as named:
        root = Path(named)
        with scripted_house(root / "house", tiny_base(root), OWN[part]) as house:
            if part == "webhooks":
                return webhooks(house, seconds, 200.0)
            return predictions(house, seconds, 32)


def breaches(part: str, told: dict[str, Any]) -> list[str]:
    """What should hold and does not."""
    if part in {"project", "real"}:
        return _of_project(*(told[key] for key in sorted((k for k in told if k != "at"), key=int)))
    odd = [*told["odd"], *(f"what went on meanwhile ended: {why}" for why in told["died"])]
    for what, most in (("grew_mb", GREW_MB), ("grew_late_mb", LATE_MB)):
        odd += [f"{what} is {told[what]}, not {most:g}"] * (told[what] > most)
    most = told["clients"] + HANDLES
    odd += [f"{told['more_handles']} more handles, not {most}"] * (told["more_handles"] > most)
    odd += [f"it was looked at {told['looks']} times"] * (told["looks"] < told["seconds"] / 2)
    return odd + (_of_webhooks(told) if part == "webhooks" else _of_predictions(told))


def _of_webhooks(told: Told) -> list[str]:
    lost = told["sent"] - min(told["answered_200"], told["counted_by_sync"])
    odd = [f"{lost} webhooks were lost"] * (lost > 0)
    odd += ["too few were sent"] * (told["sent"] < 0.99 * told["asked_per_s"] * told["seconds"])
    odd += [f"somebody trained {told['trained']:.0%} of the time"] * (told["trained"] <= MOST)
    return odd + [f"p99 is {told['p99_ms']} ms"] * (told["p99_ms"] >= 200)


def _of_predictions(told: Told) -> list[str]:
    answers, refused = told["answers"], told["refused_with_retry_after"]
    odd = ["no version changed meanwhile"] * (not told["swaps"] or not told["moves"])
    odd += ["nothing was let go of meanwhile"] * (not told["evictions"])
    if answers < ANSWERED * (answers + refused) or not answers:
        odd.append(f"{answers} were answered, {refused} refused")
    return odd + [f"{told['mixed']} answers mix versions"] * (told["mixed"] > 0)


def _of_project(small: Told, large: Told) -> list[str]:
    """Ours, what we ask, and both in seconds are each judged: none hides behind another. Seconds of
    a project larger than any that was measured are told, not judged: they are guesses."""
    first, tasks = large["first"], large["tasks"]
    most = LEAST_MB + tasks / 200
    wrong = [f"{first['again']} tasks were read twice"] * (first["again"] > 1000)
    wrong += [f"sync grew by {first['grew_mb']} MB, not {most:g}"] * (first["grew_mb"] > most)
    for what, key in CHANGES.items():
        ratios = {
            "seconds of ours": ("own_s",),
            "requests": ("requests",),
            "rows": ("rows",),
            "seconds": ("own_s", "studio_s"),
        }
        for of, parts in ratios.items():
            if of == "seconds" and tasks > MEASURED:
                continue
            ratio = sum(large[key][p] for p in parts) / sum(small[key][p] for p in parts)
            wrong += [f"{what} costs {ratio:.1f} times as many {of}"] * (ratio > 2)
    return wrong


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(main())
