"""`python -m lora.speed`: how fast an adapter answers and what that takes, in a process of its own.

It answers through the lane of a server (lora/engine.py), so that what is timed is what people
would wait for, with nobody else in the queue.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from label_config.controls import InvalidValue
from label_config.schema import read_schema
from label_config.values import Inputs, Snapshot
from lora.errors import LoraError
from lora.opened import store_at
from lora.recipe import kind_of
from lora.store import write_atomic

if TYPE_CHECKING:
    from lora.engine import LaneSettings

log = logging.getLogger(__name__)

TASKS = 64  # tasks that are answered: first the blind ones
LEAST, MOST_S = 8, 60.0  # fewer of them, but so many, where they take long
ROUNDS, ROUNDS_S = 3, 30.0  # batches of the same tasks, of which the median counts
ANSWER_S = 600.0  # of one batch; longer is an error

Ask = Callable[[Sequence[Inputs], bool], None]
"""Answer rows, as a bulk or at once."""


def run(
    store: Path,
    project: str,
    snapshot_hash: str,
    adapter: Path,
    base: str,
    lane: LaneSettings,
    *,
    threads: int,
    quantize: str = "",
) -> dict[str, Any]:
    """Load an adapter as a server does and time its answers to the snapshot's tasks.

    Raises LoraError and FileNotFoundError.
    """
    from lora.base import load_base
    from lora.engine import start_local
    from lora.loaded import open_folder, ready
    from lora.peak import peak_mb

    snapshot = store_at(store).project(project).snapshot(snapshot_hash)
    schema = read_schema(snapshot.config, urls=True)  # the texts are in the snapshot
    four = quantize if kind_of(base) == "causal" else ""
    engine = start_local(load_base(base, threads=threads, quantize=four), lane)
    try:
        opened = open_folder(engine.side, adapter, "candidate", schema.digest)
        loaded = ready(engine.side, opened, schema)

        def ask(rows: Sequence[Inputs], bulk: bool) -> None:
            found = engine.lane.submit(loaded, rows, bulk=bulk)(ANSWER_S)
            if failed := found.count(None):
                raise LoraError(f"base {base!r} failed on {failed} of {len(rows)} tasks")

        timed = pace(ask, tasks_of(snapshot))
        return {**timed, "memory_mb": peak_mb(engine.base.model.device.type), "threads": threads}
    finally:
        engine.lane.close()


def tasks_of(snapshot: Snapshot) -> list[Inputs]:
    """The tasks that are timed, the same for every base: blind ones first, then others."""
    rows = sorted(snapshot.holdout, key=lambda e: e.id)
    rows += sorted(snapshot.train, key=lambda e: e.id)
    return [e.inputs for e in rows[:TASKS]]


def pace(
    ask: Ask, tasks: Sequence[Inputs], clock: Callable[[], float] = time.perf_counter
) -> dict[str, Any]:
    """Milliseconds of one task at a time, and tasks a second when all come at once."""
    ask(tasks[:1], False)  # warm
    alone: list[float] = []
    while len(alone) < len(tasks) and (len(alone) < LEAST or sum(alone) < MOST_S):
        began = clock()
        ask([tasks[len(alone)]], False)
        alone.append(clock() - began)
    batch, together = tasks[: len(alone)], list[float]()
    while len(together) < ROUNDS and sum(together) < ROUNDS_S:
        began = clock()
        ask(batch, True)
        together.append(clock() - began)
    ordered = sorted(alone)
    return {
        "tasks": len(alone),
        "median_ms": round(1000 * median(ordered), 2),
        "p95_ms": round(1000 * ordered[-(-95 * len(ordered) // 100) - 1], 2),
        "tasks_per_s": round(len(batch) / median(together), 2),
    }


def command(
    store: Path,
    project: str,
    snapshot: str,
    adapter: Path,
    base: str,
    report: Path,
    *,
    lane: dict[str, Any],
    threads: int,
    quantize: str,
) -> list[str]:
    """The command line that starts this file; `lane`: the fields of LaneSettings."""
    argv = [sys.executable, "-m", "lora.speed", "--store", str(store), "--project", project]
    argv += ["--snapshot", snapshot, "--adapter", str(adapter), "--base", base]
    argv += ["--report", str(report), "--lane", json.dumps(lane), "--quantize", quantize]
    return [*argv, "--threads", str(threads)]


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0: report written. 2: it cannot be timed, as the last line says."""
    parser = argparse.ArgumentParser(prog="python -m lora.speed", description=__doc__)
    for name in ("store", "adapter", "report"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("project", "snapshot", "base"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--lane", default="{}", help="lora.engine.LaneSettings as JSON")
    parser.add_argument("--quantize", default="", help="settings.Backend.quantize")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    from lora.engine import LaneSettings

    try:
        found = run(
            given.store,
            given.project,
            given.snapshot,
            given.adapter,
            given.base,
            LaneSettings(**json.loads(given.lane)),
            threads=given.threads,
            quantize=given.quantize,
        )
    except (LoraError, InvalidValue, ValueError, TypeError, FileNotFoundError) as error:
        log.error("%s", error)
        return 2
    write_atomic(given.report, json.dumps(found, sort_keys=True))
    log.info("%s", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
