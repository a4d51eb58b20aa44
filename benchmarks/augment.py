"""What expansion brings at 50 human examples: by source, aim, guard and the loop's own choice.

    python -m benchmarks.augment [--only snips,mts_notes] [--seeds 0,1] [--until 23:30] [--table]

Every cell (set, examples, seed, mode, ratio) is written to results/augment.jsonl as soon as it is
done and not run again while the fit, the data, the rules of expansion and the generator it was
made with are current: stop and start as you like. The most telling ones come first. Sets, seeds,
modes and settings were fixed before the first cell; nothing is chosen on a test file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.augment_sets import BY_NAME, SEEDS, Key, Mode, Unit, made_with, unit_of, units
from benchmarks.augment_shown import as_table
from benchmarks.augment_table import summarise
from benchmarks.causal import add_cell, listed, next_time, read_cells
from benchmarks.report import RESULTS, machine, write

CELLS = RESULTS / "augment.jsonl"
GENERATOR = "smollm"
UNIT_S = 4 * 3600.0  # of one process; far above what any takes, so that none hangs for ever
LEARNED = ("notes", "scores", "test", "blind", "blind_rows", "marks")
"""Facts of a cell that follow from what was learned from."""

Cell = Mapping[str, Any]


def done(path: Path, generator: str) -> dict[Key, Cell]:
    """The finished cells that would come out alike today."""
    return {
        (c["set"], c["n"], c["seed"], c["mode"], c["ratio"]): c
        for c in read_cells(path)
        if c["with"] == made_with(c["set"], c["mode"], generator)
    }


def keep(
    path: Path, unit: Unit, mode: str, ratio: float, generator: str, facts: Mapping[str, Any]
) -> None:
    """Append a finished cell."""
    place = {"set": unit.set, "n": unit.n, "seed": unit.seed, "mode": mode, "ratio": ratio}
    add_cell(path, {**place, "with": made_with(unit.set, mode, generator), **facts})


def missing(unit: Unit, path: Path, generator: str) -> list[tuple[Mode, float]]:
    """The modes of a unit, each with its ratio, that have no cell yet."""
    there = done(path, generator)
    return [asked for asked, key in zip(unit.asked, unit.cells(), strict=True) if key not in there]


def learned(unit: Unit, path: Path, generator: str) -> dict[str, dict[str, Any]]:
    """What came out of the same examples, by what was learned from beside them."""
    return {
        c["learned"]: {name: c[name] for name in LEARNED}
        for key, c in done(path, generator).items()
        if key[:3] == (unit.set, unit.n, unit.seed) and "learned" in c
    }


def run_one(unit: Unit, path: Path, generator: str) -> None:
    """Here and now, in this process: what of the unit is missing."""
    from benchmarks.augment_cells import work  # here: it imports what models need

    wanted = missing(unit, path, generator)
    for mode, ratio, facts in work(unit, wanted, learned(unit, path, generator), generator):
        keep(path, unit, mode.name, ratio, generator, facts)
        told = f"{facts['scores']} {facts['cpu_s']}"
        print(f"{unit.key} {mode.name} {ratio:g}: {told}", flush=True)


def run_all(todo: Sequence[Unit], path: Path, generator: str, until: datetime | None) -> int:
    """Each unit that is missing, in a process of its own; how many failed."""
    failed = 0
    for unit in todo:
        if not missing(unit, path, generator):
            continue
        if until and datetime.now() >= until:
            print(f"it is {until:%H:%M}: {unit.key} and what follows are left for another time")
            break
        began = time.monotonic()
        why = _in_a_process(unit, generator)
        failed += bool(why)
        took = f"{time.monotonic() - began:.0f} s"
        print(f"{datetime.now():%H:%M:%S} {unit.key} {why or 'done'}, {took}", flush=True)
    return failed


def _in_a_process(unit: Unit, generator: str) -> str:
    """Empty, or why it failed."""
    command = [sys.executable, "-m", "benchmarks.augment", "--one", unit.key]
    try:
        code = subprocess.run(
            [*command, "--generator", generator], timeout=UNIT_S, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return f"FAILED: took longer than {UNIT_S / 3600:.0f} h"
    return f"FAILED with exit code {code}" if code else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help=f"of {', '.join(BY_NAME)}; separated by commas")
    parser.add_argument("--seeds", default="", help="of 0 to 4, separated by commas")
    parser.add_argument("--until", default="", help="HH:MM from which on no cell is begun")
    parser.add_argument("--generator", default=GENERATOR, help="the causal base that writes")
    parser.add_argument("--one", default="", help="run this cell here: SET/EXAMPLES/SEED/KIND")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    given = parser.parse_args()
    if given.one:
        run_one(unit_of(given.one), CELLS, given.generator)
        return 0
    failed = 0
    if not given.table:
        only = listed(given.only, list(BY_NAME), "--only")
        seeds = [int(s) for s in listed(given.seeds, [str(s) for s in SEEDS], "--seeds")]
        until = next_time(given.until, datetime.now()) if given.until else None
        failed = run_all(units(only, seeds or SEEDS), CELLS, given.generator, until)
    summary = summarise(done(CELLS, given.generator))
    result = {**summary, "generator": given.generator, "on": machine()}
    write("augment", result, as_table(summary))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
