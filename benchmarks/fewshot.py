"""How good few labels make us: ours beside a frozen and a SetFit-style baseline, cell by cell.

    python -m benchmarks.fewshot [--only snips,banking77] [--methods ours,frozen] [--quick]

Every cell (data set, labels, seed, method) is written to results/fewshot.jsonl as soon as it is
done and is not run again: stop and start as you like. All settings are the program's defaults, the
same for every data set; nothing is chosen on a test file. Labels are random draws (not class-
balanced), except banking77's published 5 and 10 a class. Pool: other train texts without their
labels, as a project's unlabelled tasks; ours is also run without it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import baselines
from benchmarks.data import Split, as_examples, draw, load_split
from benchmarks.report import RESULTS, machine, table, write
from lora.base import Base, load_base
from lora.fit import fit, write_adapter
from lora.judge import judge
from lora.loaded import load_cold, open_folder, ready
from lora.network import Network
from lora.pseudo import MANY_ANSWERS
from lora.recipe import FIT
from settings import Train

CELLS = RESULTS / "fewshot.jsonl"
SINCE = 4  # the fit that trainings of few answers are of


@dataclass(frozen=True)
class Task:
    """One line of the table. `n` = 0: all rows of the train file; `seeds`: draws (or fits)."""

    name: str
    data: str
    n: int
    seeds: int
    train: str = "train"
    setfit_seeds: int = 3

    def split(self) -> Split:
        return load_split(self.data, self.train)


TASKS = (
    Task("snips 100", "snips", 100, 5),
    Task("banking77 5-shot", "banking77", 0, 3, "train_5shot", 1),
    Task("banking77 10-shot", "banking77", 0, 3, "train_10shot", 1),
    Task("wnut17 400", "wnut17", 400, 3, setfit_seeds=0),
    Task("cuad_clauses 100", "cuad_clauses", 100, 3, setfit_seeds=1),
    Task("mts_notes 100", "mts_notes", 100, 3, setfit_seeds=1),
    Task("purchase_card 100", "purchase_card", 100, 3, setfit_seeds=1),
    Task("sms_spam 100", "sms_spam", 100, 3, setfit_seeds=1),
)


def cells(task: Task) -> Iterator[tuple[str, int]]:
    """The methods and seeds of a task."""
    yield "cold", 0
    for seed in range(task.seeds):
        yield "ours", seed
        if task.data != "wnut17":
            yield "ours, no pool", seed
            yield "frozen", seed
    for seed in range(task.setfit_seeds):
        yield "setfit", seed


def run(base: Base, task: Task, method: str, seed: int) -> dict[str, Any]:
    """One cell: scores by control on the whole test file, and what it took."""
    split = task.split()
    taken, pool = draw(split, task.n, seed)
    if task.n == 0:  # a published draw: the pool is the rest of the full train file
        mine = {r["text"] for r in taken}
        rest, pool = draw(load_split(task.data), 0, seed)
        pool = [{"text": r["text"]} for r in rest if r["text"] not in mine][:1500]
    began = time.monotonic()
    notes: list[str] = []
    if method in {"cold", "ours", "ours, no pool"}:
        scores = _ours(base, split, taken, [] if "no pool" in method else pool, method, seed, notes)
    else:
        scores = _baseline(base, split, taken, method, seed, notes)
    facts = {"train": len(taken), "test": len(split.test), "dropped": split.dropped}
    return {
        "scores": scores,
        **facts,
        "seconds": round(time.monotonic() - began, 1),
        "notes": notes,
    }


def _ours(
    base: Base,
    split: Split,
    taken: Sequence[Mapping[str, Any]],
    pool: Sequence[Mapping[str, str]],
    method: str,
    seed: int,
    notes: list[str],
) -> dict[str, Any]:
    schema, test = split.schema, as_examples(split.test, "holdout")
    if method == "cold":
        loaded = load_cold(base, schema, pool)
    else:
        fitted = fit(base, schema, as_examples(taken, "train"), pool, Train(seed=seed))
        notes += fitted.notes
        with tempfile.TemporaryDirectory() as folder:
            write_adapter(Path(folder), fitted)
            loaded = ready(base, open_folder(base, Path(folder), "bench", schema.digest), schema)
    found: dict[str, Any] = judge(Network(base), loaded, test)["controls"]
    return found


def _baseline(
    base: Base,
    split: Split,
    taken: Sequence[Mapping[str, Any]],
    method: str,
    seed: int,
    notes: list[str],
) -> dict[str, Any]:
    texts, labels = [r["text"] for r in taken], [r["label"] for r in taken]
    test = [r["text"] for r in split.test]
    if method == "frozen":
        got = baselines.frozen(base, texts, labels, test)
    else:
        got, steps = baselines.setfit(base, texts, labels, test, seed)
        notes.append(f"{steps} steps")
    right = sum(a == r["label"] for a, r in zip(got, split.test, strict=True))
    return {"label": {"metric": "accuracy", "value": right / len(got), "n": len(got)}}


def done() -> dict[tuple[str, str, int], dict[str, Any]]:
    """The finished cells of this fit; one of an older fit counts where that did the same."""
    if not CELLS.exists():
        return {}
    rows = [json.loads(line) for line in CELLS.read_text(encoding="utf-8").splitlines()]
    return {
        (r["task"], r["method"], r["seed"]): r
        for r in rows
        if r["fit"] == FIT or r["method"] in {"frozen", "setfit"} or _as_before(r)
    }


def _as_before(cell: Mapping[str, Any]) -> bool:
    """Whether today's fit does what the cell's did. Since fit 4 only trainings of more than 400
    answers have changed (fit 5: no pool at seven a label; fit 6: pulled back), and the order in
    which floats of the spans' loss are added."""
    return bool(cell["fit"] >= SINCE and cell["train"] <= MANY_ANSWERS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="data sets, separated by commas")
    parser.add_argument("--methods", default="", help=f"of {', '.join(METHODS)}")
    parser.add_argument("--quick", action="store_true", help="one cell of each kind, not written")
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = load_base("minilm", threads=1)
    wanted, methods = (
        {name for name in words.split(",") if name} for words in (given.only, given.methods)
    )
    tasks = [t for t in TASKS if not wanted or t.data in wanted]
    if given.quick:
        print(run(base, Task("quick", "snips", 30, 1), "ours", 0))
        return
    for task in tasks:
        for method, seed in cells(task):
            if (task.name, method, seed) in done() or methods and method not in methods:
                continue
            cell = {"task": task.name, "method": method, "seed": seed, "fit": FIT}
            cell.update(run(base, task, method, seed))
            with CELLS.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(cell, sort_keys=True) + "\n")
            print(task.name, method, seed, cell["scores"], f"{cell['seconds']} s", flush=True)
    summary = summarise(done())
    write("fewshot", {"fit": FIT, "table": summary, "on": machine()}, as_table(summary))


def summarise(found: Mapping[tuple[str, str, int], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean, standard deviation and each seed's value, by task, control and method."""
    lines: list[dict[str, Any]] = []
    for task in TASKS:
        for control in ("label", "spans"):
            methods: dict[str, list[float]] = {}
            for (name, method, _), cell in sorted(found.items()):
                score = cell["scores"].get(control)
                if name == task.name and score and score["n"]:
                    methods.setdefault(method, []).append(score["value"])
            if methods:
                lines.append({"task": task.name, "control": control, "values": methods})
    return lines


METHODS = ("cold", "frozen", "setfit", "ours, no pool", "ours")


def as_table(lines: Sequence[Mapping[str, Any]]) -> str:
    """One line a task: accuracy of `label`, exact span F1 of `spans`; mean ± sd (seeds)."""
    rows = [
        [line["task"], line["control"], *(_cell(line["values"].get(m)) for m in METHODS)]
        for line in lines
    ]
    return table(["task", "control", *METHODS], rows)


def _cell(values: Sequence[float] | None) -> str:
    if not values:
        return ""
    held = torch.tensor(values, dtype=torch.float64)
    spread = f" ± {float(held.std()):.3f}" if len(values) > 1 else ""
    return f"{float(held.mean()):.3f}{spread} ({len(values)})"


if __name__ == "__main__":
    main()
