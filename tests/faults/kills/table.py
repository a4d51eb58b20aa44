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
RETRY_S = 60.0  # from a trainer's death until somebody trains again
Row = Mapping[str, Any]


def tables(lines: Iterable[str]) -> str:
    """How many kills, of whom, at which moment, what broke, and how long until all held."""
    every = [judged(json.loads(line)) for line in lines]
    kills = [row for row in every if "seed" in row and row["died"]]
    said = [_summary(kills, [row for row in every if "rest_after" in row])]
    said += [_by_victim(kills), _by_moment(kills)]
    broken = [(row, what, how) for row in kills for what, how in row["broken"].items()]
    told = [
        f"- seed {r['seed']} ({r['studio']}): {what}: {how}{_again(r, kills)}"
        for r, what, how in broken
    ]
    return "\n\n".join([*said, "\n".join(told)]).strip()


def too_late(seconds: float) -> str:
    return f"after {seconds:.0f} s, not {RETRY_S:.0f}"


def judged(row: Row) -> Row:
    """With what is a breach by today's rules: the first lines were written when a training that was
    tried again after minutes still counted as held."""
    late = row.get("retried_s") or 0.0
    if late <= RETRY_S or not isinstance(row["broken"], dict):
        return row
    return {**row, "broken": {"it is tried again": too_late(late)} | row["broken"]}


def _again(row: Row, kills: Sequence[Row]) -> str:
    """What came of the same seed later, where it was run once more; each run is a kill."""
    place = next(n for n, kill in enumerate(kills) if kill is row)
    same = [
        k for k in kills[place + 1 :] if (k["seed"], k["studio"]) == (row["seed"], row["studio"])
    ]
    if not same:
        return ""
    held = "all held" if not same[-1]["broken"] else "it broke again"
    tried = same[-1].get("retried_s")
    return f" (run again: {held}{f', after {tried:.0f} s' if tried is not None else ''})"


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
