"""Real A/A for `gate.py`: the same snapshot of SNIPS, fitted again with another seed.

Seed 0 serves; every further seed is fitted, judged and weighed as a round would be, on a whole
budget each. A fit is a process of its own, and its line is in results/gate-real.jsonl as soon as it
is done: stop and start as you like. Rows are of the train file only.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.causal import add_cell, read_cells
from benchmarks.data import as_examples, config, draw, load_split
from benchmarks.gate_tables import share
from benchmarks.report import RESULTS, table
from label_config.values import Snapshot
from lora.adapter import Manifest, Recipe
from lora.recipe import FIT
from lora.store import ProjectStore, Store
from settings import Settings, Train
from sync.children import run_child, trainer
from sync.gate import judge
from sync.weigh import learned, without_labels

LINES = RESULTS / "gate-real.jsonl"
PLACE = RESULTS / "cache" / "gate-real"
ANSWERS, BLIND, DRAWN = 120, 100, 7
LEAST = 10


def retrain(count: int, lines: Path = LINES, place: Path = PLACE) -> None:
    """Fit and weigh what is missing of `count` seeds, and print all of them."""
    settings = Settings(home=place, train=Train(threads=1))
    store = Store(settings.store).project("1")
    frozen = _snapshot()
    digest = store.put_snapshot(frozen)
    champion = _champion(settings, store, digest, frozen)
    there = {c["seed"] for c in read_cells(lines) if (c["fit"], c["snapshot"]) == (FIT, digest)}
    for seed in range(1, count + 1):
        if seed not in there:
            found = _weighed(settings, store, digest, frozen, champion, seed)
            add_cell(lines, {"fit": FIT, "snapshot": digest, "seed": seed, **found})
    cells = [c for c in read_cells(lines) if (c["fit"], c["snapshot"]) == (FIT, digest)]
    print(table(["seed", "apart", "p", "promoted"], [_line(c) for c in cells]))
    print(share([bool(c["promoted"]) for c in cells]))


def _line(cell: Mapping[str, Any]) -> list[str]:
    return [str(cell["seed"]), f"{cell['apart']:+.4f}", f"{cell['p']:.3f}", str(cell["promoted"])]


def _snapshot() -> Snapshot:
    split = load_split("snips")
    taken, pool = draw(split, ANSWERS + BLIND, DRAWN)
    train = as_examples(taken[:ANSWERS], "train")
    blind = as_examples(taken[ANSWERS:], "holdout")
    return Snapshot("1", config(split.labels, split.spans), (*train, *blind), tuple(pool))


def _champion(settings: Settings, store: ProjectStore, digest: str, frozen: Snapshot) -> Manifest:
    current = store.current().version
    found = next((m for m in store.versions() if m.version == current), None)
    if found and (found.recipe.snapshot, found.recipe.settings.get("fit", FIT)) == (digest, FIT):
        return found
    report, folder = _fitted(settings, store, digest, None, 0)
    scores = {who: without_labels(some) for who, some in report["scores"].items()}
    recipe = Recipe(**report["recipe"])
    made = store.commit(
        folder,
        recipe,
        schema=_schema(frozen),
        config=frozen.config,
        labels=int(report["labels"]),
        parent=None,
        scores=scores,
    )
    store.move_current(current, made.version, by="gate", why="seed 0 serves")
    return made


def _schema(frozen: Snapshot) -> str:
    from label_config.schema import read_schema

    return read_schema(frozen.config, urls=True).served_by("encoder").digest


def _weighed(
    settings: Settings,
    store: ProjectStore,
    digest: str,
    frozen: Snapshot,
    champion: Manifest,
    seed: int,
) -> dict[str, Any]:
    report, folder = _fitted(settings, store, digest, champion.version, seed)
    shutil.rmtree(folder, ignore_errors=True)
    groups = {e.id: e.group for e in frozen.examples}
    verdict = judge(report, groups, learned(store, frozen, champion), LEAST)
    look = verdict.numbers["looks"][-1]["look"]
    return {
        "promoted": verdict.promote,
        "reason": verdict.reason,
        "apart": look["value"],
        "p": look["p"],
        "rows": look["n"],
    }


def _fitted(
    settings: Settings, store: ProjectStore, digest: str, champion: str | None, seed: int
) -> tuple[dict[str, Any], Path]:
    own = replace(settings, train=replace(settings.train, seed=seed))
    folder = store.staging()
    report = folder.parent / f"{folder.name}.report.json"
    argv = trainer(own, own.store, store.name, digest, folder, champion)
    log = own.home / "logs" / f"seed-{seed}.log"
    found = run_child(argv, report, log, threads=1, timeout_s=own.queue.timeout_s)
    report.unlink(missing_ok=True)
    return found, folder
