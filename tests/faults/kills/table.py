"""`python -m tests.faults.kills.table`: what the kills' file says, as the tables of
docs/reliability.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path("benchmarks/results/reliability.jsonl")
PAGE = Path("docs/reliability.md")
BEGIN, END = "<!-- kills: by make faults -->", "<!-- end of kills -->"
VICTIMS = {
    "backend": "backend",
    "sync": "sync",
    "worker": "worker",
    "trainer": "trainer",
    "job": "the job's process",
    "redis": "Redis, wiped",
    "everything": "all four services",
}
Row = Mapping[str, Any]


def tables(lines: Iterable[str]) -> str:
    """How many kills, of whom, at which moment, what broke, and how long until all held."""
    every = [json.loads(line) for line in lines]
    kills = [row for row in every if "seed" in row and row["died"]]
    said = [_summary(kills, [row for row in every if "rest_after" in row])]
    said += [_by_victim(kills), _by_moment(kills)]
    broken = [(row, what, how) for row in kills for what, how in row["broken"].items()]
    said += [f"- seed {r['seed']} ({r['studio']}): {what}: {how}" for r, what, how in broken]
    return "\n\n".join(said)


def write(results: Path = RESULTS, page: Path = PAGE) -> None:
    """Put them between the page's two marks; raises ValueError where it has none."""
    text = page.read_text(encoding="utf-8")
    head, found, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"{page} has no place for the kills: {BEGIN} ... {END}")
    made = tables(results.read_text(encoding="utf-8").splitlines())
    page.write_text(f"{head}{BEGIN}\n{made}\n{END}{tail}", encoding="utf-8")


def _summary(kills: Sequence[Row], rests: Sequence[Row]) -> str:
    by = {s: [r for r in kills if r["studio"] == s] for s in ("scripted", "real")}
    held = sum(not r["broken"] for r in kills)
    told = ", ".join(f"{len(rows)} beside a {s} Label Studio" for s, rows in by.items())
    calm = sum(not r["broken"] for r in rests)
    return (
        f"**{len(kills)} kills** ({told}): after {held} of them all held. {len(rests)} times the "
        f"house was looked at at rest, {calm} times all was as it should be."
    )


def _by_victim(kills: Sequence[Row]) -> str:
    head = "| victim | kills | the moment came | held | until all held again, s | "
    lines = [head + "until somebody trained again, s |", "|---|---|---|---|---|---|"]
    for victim, name in VICTIMS.items():
        rows = [r for r in kills if r["victim"] == victim]
        came, held = sum(r["came"] for r in rows), sum(not r["broken"] for r in rows)
        took = _spread([r["recovered_s"] for r in rows])
        tried = _spread([r["retried_s"] for r in rows if r["retried_s"] is not None])
        lines.append(f"| {name} | {len(rows)} | {came} | {held} | {took} | {tried} |")
    return "\n".join(lines)


def _by_moment(kills: Sequence[Row]) -> str:
    names = sorted({r["moment"] for r in kills if r["came"]})
    counts = {n: sum(r["came"] and r["moment"] == n for r in kills) for n in names}
    missed = sum(not r["came"] for r in kills)
    told = "; ".join(f"{name}: {n}" for name, n in counts.items())
    return (
        f"Moments (a kill comes up to 8 s later for a trainer, 1 s for others): {told}; "
        f"it did not come, killed all the same: {missed}."
    )


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "-"
    return f"{statistics.median(seconds):.0f} (at most {max(seconds):.0f}; n={len(seconds)})"


if __name__ == "__main__":
    write()
