"""docs/how-it-decides.md has the figures of the code that decides."""

from __future__ import annotations

import re
from pathlib import Path

from lora.looks import NEAR, mcnemar
from settings import Blind, Gate, Train
from sync.budget import FRESH
from sync.gate import Learned

PAGE = (Path(__file__).parents[2] / "docs" / "how-it-decides.md").read_text()
KNOWN = 100


def wins(lost: int, allowed: float) -> int:
    """The fewest wins that are good enough beside so many losses."""
    return next(n for n in range(lost, 100) if mcnemar(n, lost) <= allowed + NEAR)


def test_the_gate_s_table_is_what_the_gate_allows() -> None:
    found = re.findall(r"^\| (\d+)[^|]*\| (\.\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.M)
    assert len(found) == 4
    for new, limit, *counts in found:
        allowed = Learned(KNOWN, int(new)).allowed(FRESH.own)
        assert f"{allowed:.3f}"[1:] == limit
        assert [wins(lost, allowed) for lost in (0, 2, 5)] == [int(n) for n in counts]


def test_the_defaults_it_names_are_the_defaults() -> None:
    blind, train, gate = Blind(), Train(), Gate()
    assert (blind.share, blind.first_in, blind.enough, blind.then_in) == (0.2, 3, 30, 6)
    assert (train.every, train.least, train.age_s) == (25, 10, 86_400)
    assert (gate.least_blind, gate.plateau) == (10, 4)
