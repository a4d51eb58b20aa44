"""How many labels does the loop need? Whole replays of public data, ours against random order.

    python -m benchmarks.replay [--only snips,mts_notes] [--seeds 0,1] [--arms random,ours]
                                [--cells 1] [--until 23:30] [--plan] [--table]

A replay is `annotune replay` (sync/replay/): eight geometric counts from 25 to 1,000 answers, five
seeds, at random without expansion, and by our order with it and without; every training, gate and
expansion is the product's. A cell is one count of one run. Runs go on where they were stopped, at
the cell (`--cells 1` makes one and ends); a run that is through is kept in results/replay.jsonl and
not run again while the fit, the order and the settings are current. `--plan` says what is missing
and how long a cell took so far. Nothing is chosen here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.causal import add_cell, listed, next_time, read_cells
from benchmarks.data import shared
from benchmarks.intervals import clustered
from benchmarks.report import RESULTS, machine, table, write
from lora.atomic import read_json
from settings import Augment, Settings, Train
from sync.replay.orders import ARMS as PRODUCT
from sync.replay.orders import RANDOM, Arm, turns
from sync.replay.play import Cell, expanding
from sync.replay.rows import from_folder
from sync.replay.told import Mean, Told, called
from sync.replay.whole import Replay, Wish

LINES = RESULTS / "replay.jsonl"
PLACE = RESULTS / "cache" / "replay"
SETS = ("snips", "banking77", "purchase_card", "cuad_clauses", "mts_notes")
SEEDS = (0, 1, 2, 3, 4)
COUNTS, MOST = 8, 1000
JUDGED = 300
"""Test rows that judge, at most: a cell judges up to three versions, and there are 600 cells."""
RUN = ("random", "ours", "ours-expanded")
"""What is run unless asked otherwise. `random-expanded` costs as much as the two without expansion
together, and answers no question of an admin's."""
SOURCES = "noise,substitute"
WRITTEN = "noise,substitute,rewrite,generate"
ARMS = {**PRODUCT, "turns": Arm("turns", turns)}
"""`turns` is what the product pushed before decisions/0012, run when asked for."""
GOAL = 0.5  # of random order's answers, on average over the sets
LESS = ("dropped", "bounded", "floored")
GUESS_S = 150.0  # of a cell, on one core, until some are done


class Stopped(Exception):
    """It is time, or enough cells are made."""


class Bench:
    """The replays of all sets, and the lines of the runs that are through."""

    def __init__(self, sets: Sequence[str], wish: Wish, generator: str, lines: Path, place: Path):
        augment = Augment(sources=WRITTEN if generator else SOURCES, generator=generator)
        settings = Settings(home=place, train=Train(threads=1), augment=augment)
        self._lines, self._made = lines, 0
        self.replays: dict[str, Replay] = {}
        for name in sets:
            rows = from_folder(shared() / name, JUDGED)
            assert expanding(settings, rows) is None
            self.replays[name] = Replay(rows, settings, wish, place / name, known=ARMS)
        self._restore()

    def _restore(self) -> None:
        for line in read_cells(self._lines):
            replay = self.replays.get(line["set"])
            arm = ARMS[line["cells"][0]["arm"]]
            if replay and line["key"] == replay.key_of(arm):
                full = replay.folder / "full.json"
                full.parent.mkdir(parents=True, exist_ok=True)
                if not full.exists():
                    full.write_text(json.dumps(line["full"]), encoding="utf-8")
                cells = [Cell.of(raw) for raw in line["cells"]]
                replay.run(arm, cells[0].seed).restore(cells)

    def missing(self) -> Iterator[tuple[str, Replay, int]]:
        """Set, replay and seed of what is not through, the most telling first: each seed on all
        sets."""
        seeds = next(iter(self.replays.values())).wish.seeds
        for seed in seeds:
            for name, replay in self.replays.items():
                if any(r.seed == seed and r.missing() for r in replay.runs()):
                    yield name, replay, seed

    def play(self, most: int | None, until: datetime | None) -> None:
        """Raises Stopped before a cell for which there is no time, or when there are enough."""

        def check() -> None:
            if self._made == most:
                raise Stopped(f"{most} cells are made")
            if until and datetime.now() >= until:
                raise Stopped(f"it is {until:%H:%M}")

        for name, replay, seed in list(self.missing()):

            def tell(cell: Cell, name: str = name, replay: Replay = replay) -> None:
                self._made += 1
                best, seconds = cell.best.get("mean", 0.0), cell.seconds
                told = f"{name} {cell.arm} seed {cell.seed}, {cell.answers} answers: {best:.3f}"
                print(f"{datetime.now():%H:%M:%S} {told}, {seconds:.0f} s", flush=True)
                self._keep(name, replay, cell)

            wish = Wish(**{**asdict(replay.wish), "seeds": (seed,)})
            one = Replay(replay.rows, replay.settings, wish, replay.home, known=ARMS)
            one.play(tell, check=check)

    def _keep(self, name: str, replay: Replay, last: Cell) -> None:
        run = replay.run(ARMS[last.arm], last.seed)
        if not run.missing():
            cells = [asdict(c) for c in run.cells()]
            key = replay.key_of(ARMS[last.arm])
            line = {"set": name, "key": key, "full": replay.full(), "cells": cells}
            add_cell(self._lines, line)

    def told(self) -> dict[str, Told]:
        """What the sets that have a full quality say."""
        some = {n: r for n, r in self.replays.items() if read_json(r.folder / "full.json", None)}
        return {name: replay.told() for name, replay in some.items()}

    def plan(self) -> Iterator[str]:
        """What is missing, and how long it takes at the pace so far."""
        total = 0.0
        for name, replay in self.replays.items():
            done = [c.seconds for r in replay.runs() for c in r.cells()]
            pace, left = statistics.fmean(done) if done else GUESS_S, replay.missing()
            total += pace * left
            word = "measured" if done else "guessed"
            yield f"{name}: {left} cells, {pace:.0f} s each ({word}), {pace * left / 3600:.1f} h"
        yield f"in all {total / 3600:.1f} h on one core like this"


def as_table(told: Mapping[str, Told]) -> str:
    """A row for each set and arm, whose first score is the mean over controls; and one for each arm
    over the sets, bold where it meets the goal."""
    lines: list[list[str]] = []
    for name, of in told.items():
        for arm in of.arms:
            for score in of.whole:
                found, at = of.against(arm, score), of.at(arm, score)
                if found and at:
                    lines.append([f"{name}, {score}", called(arm), *_numbers(of, arm, score)])
    for arm, found in average(told).items():
        mean = Mean(**found["mean"])
        ratio = f"**{mean.said()}**" if mean.value <= GOAL else mean.said()
        name = f"mean of {mean.n} sets" + (
            f", without {', '.join(w)}" if (w := found["without"]) else ""
        )
        lines.append([name, called(arm), str(found["seeds"]), *[""] * 4, ratio, _counts(found)])
    head = ["set", "order", "seeds", "all learned", "at 121", "at 1,000", "to 90 %", "ratio"]
    return table([*head, "left out / bounds / first"], lines)


def _counts(found: Mapping[str, Any]) -> str:
    """Seeds without a ratio, of whose ratio only a bound is known, and there at the first count."""
    return " / ".join(str(found[key]) for key in LESS)


def _numbers(of: Told, arm: str, score: str) -> list[str]:
    found, at = of.against(arm, score), of.at(arm, score)
    assert found is not None
    counts = list(at)
    near = min(counts, key=lambda n: abs(n - 121))
    reached = f"{found['answers']['value']:.0f}"
    reached += f" ({found['not_reached']} never)" if found["not_reached"] else ""
    ratio = Mean(**found["ratio"]).said() if found["ratio"] else "-"
    return [
        str(at[near].n),
        f"{of.full[score]:.3f}",
        f"{at[near].value:.3f}",
        f"{at[counts[-1]].value:.3f}",
        reached,
        *(("-", "-") if arm == RANDOM else (ratio, _counts(found))),
    ]


def average(told: Mapping[str, Told]) -> dict[str, Any]:
    """By arm the mean over the sets of their ratios to random order, each set counted once, with
    the interval over sets; `without`: sets of which no seed has a ratio."""
    return {arm: _average(arm, told) for arm in ARMS if arm != RANDOM and _ratios(arm, told)[0]}


def _average(arm: str, told: Mapping[str, Told]) -> dict[str, Any]:
    ratios, found = _ratios(arm, told)
    mean = clustered({name: [value] for name, value in ratios.items()})
    assert mean is not None
    counts = {key: sum(f[key] for f in found.values()) for key in ("seeds", *LESS)}
    without = [name for name in found if name not in ratios]
    return {"sets": ratios, "without": without, "mean": mean.to_dict(), **counts}


def _ratios(arm: str, told: Mapping[str, Told]) -> tuple[dict[str, float], dict[str, Any]]:
    """By set the mean ratio of its seeds, where there is one; and all that is told of it."""
    found = {name: r for name, of in told.items() if (r := of.against(arm, "mean"))}
    return {n: r["ratio"]["value"] for n, r in found.items() if r["ratio"]}, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help=f"of {', '.join(SETS)}; separated by commas")
    parser.add_argument("--seeds", default="", help="of 0 to 4, separated by commas")
    parser.add_argument("--arms", default="", help=f"of {', '.join(ARMS)}; separated by commas")
    parser.add_argument("--cells", type=int, help="make so many and end")
    parser.add_argument("--until", default="", help="HH:MM from which on no cell is begun")
    parser.add_argument("--generator", default="", help="a causal base that writes children too")
    parser.add_argument("--plan", action="store_true", help="run nothing, say what is missing")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    given = parser.parse_args()
    sets = listed(given.only, list(SETS), "--only") or list(SETS)
    seeds = [int(s) for s in listed(given.seeds, [str(s) for s in SEEDS], "--seeds")] or SEEDS
    arms = listed(given.arms, list(ARMS), "--arms") or list(RUN)
    wish = Wish(tuple(seeds), COUNTS, MOST, arms=tuple(arms))
    bench = Bench(sets, wish, given.generator, LINES, PLACE)
    if given.plan:
        print("\n".join(bench.plan()))
        return 0
    until = next_time(given.until, datetime.now()) if given.until else None
    try:
        if not given.table:
            bench.play(given.cells, until)
    except Stopped as why:
        print(f"{why}: what is missing is left for another time")
    told = bench.told()
    result = {"sets": {n: of.to_dict() for n, of in told.items()}, "ratio": average(told)}
    write("replay", {**result, "on": machine()}, as_table(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
