"""The tables of `augment.py` as Markdown, of the numbers that augment_table.py makes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.augment_sets import FIRST, SETS, WRITTEN
from benchmarks.augment_table import ALL_SETS, BETTER, LAPS, LOOPS, Line
from benchmarks.intervals import Mean
from benchmarks.report import table

NO_JUDGE = "no label filter for spans (`consistent` passes all of them), and the aim is by rarity."


def as_table(made: Mapping[str, Sequence[Line]]) -> str:
    """All tables that have a line."""
    shown = [*(m.name for m in (*FIRST, *WRITTEN)), *LOOPS]
    by_set: dict[str, dict[str, str]] = {}
    for q in made["quality"]:
        by_set.setdefault(q["set"], {})[q["mode"]] = _spread(q["values"])
    quality = [[name, *(cells.get(m, "") for m in shown)] for name, cells in by_set.items()]
    gains: dict[str, dict[str, str]] = {}
    for g in made["gains"]:
        gains.setdefault(f"{g['mode']} - {g['than']}", {})[g["set"]] = _told(g["gain"])
    names = [*(s.name for s in SETS), ALL_SETS]
    heads: list[tuple[list[str], list[list[object]]]] = [
        (["set", *shown], [list(line) for line in quality]),
        (["difference", *names], [[k, *(v.get(n, "") for n in names)] for k, v in gains.items()]),
        (["set", "seeds", "blind rows", "served: challenger", "human-only", "cold start",
          "no challenger", BETTER],
         [[c[k] for k in ("set", "seeds", "blind_rows", "challenger", "human", "cold",
                          "unchallenged", "better")] for c in made["choices"]]),
        (["set", "examples", "ratio", "score", "less ratio 0", "kept",
          "weight of children beside people's", "policy's ratio", "gain on blind rows",
          "seeds without one", "stopped by then"], [_ratio(r) for r in made["ratios"]]),
        (["left out", "set", "less all filters", "kept more"],
         [[a["mode"], a["set"], _told(a["gain"]), f"{a['more_kept']:.1f}"]
          for a in made["ablations"]]),
        (["set", "mode", "seeds", "planned", "made", "kept", "refused by"],
         [[f["set"], f["mode"], f["seeds"], *(f"{f[k]:.1f}" for k in ("planned", "made", "kept")),
           ", ".join(f"{k} {v:.1f}" for k, v in f["refused"].items())] for f in made["funnel"]]),
        (["set", "seeds", "test rows", "made", "kept", "kept - test", "kept, by source"],
         [[j["set"], j["seeds"], *(_share(j["agrees"], k) for k in ("test", "made", "kept")),
           _told(j["less"]),
           ", ".join(f"{k[6:]} {v:.3f}" for k, v in j["agrees"].items() if k.startswith("kept, "))]
          for j in made["judge"]]),
        (["refused by", "set", "refused", "of these right", "of kept", "of test rows",
          "refused - kept"],
         [[f["filter"], f["set"], f.get("rows", ""),
           *(_share(f, k) for k in ("refused", "kept", "test")), _told(f["less"])]
          for f in made["filters"]]),
        (["set", "mode", *(f"{lap}, CPU s" for lap in LAPS)],
         [[x["set"], x["mode"], *(x.get(lap, "") for lap in LAPS)] for x in made["seconds"]]),
    ]  # fmt: skip
    tables = [table(head, rows) for head, rows in heads if rows]
    slots = [s.name for s in SETS if s.form == "spans"]
    told = {line["set"] for line in made["funnel"]}
    return "\n\n".join([*tables, *(f"{name}: {NO_JUDGE}" for name in slots if name in told)])


def _ratio(r: Line) -> list[object]:
    """A line of the curve; its first one has no children."""
    start = [r["set"], r["n"], f"{r['ratio']:g}", _spread(r["values"])]
    if not r["ratio"]:
        return [*start, "", 0, 0, *[""] * 4]
    own = [_told(r["gain"]), f"{r['kept']:.0f}", f"{r['weight']:.2f}", f"{r['policy']:.1f}"]
    if not r["climbs"]:
        return [*start, *own, *[""] * 3]
    of = [f"{r[k]} of {r['climbs']}" for k in ("gainless", "stopped")]
    return [*start, *own, f"{r['blind']:+.3f}", *of]


def _told(gain: Mapping[str, Any] | None) -> str:
    return str(Mean(**gain)) if gain else ""


def _share(agrees: Mapping[str, float], what: str) -> str:
    return f"{agrees[what]:.3f}" if what in agrees else ""


def _spread(by_seed: Mapping[str, float]) -> str:
    """Mean, standard deviation, and how many seeds are in it."""
    held = list(by_seed.values())
    spread = f" ± {statistics.stdev(held):.3f}" if len(held) > 1 else ""
    return f"{statistics.fmean(held):.3f}{spread} ({len(held)})"
