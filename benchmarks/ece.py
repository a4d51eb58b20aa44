"""What are the probabilities worth? Their calibration error after 200 answers, cell by cell.

    python -m benchmarks.ece [--only snips,mts_notes] [--seeds 0,1] [--folds 0,2,3]
                             [--until 23:30] [--table]

200 random train rows are the answers, up to 1,500 others the pool, and 400 random rows of the test
file are asked (all rows where answers are uncertain, see MORE): as served by default (0 folds), and
calibrated out of fold, as ANNOTUNE_TRAIN_FOLDS does it. Every cell (set, seed, folds) is written to
results/ece.jsonl as soon as it is done, and not run again while fit, calibration, the set's files
and the number of rows asked are the same: stop and start as you like. Nothing is chosen here.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.causal import add_cell, listed, next_time, read_cells
from benchmarks.data import digest_of_files, read_rows, shared
from benchmarks.ece_table import as_table, summarise
from benchmarks.report import RESULTS, machine, write
from lora.recipe import CALIBRATION, FIT

if TYPE_CHECKING:
    from lora.base import Base

CELLS = RESULTS / "ece.jsonl"
SETS = ("snips", "purchase_card", "mts_notes", "sms_spam", "banking77", "cuad_clauses")
"""Those where a text has one label; the quicker first."""
SEEDS = (0, 1, 2)
FOLDS = (0, 2, 3)
ANSWERS, ASKED = 200, 400
ALL = sys.maxsize
MORE = {name: ALL for name in ("purchase_card", "mts_notes", "banking77", "cuad_clauses")}
"""Where answers are so uncertain that on 400 rows luck alone leaves about the goal."""
TESTS = {"mts_notes": ("test", "test2")}
"""Where there is more than one test file; mts_notes has its two published ones of 200 rows."""

Key = tuple[str, int, int]
"""Set, seed, folds."""


def done(path: Path) -> dict[Key, Mapping[str, Any]]:
    """The finished cells of these files and as many rows, this fit and, where there are folds, this
    calibration."""
    return {
        (c["set"], c["seed"], c["folds"]): c
        for c in read_cells(path)
        if c["by"] == by(c["set"], c["folds"]) and c["n"] == asked(c["set"])
    }


def by(name: str, folds: int) -> str:
    """What a cell was made with."""
    files = digest_of_files(name, ("train", *tests_of(name)))
    return f"fit {FIT}" + (f", calibration {CALIBRATION}" if folds else "") + f", files {files}"


def tests_of(name: str) -> tuple[str, ...]:
    return TESTS.get(name, ("test",))


@cache
def asked(name: str) -> int:
    """How many test rows are asked."""
    rows = sum(len(read_rows(shared() / name / f"{test}.jsonl")) for test in tests_of(name))
    return min(MORE.get(name, ASKED), rows)


def missing(
    path: Path, sets: Sequence[str], seeds: Sequence[int], folds: Sequence[int]
) -> list[Key]:
    """The most telling first: each seed on all sets, the dearest number of folds last."""
    there = done(path)
    dear = [n for n in folds if n > 2]
    every: Iterator[Key] = (
        (name, seed, n)
        for some in ([n for n in folds if n not in dear], dear)
        for seed in seeds
        for name in sets
        for n in some
    )
    return [key for key in every if key not in there]


def run_all(base: Base, todo: Sequence[Key], path: Path, until: datetime | None) -> None:
    """Cells of the same rows share what was fitted to all of them."""
    from benchmarks.ece_cells import Rows, measure  # here: it imports what models need

    rows: Rows | None = None
    for name, seed, folds in todo:
        if until and datetime.now() >= until:
            print(f"it is {until:%H:%M}: {name} and what follows are left for another time")
            return
        began = time.monotonic()
        if rows is None or (rows.name, rows.seed) != (name, seed):
            rows = Rows.of(base, name, tests_of(name), seed, ANSWERS, asked(name))
        found = measure(base, rows, folds)
        took = round(time.monotonic() - began, 1)
        cell = {"set": name, "seed": seed, "folds": folds, "by": by(name, folds), "seconds": took}
        add_cell(path, {**cell, **found})
        print(f"{datetime.now():%H:%M:%S} {name} seed {seed}, {folds} folds: {found}", flush=True)


def report(path: Path) -> Mapping[str, Any]:
    """Write and print what the finished cells say."""
    lines = summarise(done(path), SETS)
    result = {"table": lines}
    write("ece", {**result, "on": machine()}, as_table(lines))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help=f"of {', '.join(SETS)}; separated by commas")
    parser.add_argument("--seeds", default="", help="of 0, 1, 2, separated by commas")
    parser.add_argument("--folds", default="", help="of 0, 2, 3, separated by commas")
    parser.add_argument("--until", default="", help="HH:MM from which on no cell is begun")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    given = parser.parse_args()
    sets = listed(given.only, SETS, "--only") or list(SETS)
    seeds, folds = (
        [int(x) for x in listed(words, [str(x) for x in known], option)] or list(known)
        for words, known, option in (
            (given.seeds, SEEDS, "--seeds"),
            (given.folds, FOLDS, "--folds"),
        )
    )
    todo = [] if given.table else missing(CELLS, sets, seeds, folds)
    until = next_time(given.until, datetime.now()) if given.until else None
    if todo:
        import torch

        from lora.base import load_base

        torch.set_num_threads(1)
        run_all(load_base("minilm", threads=1), todo, CELLS, until)
    report(CELLS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
