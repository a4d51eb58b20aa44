"""What the finished cells of `causal.py` say, as numbers and as Markdown; blank where none is."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.causal_sets import SETS
from benchmarks.report import table

Cell = Mapping[str, Any]
Cells = Mapping[tuple[str, int, int, str], Cell]
METRICS = {"choice": ("accuracy",), "spans": ("f1",), "text": ("exact", "chrf")}
ANSWERING = ("encoder", "causal")
TOLD = (*ANSWERING, "asked", "copy")


def summarise(found: Cells) -> dict[str, list[dict[str, Any]]]:
    """The lines of each table; `values`: by method, and there by seed."""
    return {
        "quality": _quality(found),
        "decoding": [{"set": s, "n": n, "seed": seed, **cell["scores"]}
                     for (s, n, seed, method), cell in found.items() if method == "decoding"],
        "scoring": [{"set": s, "rows": cell["test"], **cell["scores"]}
                    for (s, _, _, method), cell in found.items() if method == "naive"],
        "four_bits": _four_bits(found),
        "seconds": _seconds(found),
    }  # fmt: skip


def _quality(found: Cells) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for s in SETS:
        for metric in METRICS[s.form]:
            for n in sorted({0, 100, *s.more}):
                values = {m: _by_seed(found, s.name, n, m, metric) for m in TOLD}
                if any(values.values()):
                    lines.append({"set": s.name, "metric": metric, "n": n, "values": values})
    return lines


def _by_seed(found: Cells, name: str, n: int, method: str, metric: str) -> dict[str, float]:
    return {
        str(key[2]): cell["scores"][metric]
        for key, cell in sorted(found.items())
        if (key[0], key[1], key[3]) == (name, n, method)
    }


def _four_bits(found: Cells) -> list[dict[str, Any]]:
    """4 bits beside the same training in full, where both are there."""
    lines: list[dict[str, Any]] = []
    for name, n in sorted({key[:2] for key in found if key[3] == "nf4"}):
        for method in ("causal", "nf4", "nf4 on bf16"):
            cells = [c for k, c in sorted(found.items()) if (*k[:2], k[3]) == (name, n, method)]
            if cells:
                lines.append({
                    "set": name, "n": n, "method": method,
                    "accuracy": {str(c["seed"]): c["scores"]["accuracy"] for c in cells},
                    "weights_mb": cells[0]["weights_mb"],
                    "peak_mb": [c["peak_mb"] for c in cells],
                    "before_mb": [c["before_mb"] for c in cells],
                    "fit_s": [c["cpu_s"]["fit"] for c in cells],
                })  # fmt: skip
    return lines


def _seconds(found: Cells) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for s in SETS:
        for n in sorted({0, 100, *s.more}):
            for method in ANSWERING:
                laps = [c["cpu_s"] for k, c in found.items()
                        if (k[0], k[1], k[3]) == (s.name, n, method)]  # fmt: skip
                if laps:
                    middle = {lap: round(statistics.median(c.get(lap, 0.0) for c in laps), 1)
                              for lap in ("fit", "ready", "answer")}  # fmt: skip
                    lines.append({"set": s.name, "n": n, "method": method, **middle})
    return lines


def as_table(made: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """All tables that have a line."""
    quality = [
        [q["set"], q["metric"], q["n"], *(_spread(q["values"][m]) for m in TOLD),
         _gain(q["values"])]
        for q in made["quality"]
    ]  # fmt: skip
    decoding = [
        [d["set"], d["n"], way, *(d[way][k] for k in ("valid", "cut", "f1", "s_a_text"))]
        for d in made["decoding"]
        for way in ("constrained", "free")
    ]
    scoring = [
        [s["set"], s["labels"], s["rows"], s["same"], *(s["accuracy"][w] for w in _SCORED),
         *(s["s_a_text"][w] for w in ("tree", "naive"))]
        for s in made["scoring"]
    ]  # fmt: skip
    bits = [
        [f["set"], f["n"], _BITS[f["method"]], _spread(f["accuracy"]), f["weights_mb"],
         max(f["before_mb"]), max(f["peak_mb"]), statistics.median(f["fit_s"])]
        for f in made["four_bits"]
    ]  # fmt: skip
    seconds = [
        [x["set"], x["n"], x["method"], x["fit"], x["ready"], x["answer"]] for x in made["seconds"]
    ]
    heads: list[tuple[list[str], list[list[object]]]] = [
        (["set", "metric", "examples", *ANSWERING, *_BESIDE], quality),
        (["set", "examples", "decoding", "valid", "cut", "F1", "CPU s a text"], decoding),
        (
            ["set", "labels", "rows", "same answer", *_SCORED, "tree, CPU s a text", "naive"],
            scoring,
        ),
        (
            [
                "set",
                "examples",
                "weights",
                "accuracy",
                "MB",
                "peak MB before it",
                "after the fit",
                "fit, s",
            ],
            bits,
        ),
        (["set", "examples", "base", "fit, CPU s", "made ready", "answers"], seconds),
    ]
    return "\n\n".join(table(head, rows) for head, rows in heads if rows)


_BESIDE = ("causal, as asked", "the text itself", "causal - encoder")
_SCORED = ("tree", "naive", "calibrated")
_BITS = {"causal": "bf16", "nf4": "NF4", "nf4 on bf16": "trained in NF4, served in bf16"}


def _spread(by_seed: Mapping[str, float]) -> str:
    """Mean, standard deviation, and how many seeds are in it."""
    values = list(by_seed.values())
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{spread} ({len(values)})"


def _gain(values: Mapping[str, Mapping[str, float]]) -> str:
    """How much better the causal base is, over the seeds that both have; below 0 it is worse."""
    encoder, causal = (values[m] for m in ANSWERING)
    both = [causal[seed] - encoder[seed] for seed in causal if seed in encoder]
    return f"{statistics.fmean(both):+.3f}" if both else ""
