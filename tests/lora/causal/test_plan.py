"""Steps see every row equally often, and are cut to what fits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from lora.causal.ask import Ask
from lora.causal.plan import BATCH, MADE, count_steps, cut_step, plan_steps
from lora.causal.rows import TokenRow
from tests.lora.causal.rowed import schema

ASK = Ask(schema().controls[0], "", "")


def row(tokens: int) -> TokenRow:
    return TokenRow(tuple(range(tokens)), tokens - 1, "g", ASK, "")


def test_every_row_is_seen_equally_often() -> None:
    rows = [row(5 + n) for n in range(21)]
    steps = plan_steps(rows, 30, seed=0)
    seen = Counter(len(r.ids) for step in steps for r in step)
    assert all(len(step) == BATCH for step in steps)
    assert max(seen.values()) - min(seen.values()) <= 1


def test_the_seed_decides() -> None:
    rows = [row(5 + n) for n in range(21)]
    assert plan_steps(rows, 9, seed=1) == plan_steps(rows, 9, seed=1)
    assert plan_steps(rows, 9, seed=1) != plan_steps(rows, 9, seed=2)


def test_synthetic_rows_stand_beside_the_same_human_ones() -> None:
    rows = [row(5 + n) for n in range(21)]
    made = [replace(row(40 + n), made=True) for n in range(9)]
    alone, beside = (plan_steps(rows, 30, seed=0, made=some) for some in ([], made))
    assert [[r for r in step if not r.made] for step in beside] == [list(step) for step in alone]
    seen = Counter(len(r.ids) for step in beside for r in step if r.made)
    assert all(sum(r.made for r in step) == MADE for step in beside)
    assert len(seen) == 9 and max(seen.values()) - min(seen.values()) <= 1


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(ValueError, match="nothing to learn from"):
        plan_steps([], 9, seed=0)
    with pytest.raises(ValueError, match="nothing to learn from"):
        plan_steps([], 9, seed=0, made=[replace(row(9), made=True)])


def test_parts_hold_all_rows_within_the_tokens_or_one_row_alone() -> None:
    step = tuple(row(n) for n in (5, 40, 6, 7, 300, 8))
    parts = cut_step(step, 45)
    assert sorted(len(r.ids) for p in parts for r in p) == [5, 6, 7, 8, 40, 300]
    for part in parts:
        assert len(part) == 1 or len(part) * max(len(r.ids) for r in part) <= 45
    assert [len(p) for p in parts] == [4, 1, 1]


def test_more_rows_are_worth_more_steps() -> None:
    counts = [count_steps(n) for n in (1, 100, 1000, 100_000)]
    assert counts == sorted(counts) and counts[1] < counts[2] < counts[3]
