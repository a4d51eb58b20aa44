"""What the finished cells of `augment.py` say, as numbers and as Markdown; blank where none is."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from augment.guard.guard import FILTERS
from benchmarks.augment_sets import (
    ABLATIONS,
    CLOSER,
    EXAMPLES,
    FIRST,
    MODES,
    MORE,
    RATIO,
    RATIOS,
    SETS,
    WRITTEN,
    Key,
)
from benchmarks.intervals import Mean, clustered, mean_of, paired
from benchmarks.report import table

Cell = Mapping[str, Any]
Cells = Mapping[Key, Cell]
Line = dict[str, Any]

CHOICE = "choice"
COMPARED = (
    ("pool", "none"),
    ("noise", "none"),
    ("substitute", "none"),
    ("generate", "none"),
    ("rewrite", "none"),
    ("all", "pool"),
    ("all", "uniform"),
    ("all", "none"),
    (CHOICE, "pool"),
    (CHOICE, "none"),
)
LAPS = ("make", "guard", "fit", "answer")
ALL_SETS = "mean over sets"


def summarise(found: Cells) -> dict[str, list[Line]]:
    """The lines of each table."""
    return {
        "quality": list(_quality(found)),
        "gains": list(_gains(found)),
        "choices": list(_choices(found)),
        "ratios": list(_ratios(found)),
        "ablations": list(_ablations(found)),
        "funnel": list(_funnel(found)),
        "judge": list(_judge(found)),
        "seconds": list(_seconds(found)),
    }


def score(cell: Cell) -> float:
    """On the test rows."""
    (value,) = cell["scores"].values()
    return float(value)


def _blind(cell: Cell) -> float:
    (value,) = cell["blind"].values()
    return float(value)


def chosen(found: Cells, name: str) -> dict[int, str]:
    """By seed, what the loop would serve: the challenger where it is better on the blind rows than
    what learned from the human rows and the pool; both must be there."""
    human, challenger = (_cells(found, name, mode) for mode in ("pool", "all"))
    return {
        seed: "all" if _blind(challenger[seed]) > _blind(human[seed]) else "pool"
        for seed in sorted(human.keys() & challenger.keys())
    }


def _cells(
    found: Cells, name: str, mode: str, ratio: float | None = None, n: int = EXAMPLES
) -> dict[int, Cell]:
    """By seed."""
    if ratio is None:
        ratio = RATIO if MODES[mode].sources else 0.0
    return {
        key[2]: cell
        for key, cell in sorted(found.items())
        if (key[0], key[1], key[3], key[4]) == (name, n, mode, ratio)
    }


def values(found: Cells, name: str, mode: str) -> dict[int, float]:
    """By seed, the scores of a mode at the usual ratio, or of the loop's choice."""
    if mode != CHOICE:
        return {seed: score(cell) for seed, cell in _cells(found, name, mode).items()}
    picked = chosen(found, name)
    return {seed: score(_cells(found, name, of)[seed]) for seed, of in picked.items()}


def _quality(found: Cells) -> Iterator[Line]:
    for s in SETS:
        for mode in (*(m.name for m in (*FIRST, *WRITTEN)), CHOICE):
            by_seed = values(found, s.name, mode)
            if by_seed:
                yield {
                    "set": s.name,
                    "mode": mode,
                    "values": {str(k): v for k, v in by_seed.items()},
                }


def _named(by_seed: Mapping[int, float]) -> dict[str, float]:
    """As JSON can hold it."""
    return {str(seed): value for seed, value in by_seed.items()}


def _gains(found: Cells) -> Iterator[Line]:
    for mode, than in COMPARED:
        by_set = {
            s.name: paired(values(found, s.name, mode), values(found, s.name, than)) for s in SETS
        }
        for name, differences in by_set.items():
            if gain := mean_of(differences):
                yield {"mode": mode, "than": than, "set": name, "gain": asdict(gain)}
        if gain := clustered(by_set):
            yield {"mode": mode, "than": than, "set": ALL_SETS, "gain": asdict(gain)}


def _choices(found: Cells) -> Iterator[Line]:
    for s in SETS:
        if picked := chosen(found, s.name):
            first = _cells(found, s.name, "all")[min(picked)]
            count = Counter(picked.values())
            yield {"set": s.name, "seeds": len(picked), "blind_rows": first["blind_rows"],
                   "challenger": count["all"], "human": count["pool"]}  # fmt: skip


def _ratios(found: Cells) -> Iterator[Line]:
    for name in CLOSER:
        for n in (EXAMPLES, MORE):
            base = {k: score(c) for k, c in _cells(found, name, "pool", 0.0, n).items()}
            for ratio in sorted({0.0, RATIO, *RATIOS}):
                mode = "all" if ratio else "pool"
                cells = _cells(found, name, mode, ratio, n)
                if not cells:
                    continue
                by_seed = {k: score(c) for k, c in cells.items()}
                gain = mean_of(paired(by_seed, base)) if ratio else None
                kept = [c["kept"] for c in cells.values()] if ratio else [0]
                policy = [c["policy"]["ratio"] for c in cells.values()] if ratio else []
                yield {"set": name, "n": n, "ratio": ratio,
                       "values": _named(by_seed),
                       "gain": asdict(gain) if gain else None,
                       "kept": statistics.fmean(kept),
                       "policy": statistics.fmean(policy) if policy else None}  # fmt: skip


def _ablations(found: Cells) -> Iterator[Line]:
    """Each filter's removal less all filters: below zero it cost something."""
    for mode in ABLATIONS:
        by_set = {
            name: paired(values(found, name, mode.name), values(found, name, "all"))
            for name in CLOSER
        }
        for name, differences in by_set.items():
            if gain := mean_of(differences):
                cells = _cells(found, name, mode.name)
                all_kept = [c["kept"] for k, c in _cells(found, name, "all").items() if k in cells]
                more = statistics.fmean(c["kept"] for c in cells.values())
                yield {"mode": mode.name, "set": name, "gain": asdict(gain),
                       "more_kept": more - statistics.fmean(all_kept)}  # fmt: skip


def _funnel(found: Cells) -> Iterator[Line]:
    """Means over seeds."""
    for s in SETS:
        for mode in ("noise", "substitute", "generate", "rewrite", "all", "uniform"):
            cells = list(_cells(found, s.name, mode).values())
            if cells:
                refused = Counter({f: 0 for f in FILTERS})
                for c in cells:
                    refused.update(c["refused"])
                refused = +refused
                yield {"set": s.name, "mode": mode, "seeds": len(cells),
                       **{k: statistics.fmean(c[k] for c in cells)
                          for k in ("planned", "made", "kept")},
                       "refused": {k: v / len(cells) for k, v in refused.items()}}  # fmt: skip


def _judge(found: Cells) -> Iterator[Line]:
    for s in SETS:
        cells = _cells(found, s.name, "judge")
        said = {seed: c["scores"] for seed, c in cells.items()}
        whats = sorted({what for one in said.values() for what in one})
        if not said:
            continue
        kept = {seed: one["kept"] for seed, one in said.items() if "kept" in one}
        less = mean_of(paired(kept, {seed: one["test"] for seed, one in said.items()}))
        yield {"set": s.name, "seeds": len(said),
               "agrees": {w: statistics.fmean(one[w] for one in said.values() if w in one)
                          for w in whats},
               "less": asdict(less) if less else None}  # fmt: skip


def _seconds(found: Cells) -> Iterator[Line]:
    for s in SETS:
        for mode in (*FIRST, *WRITTEN):
            laps = [c["cpu_s"] for c in _cells(found, s.name, mode.name).values()]
            timed = {lap: [x[lap] for x in laps if lap in x] for lap in LAPS}
            if laps:
                middle = {lap: round(statistics.median(v), 1) for lap, v in timed.items() if v}
                yield {"set": s.name, "mode": mode.name, **middle}


def as_table(made: Mapping[str, Sequence[Line]]) -> str:
    """All tables that have a line."""
    shown = [m.name for m in (*FIRST, *WRITTEN)] + [CHOICE]
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
        (["set", "seeds", "blind rows", "challenger chosen", "human-only chosen"],
         [[c["set"], c["seeds"], c["blind_rows"], c["challenger"], c["human"]]
          for c in made["choices"]]),
        (["set", "examples", "ratio", "score", "less ratio 0", "kept", "policy's ratio"],
         [[r["set"], r["n"], f"{r['ratio']:g}", _spread(r["values"]), _told(r["gain"]),
           f"{r['kept']:.0f}", "" if r["policy"] is None else f"{r['policy']:.1f}"]
          for r in made["ratios"]]),
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
        (["set", "mode", *(f"{lap}, CPU s" for lap in LAPS)],
         [[x["set"], x["mode"], *(x.get(lap, "") for lap in LAPS)] for x in made["seconds"]]),
    ]  # fmt: skip
    return "\n\n".join(table(head, rows) for head, rows in heads if rows)


def _told(gain: Mapping[str, Any] | None) -> str:
    return str(Mean(**gain)) if gain else ""


def _share(agrees: Mapping[str, float], what: str) -> str:
    return f"{agrees[what]:.3f}" if what in agrees else ""


def _spread(by_seed: Mapping[str, float]) -> str:
    """Mean, standard deviation, and how many seeds are in it."""
    held = list(by_seed.values())
    spread = f" ± {statistics.stdev(held):.3f}" if len(held) > 1 else ""
    return f"{statistics.fmean(held):.3f}{spread} ({len(held)})"
