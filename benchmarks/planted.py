"""Are wrong labels read again first? Errors planted in a tenth of the labels, and who finds them.

    python -m benchmarks.planted [--only snips,banking77] [--seeds 5] [--quick]

Of 1,000 train rows of a set (all of a smaller one) every tenth gets another label: any other
(`any`), or the one that a frozen model likes second best (`near`, the hard case; its judge learned
from other rows). Found: the share of them in the first 15 % of rows, in the order in which sync
shows answers that the model disagrees with (lora/mislabelled.py), beside the same with what
confident learning counts as wrong put first, the model's chance of the label given alone, a model
that saw the labels, and a random order. Real errors of a set count as not planted, so a noisy set
looks worse than it is. Cells are kept in results/planted.jsonl: stop and start as you like.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.causal import add_cell, read_cells
from benchmarks.data import Split, as_examples, draw, load_split
from benchmarks.report import RESULTS, machine, table, write
from label_config.values import Choice, Example
from lora.base import load_base
from lora.crossfit import CrossFit, Embedder, crossfit
from lora.mislabelled import doubts, weigh
from lora.start import FROZEN_STRENGTH, Floats, logistic

CELLS = RESULTS / "planted.jsonl"
SETS = ("snips", "banking77", "cuad_clauses", "mts_notes", "purchase_card", "sms_spam")
ROWS, PLANTED, FIRST = 1000, 0.1, 0.15
KINDS = ("any", "near")
ORDERS = ("ours", "sure first", "chance", "seen", "random")


def run(embed: Embedder, split: Split, kind: str, seed: int, rows: int = ROWS) -> dict[str, Any]:
    """One cell: the share of planted errors in the first 15 % of each order."""
    taken, pool = draw(split, min(rows, len(split.train)), seed)
    examples = as_examples(taken, "train")
    planted = plant(embed, split, examples, kind, seed)
    wrong = {e.id for e, p in zip(examples, planted, strict=True) if e.answers != p.answers}
    began = time.monotonic()
    found = doubts(embed, split.schema, planted, pool, seed)
    seconds = time.monotonic() - began
    ours = [d.row for d in found]
    sure = [d.row for d in sorted(found, key=lambda d: not d.sure)]
    orders = {"ours": ours, "sure first": sure, **others(embed, split, planted, pool, seed)}
    first = round(FIRST * len(planted))
    hits = {name: len(wrong & set(order[:first])) / len(wrong) for name, order in orders.items()}
    sizes = {"rows": len(planted), "planted": len(wrong), "doubted": len(ours)}
    return {"found": hits, **sizes, "seconds": round(seconds, 1)}


def plant(
    embed: Embedder, split: Split, examples: Sequence[Example], kind: str, seed: int
) -> list[Example]:
    """The examples with another label in a tenth of them."""
    rng = random.Random(f"{seed}:planted")
    chosen = set(rng.sample([e.id for e in examples], round(PLANTED * len(examples))))
    likes = crossfit(embed, split.schema, examples, (), seed).out_of_fold if kind == "near" else {}
    made: list[Example] = []
    for e in examples:
        if e.id in chosen:
            own = label_of(e)
            rest = [x for x in split.labels if x != own]
            if kind == "near":
                odds = likes[e.id]["label"]
                other = max(rest, key=lambda x: odds[x])
            else:
                other = rng.choice(rest)
            e = replace(e, answers=(Choice("label", "text", (other,)), *e.answers[1:]))
        made.append(e)
    return made


def label_of(example: Example) -> str:
    answer = example.answers[0]
    assert isinstance(answer, Choice)
    return answer.labels[0]


def others(
    embed: Embedder,
    split: Split,
    examples: Sequence[Example],
    pool: Sequence[Mapping[str, str]],
    seed: int,
) -> dict[str, list[str]]:
    """Row ids in the order of each baseline."""
    fitted: CrossFit = crossfit(embed, split.schema, examples, pool, seed)
    odds = fitted.out_of_fold
    table_ = np.array([[odds[e.id]["label"][x] for x in split.labels] for e in examples])
    given = np.array([split.labels.index(label_of(e)) for e in examples], dtype=np.int64)
    points = embed([e.texts["text"] for e in examples])
    classes, rows, level = logistic(points, given, np.ones(len(given)), FROZEN_STRENGTH)
    logits: Floats = np.full((len(given), len(split.labels)), -30.0)
    logits[:, classes] = points @ rows.T + level
    logits -= logits.max(axis=1, keepdims=True)
    seen = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ids = [e.id for e in examples]
    shuffled = ids.copy()
    random.Random(f"{seed}:random").shuffle(shuffled)
    return {
        "chance": _by(ids, table_[np.arange(len(given)), given]),
        "seen": _by(ids, weigh(seen, given)[1]),
        "random": shuffled,
    }


def _by(ids: Sequence[str], values: Floats) -> list[str]:
    return [ids[i] for i in np.argsort(values, kind="stable")]


def summarise(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By set and kind: the mean and the least over seeds of each order."""
    lines: list[dict[str, Any]] = []
    for name in SETS:
        for kind in KINDS:
            own = [c for c in cells if (c["set"], c["kind"]) == (name, kind)]
            if own:
                found = {order: statistics.mean(c["found"][order] for c in own) for order in ORDERS}
                least = min(c["found"]["ours"] for c in own)
                facts = {"set": name, "kind": kind, "seeds": len(own), "least": least}
                lines.append(facts | {"rows": own[0]["rows"], **found})
    return lines


def as_table(lines: Sequence[Mapping[str, Any]]) -> str:
    head = ["set", "rows", "planted as", "seeds", "ours (worst seed)", *ORDERS[1:]]
    body = [
        [
            line["set"],
            f"{line['rows']:,}",
            line["kind"],
            line["seeds"],
            f"**{line['ours']:.3f}** ({line['least']:.3f})",
            *(f"{line[order]:.3f}" for order in ORDERS[1:]),
        ]
        for line in lines
    ]
    return table(head, body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="data sets, separated by commas")
    parser.add_argument("--seeds", type=int, default=5, help="draws of rows and of errors")
    parser.add_argument("--quick", action="store_true", help="one small cell, not written")
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = load_base("minilm", threads=1)
    if given.quick:
        print(run(Embedder(base), load_split("snips"), "any", 0, rows=200))
        return
    wanted = [n for n in given.only.split(",") if n] or list(SETS)
    there = {(c["set"], c["kind"], c["seed"]) for c in read_cells(CELLS)}
    for name in wanted:
        split, embed = load_split(name), Embedder(base)  # one's texts are encoded once
        for seed in range(given.seeds):
            for kind in KINDS:
                if (name, kind, seed) not in there:
                    cell = run(embed, split, kind, seed)
                    add_cell(CELLS, {"set": name, "kind": kind, "seed": seed, **cell})
                    print(name, kind, seed, cell, flush=True)
    lines = summarise(read_cells(CELLS))
    write("planted", {"table": lines, "on": machine()}, as_table(lines))


if __name__ == "__main__":
    main()
