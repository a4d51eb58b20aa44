"""Which order of asking teaches most? On frozen vectors, so that many seeds take minutes.

    python -m benchmarks.order [--only snips,mts_notes] [--seeds 0,1] [--table]

The learner is the logistic regression with label names from which a fit starts; rows are of train
files only, 2,000 to ask for (mts_notes 800) and 1,000 others (400) to judge on. Every cell (set,
seed, order) is written to results/order.jsonl as soon as it is done and not run again. What the
whole loop makes of an order `benchmarks.replay` says; docs/decisions/0012 what was made of both.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.augment_children import CACHE, StoredEmbedder
from benchmarks.causal import add_cell, listed, read_cells
from benchmarks.data import load_split
from benchmarks.intervals import clustered, mean_of, paired
from benchmarks.order_ways import WAYS, walk
from benchmarks.report import RESULTS, machine, table, write
from lora.base import load_base
from lora.forms.near import drawn_to_pool
from lora.forms.paths import words_of
from lora.start import FROZEN_STRENGTH, Floats, logistic, with_names

CELLS = RESULTS / "order.jsonl"
SETS = ("snips", "banking77", "purchase_card", "cuad_clauses", "mts_notes")
SEEDS = (0, 1, 2, 3, 4)
COUNTS = (*range(20, 201, 20), *range(240, 601, 40))
ROWS, POOL = 3000, 2000
PART = 2 / 3  # of the rows of a smaller set that may be asked for
SHARP = 20.0  # logit per unit of cosine of the cold start
GOAL = 0.9  # of the accuracy with all labels
RULES = 1

Cell = Mapping[str, Any]


def run_all(sets: Sequence[str], seeds: Sequence[int], path: Path) -> None:
    there = {(c["set"], c["seed"], c["way"]) for c in read_cells(path) if c["rules"] == RULES}
    for name in sets:
        wanted = [(s, w) for s in seeds for w in WAYS if (name, s, w) not in there]
        if wanted:
            bench = _Bench(name)
            for seed, way in wanted:
                add_cell(path, {"set": name, "seed": seed, "way": way, **bench.cell(seed, way)})
                print(name, seed, way, flush=True)


class _Bench:
    """A set's train rows as vectors."""

    def __init__(self, name: str) -> None:
        from label_config.schema import read_schema

        split = load_split(name)
        rows = list(split.train)
        random.Random(0).shuffle(rows)
        rows = rows[:ROWS]
        base = load_base("minilm", threads=1)
        embed = StoredEmbedder(base, CACHE / f"order-{name}-{base.revision[:12]}.npz")
        self._vectors = embed([r["text"] for r in rows])
        labels = read_schema(_config(split.labels)).controls[0].labels
        self._names = embed([words_of(label) for label in labels])
        embed.store()
        self._gold = np.array([split.labels.index(r["label"]) for r in rows], dtype=np.int64)

    def cell(self, seed: int, way: str) -> dict[str, Any]:
        order = list(range(len(self._gold)))
        random.Random(seed).shuffle(order)
        ask = order[: min(POOL, int(PART * len(order)))]
        judge = order[len(ask) :]
        answer = self._learner(ask, judge)
        vectors, counts = self._vectors[ask], [c for c in COUNTS if c < len(ask)]
        found = walk(WAYS[way], answer, vectors, counts, len(self._names), seed)
        full = answer(range(len(ask)))[1] if way == "random" else None
        return {"rules": RULES, "counts": counts, "accuracy": _round(found), "full": full}

    def _learner(
        self, ask: Sequence[int], judge: Sequence[int]
    ) -> Callable[[Sequence[int]], tuple[Floats, float]]:
        pool, others = self._vectors[ask], self._vectors[judge]
        given, gold = self._gold[ask], self._gold[judge]
        cold = drawn_to_pool(torch.tensor(self._names), torch.tensor(pool)).double().numpy()
        centre = pool.mean(axis=0)

        def answer(taken: Sequence[int]) -> tuple[Floats, float]:
            if not len(taken):
                return _chances(SHARP * (pool - centre) @ cold.T), 0.0
            rows = list(taken)
            points = with_names(pool[rows], given[rows], self._names)
            classes, weight, bias = logistic(*points, FROZEN_STRENGTH)
            assert classes == list(range(len(self._names)))  # each name is a point
            said = (others @ weight.T + bias).argmax(axis=1)
            return _chances(pool @ weight.T + bias), float((said == gold).mean())

        return answer


def _config(labels: Sequence[str]) -> str:
    from benchmarks.data import config

    return config(labels)


def _chances(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = raised / raised.sum(axis=1, keepdims=True)
    return found


def _round(values: Sequence[float]) -> list[float]:
    return [round(v, 4) for v in values]


def reached(counts: Sequence[int], accuracy: Sequence[float], goal: float) -> float | None:
    """Answers at which the curve, its best so far, first is at the goal; None: not within it."""
    before, at = 0.0, 0.0
    for count, value in zip(counts, accuracy, strict=True):
        if value >= goal:
            return at + (count - at) * (goal - before) / (value - before) if at else float(count)
        if value > before:
            before, at = value, float(count)
    return None


def summarise(cells: Sequence[Cell]) -> dict[str, Any]:
    """By order and set: mean accuracy less random's over the first 200 answers, and over all; and
    answers to GOAL of the full accuracy as a ratio to random's."""
    by = {(c["set"], c["seed"], c["way"]): c for c in cells if c["rules"] == RULES}
    sets = [s for s in SETS if any(k[0] == s for k in by)]
    found: dict[str, Any] = {}
    for way in WAYS:
        gains: dict[str, dict[str, list[float]]] = {"to 200": {}, "to 600": {}}
        ratios: dict[str, list[float]] = {}
        for name in sets:
            for which, most in (("to 200", 200), ("to 600", 600)):
                mine, theirs = (_means(by, name, w, most) for w in (way, "random"))
                gains[which][name] = paired(mine, theirs)
            ratios[name] = _ratios(by, name, way)
        found[way] = {
            **{which: _told(of) for which, of in gains.items()},
            "ratio": {name: _round(of) for name, of in ratios.items()},
        }
    return found


def _means(by: Mapping[Any, Cell], name: str, way: str, most: int) -> dict[int, float]:
    return {
        seed: statistics.fmean(
            a for n, a in zip(c["counts"], c["accuracy"], strict=True) if n <= most
        )
        for (s, seed, w), c in by.items()
        if (s, w) == (name, way)
    }


def _ratios(by: Mapping[Any, Cell], name: str, way: str) -> list[float]:
    found: list[float] = []
    for (s, seed, w), c in by.items():
        other = by.get((name, seed, "random"))
        if (s, w) == (name, way) and other:
            goal = GOAL * other["full"]
            mine = reached(c["counts"], c["accuracy"], goal)
            theirs = reached(other["counts"], other["accuracy"], goal)
            if theirs:  # where random never gets there, there is nothing to compare with
                found.append((mine or c["counts"][-1]) / theirs)
    return found


def _told(by_set: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    over, rows = clustered(by_set), [v for of in by_set.values() for v in of]
    means = {name: str(mean_of(of)) for name, of in by_set.items() if of}
    below = round(sum(v < 0 for v in rows) / len(rows), 2) if rows else None
    return {"mean": str(over), "sets": means, "runs below random": below}


def as_table(summary: Mapping[str, Any]) -> str:
    rows = [
        [
            way,
            told["to 200"]["mean"],
            told["to 200"]["runs below random"],
            told["to 600"]["mean"],
            " ".join(
                f"{statistics.median(of):.2f}" if of else "-" for of in told["ratio"].values()
            ),
        ]
        for way, told in summary.items()
    ]
    head = ["order", "accuracy - random, to 200", "below", "to 600", f"ratio to {GOAL:.0%} of full"]
    return table(head, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help=f"of {', '.join(SETS)}; separated by commas")
    parser.add_argument("--seeds", default="", help="of 0 to 4, separated by commas")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    given = parser.parse_args()
    sets = listed(given.only, list(SETS), "--only") or list(SETS)
    seeds = [int(s) for s in listed(given.seeds, [str(s) for s in SEEDS], "--seeds")] or SEEDS
    if not given.table:
        run_all(sets, seeds, CELLS)
    summary = summarise(read_cells(CELLS))
    write("order", {"orders": summary, "on": machine()}, as_table(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
