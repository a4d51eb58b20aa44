"""How good a causal base is beside an encoder, on the same rows, cell by cell.

    python -m benchmarks.causal [--only snips,disfl_qa] [--seeds 0] [--until 23:30] [--table]

Every cell (set, examples, seed, method) is written to results/causal.jsonl as soon as it is done
and not run again while the fit it was made with is current: stop and start as you like. The most
telling ones come first. Each runs in a process of its own, so that its memory can be told; what
fails is named and left for the next time. All settings are the program's defaults, the same for
every set; nothing is chosen on a test file. Speed is the business of causal_speed.py.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.causal_sets import BY_NAME, SEEDS, Unit, fit_of, unit_of, units
from benchmarks.causal_table import Cell, as_table, summarise
from benchmarks.report import RESULTS, machine, write

CELLS = RESULTS / "causal.jsonl"
UNIT_S = 4 * 3600.0  # of one process; far above what any takes, so that none hangs for ever


def done(path: Path) -> dict[tuple[str, int, int, str], Cell]:
    """The finished cells of this fit; one of an older fit is not there, nor a last line that a
    kill cut."""
    return {
        (c["set"], c["n"], c["seed"], c["method"]): c
        for c in read_cells(path)
        if c["fit"] == fit_of(c["set"], c["n"], c["method"])
    }


def keep(path: Path, unit: Unit, method: str, facts: Mapping[str, Any]) -> None:
    """Append a finished cell."""
    cell = {"set": unit.set, "n": unit.n, "seed": unit.seed, "method": method}
    add_cell(path, {**cell, "fit": fit_of(unit.set, unit.n, method), **facts})


def read_cells(path: Path) -> list[Cell]:
    """All lines but a last one that a kill cut."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def add_cell(path: Path, cell: Cell) -> None:
    """Append a line, in the place of a last one that a kill cut; one process at a time."""
    line = json.dumps(cell, sort_keys=True) + "\n"
    with path.open("a+b") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        handle.truncate(handle.read().rfind(b"\n") + 1)
        handle.write(line.encode())


def missing(unit: Unit, path: Path) -> list[str]:
    """The methods of a unit that have no cell yet."""
    there = done(path)
    return [cell[-1] for cell in unit.cells() if cell not in there]


def run_one(unit: Unit, path: Path) -> None:
    """Here and now, in this process: what of the unit is missing."""
    from benchmarks.causal_cells import work  # here: it imports what models need

    for method, facts in work(unit, missing(unit, path)):
        keep(path, unit, method, facts)
        print(f"{unit.key} {method}: {facts['scores']} {facts['cpu_s']}", flush=True)


def run_all(todo: Sequence[Unit], path: Path, until: datetime | None) -> int:
    """Each unit that is missing, in a process of its own; how many failed."""
    failed = 0
    for unit in todo:
        if not missing(unit, path):
            continue
        if until and datetime.now() >= until:
            print(f"it is {until:%H:%M}: {unit.key} and what follows are left for another time")
            break
        began = time.monotonic()
        why = _in_a_process(unit)
        failed += bool(why)
        took = f"{time.monotonic() - began:.0f} s"
        print(f"{datetime.now():%H:%M:%S} {unit.key} {why or 'done'}, {took}", flush=True)
    return failed


def _in_a_process(unit: Unit) -> str:
    """Empty, or why it failed."""
    command = [sys.executable, "-m", "benchmarks.causal", "--one", unit.key]
    try:
        code = subprocess.run(command, timeout=UNIT_S, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"FAILED: took longer than {UNIT_S / 3600:.0f} h"
    return f"FAILED with exit code {code}" if code else ""


def next_time(words: str, now: datetime) -> datetime:
    """The next time that the clock shows HH:MM; SystemExit where it never does."""
    try:
        at = datetime.strptime(words, "%H:%M")
    except ValueError as error:
        raise SystemExit(f"--until {words!r} must be a time such as 23:30") from error
    found = now.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    return found if found > now else found + timedelta(days=1)


def listed(words: str, known: Sequence[str], option: str) -> list[str]:
    """The words of an option; SystemExit at one that is not known."""
    given = [word.strip() for word in words.split(",") if word.strip()]
    if odd := [word for word in given if word not in known]:
        raise SystemExit(f"{option} {odd[0]!r} is none of {', '.join(known)}")
    return given


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help=f"of {', '.join(BY_NAME)}; separated by commas")
    parser.add_argument("--seeds", default="", help="of 0, 1, 2, separated by commas")
    parser.add_argument("--until", default="", help="HH:MM from which on no cell is begun")
    parser.add_argument("--one", default="", help="run this cell here: SET/EXAMPLES/SEED/KIND")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    given = parser.parse_args()
    if given.one:
        run_one(unit_of(given.one), CELLS)
        return 0
    failed = 0
    if not given.table:
        only = listed(given.only, list(BY_NAME), "--only")
        seeds = [int(s) for s in listed(given.seeds, [str(s) for s in SEEDS], "--seeds")]
        until = next_time(given.until, datetime.now()) if given.until else None
        failed = run_all(units(only, seeds or SEEDS), CELLS, until)
    summary = summarise(done(CELLS))
    write("causal", {**summary, "on": machine()}, as_table(summary))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
