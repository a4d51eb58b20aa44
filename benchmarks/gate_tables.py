"""Shares of verdicts with their bound, and the tables of `gate.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scipy.stats import beta  # type: ignore[import-untyped]

from benchmarks.report import table

LEVEL = 0.95
GROWTH = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)  # new answers, as a share of those known
ROUND = ("level", "candidate", "challenger")
Line = dict[str, Any]


def at_most(hits: int, tries: int) -> float:
    """The upper end of Clopper and Pearson's interval of a share."""
    return 1.0 if hits == tries else float(beta.ppf((1 + LEVEL) / 2, hits + 1, tries - hits))


def at_least(hits: int, tries: int) -> float:
    """The lower end of it."""
    return 0.0 if not hits else float(beta.ppf((1 - LEVEL) / 2, hits, tries - hits + 1))


def share(promoted: Iterable[bool], **what: Any) -> Line:
    seen = list(promoted)
    hits = sum(seen)
    found = {"promoted": hits / len(seen), "at_most": at_most(hits, len(seen))}
    return {**what, "verdicts": len(seen), **found}


def as_tables(found: dict[str, Any]) -> str:
    """All of it for people."""
    parts = [
        ("A/A", ("answers", "rows", "discordant", "verdicts", "promoted", "at_most")),
        ("again", ("retrainings", "rows", "discordant", "verdicts", "promoted", "at_most")),
        ("rounds", ("answers", "rows", *ROUND, "verdicts", "promoted", "at_least", "at_most")),
        ("power", ("rows", "apart", "level", "verdicts", "promoted")),
        ("demo", ("demo", "rule", "promotions", "two", "early", "served", "worse")),
    ]
    made = [table(h, [[_cell(line[c]) for c in h] for line in found[name]]) for name, h in parts]
    head = ["rows", "truly", *(f"+{100 * g:.0f} %" for g in GROWTH)]
    cells = {(x["rows"], x["apart"], x["growth"]): x["promoted"] for x in found["learned"]}
    keys = dict.fromkeys((x["rows"], x["apart"]) for x in found["learned"])
    lines = [[str(n), f"{100 * a:+.0f}", *(_cell(cells[n, a, g]) for g in GROWTH)] for n, a in keys]
    return "\n\n".join([*made, table(head, lines)])


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)
