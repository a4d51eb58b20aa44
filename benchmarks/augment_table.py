"""What the finished cells of `augment.py` say, in numbers (augment_shown.py: as Markdown)."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from augment.guard.guard import FILTERS
from benchmarks.augment_choice import Served, Version, better, climbed, served
from benchmarks.augment_marks import share
from benchmarks.augment_sets import (
    ABLATIONS,
    CLOSER,
    EXAMPLES,
    FIRST,
    JUDGE,
    MODES,
    MORE,
    RATIO,
    RATIOS,
    SETS,
    WRITTEN,
    Key,
    weight,
)
from benchmarks.intervals import Mean, clustered, mean_of, paired

Cell = Mapping[str, Any]
Cells = Mapping[Key, Cell]
Line = dict[str, Any]

CHOICE, WITHOUT, BETTER = "choice", "loop without", "better on blind rows"
LOOPS = (WITHOUT, CHOICE, BETTER)
"""What is served by a rule: by the loop with no expansion, by the loop, by a bare comparison."""
COMPARED = (
    ("pool", "none"),
    ("noise", "none"),
    ("substitute", "none"),
    ("generate", "none"),
    ("rewrite", "none"),
    ("all", "pool"),
    ("all", "uniform"),
    ("all", "none"),
    (CHOICE, WITHOUT),
    (CHOICE, "pool"),
    (CHOICE, "none"),
    (BETTER, "pool"),
    (BETTER, "none"),
)
LAPS = ("make", "guard", "fit", "answer")
ALL_SETS = "mean over sets"
LEAST_REFUSED = 20  # candidates of a set, in all seeds together, of which a share says something


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
        "filters": list(_filters(found)),
        "seconds": list(_seconds(found)),
    }


def score(cell: Cell) -> float:
    """On the test rows."""
    (value,) = cell["scores"].values()
    return float(value)


def rounds(found: Cells, name: str) -> dict[int, Served]:
    """By seed, what the loop would serve, by its own gate; of seeds that have both versions."""
    human, challenger = (_cells(found, name, mode) for mode in ("pool", "all"))
    return {
        seed: served(human[seed], challenger[seed], EXAMPLES)
        for seed in sorted(human.keys() & challenger.keys())
    }


def _picked(found: Cells, name: str, rule: str) -> dict[int, Version]:
    """By seed, what a rule of LOOPS serves."""
    if rule == BETTER:
        human, challenger = (_cells(found, name, mode) for mode in ("pool", "all"))
        both = sorted(human.keys() & challenger.keys())
        return {seed: better(human[seed], challenger[seed]) for seed in both}
    by_seed = rounds(found, name).items()
    return {seed: r.choice if rule == CHOICE else r.without for seed, r in by_seed}


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
    """By seed, the scores of a mode at the usual ratio, or of what a rule of LOOPS serves."""
    if mode not in LOOPS:
        return {seed: score(cell) for seed, cell in _cells(found, name, mode).items()}
    return {
        seed: score(_version(found, name, of, seed))
        for seed, of in _picked(found, name, mode).items()
    }


def _version(found: Cells, name: str, of: Version, seed: int) -> Cell:
    """The cold start's numbers are beside those of the human-only version."""
    cell = _cells(found, name, "pool" if of == "cold" else of)[seed]
    beside: Cell = cell["cold"] if of == "cold" else cell
    return beside


def _quality(found: Cells) -> Iterator[Line]:
    for s in SETS:
        for mode in (*(m.name for m in (*FIRST, *WRITTEN)), *LOOPS):
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
        if told := rounds(found, s.name):
            first = _cells(found, s.name, "all")[min(told)]
            count = Counter(r.choice for r in told.values())
            yield {"set": s.name, "seeds": len(told), "blind_rows": first["blind_rows"],
                   "challenger": count["all"], "human": count["pool"], "cold": count["cold"],
                   "unchallenged": sum(not r.challenged for r in told.values()),
                   "better": Counter(_picked(found, s.name, BETTER).values())["all"],
                   "reasons": {str(seed): r.reason for seed, r in told.items()}}  # fmt: skip


def _ratios(found: Cells) -> Iterator[Line]:
    for name in CLOSER:
        for n in (EXAMPLES, MORE):
            human = _cells(found, name, "pool", 0.0, n)
            if human:
                by_seed = {seed: score(cell) for seed, cell in human.items()}
                yield {"set": name, "n": n, "ratio": 0.0, "values": _named(by_seed)}
            for ratio in sorted({RATIO, *RATIOS}):
                if cells := _cells(found, name, "all", ratio, n):
                    yield {"set": name, "n": n, "ratio": ratio, **_at_ratio(cells, human, n, ratio),
                           **_stops(found, name, n, ratio)}  # fmt: skip


def _at_ratio(
    cells: Mapping[int, Cell], human: Mapping[int, Cell], n: int, ratio: float
) -> dict[str, Any]:
    """`weight`: of all kept children together, beside the human rows' 1."""
    by_seed = {seed: score(cell) for seed, cell in cells.items()}
    gain = mean_of(paired(by_seed, {seed: score(cell) for seed, cell in human.items()}))
    kept = statistics.fmean(c["kept"] for c in cells.values())
    return {
        "values": _named(by_seed),
        "gain": asdict(gain) if gain else None,
        "kept": kept,
        "weight": weight(ratio) * kept / n,
        "policy": statistics.fmean(c["policy"]["ratio"] for c in cells.values()),
    }


def _stops(found: Cells, name: str, n: int, ratio: float) -> dict[str, Any]:
    """What each seed's blind rows say of the ratio, by the policy's own rule; nothing of seeds
    without a human-only version."""
    human = _cells(found, name, "pool", 0.0, n)
    upto = {r: _cells(found, name, "all", r, n) for r in {RATIO, *RATIOS} if r <= ratio}
    climbs = [
        climbed(human[seed], {r: cells[seed] for r, cells in upto.items() if seed in cells}, n)
        for seed in upto[ratio]
        if seed in human
    ]
    told = [climb[ratio] for climb in climbs]
    if not told:
        return {"climbs": 0}
    return {
        "climbs": len(told),
        "blind": statistics.fmean(c.gain.difference for c in told),
        "gainless": sum(not c.gain.real for c in told),
        "stopped": sum(c.stopped for c in told),
    }


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


def _filters(found: Cells) -> Iterator[Line]:
    """What each filter refused, in all seeds together: the share that carries its label, beside
    that of what was kept; last the mean over sets with at least LEAST_REFUSED such candidates."""
    for name in FILTERS:
        less: list[float] = []
        for s in SETS:
            cells = _cells(found, s.name, JUDGE.name).values()
            refused, kept, test = (
                _pooled([c["tallies"][what] for c in cells if what in c["tallies"]])
                for what in (f"refused, {name}", "kept", "test")
            )
            if refused is None or kept is None:
                continue
            rows = sum(c["rows"].get(f"refused, {name}", 0) for c in cells)
            if rows >= LEAST_REFUSED:
                less.append(refused - kept)
            apart = Mean(refused - kept, None, None, 1)
            yield {"filter": name, "set": s.name, "rows": rows, "refused": refused,
                   "kept": kept, "test": test, "less": asdict(apart)}  # fmt: skip
        if mean := mean_of(less):
            yield {"filter": name, "set": ALL_SETS, "less": asdict(mean)}


def _pooled(tallies: Sequence[Sequence[int]]) -> float | None:
    """The share of all together."""
    return share([sum(counts) for counts in zip(*tallies, strict=True)]) if tallies else None


def _seconds(found: Cells) -> Iterator[Line]:
    for s in SETS:
        for mode in (*FIRST, *WRITTEN):
            laps = [c["cpu_s"] for c in _cells(found, s.name, mode.name).values()]
            timed = {lap: [x[lap] for x in laps if lap in x] for lap in LAPS}
            if laps:
                middle = {lap: round(statistics.median(v), 1) for lap, v in timed.items() if v}
                yield {"set": s.name, "mode": mode.name, **middle}
