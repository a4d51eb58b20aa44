"""The gate's benchmark draws what it says, counts what it saw, and bounds it rightly."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import gate, gate_real
from benchmarks.gate_rows import BLIND, ROUNDS, Alike, Pair, Texts, choices, demo
from benchmarks.gate_tables import as_tables, at_least, at_most, share
from label_config.values import Snapshot
from lora.errors import LoraError
from sync.budget import ERROR, SHARE, Stake
from sync.gate import judge


def test_the_bound_is_clopper_and_pearsons() -> None:
    assert at_most(0, 100) == pytest.approx(1 - 0.025 ** (1 / 100))
    assert at_most(100, 2000) == pytest.approx(0.0605, abs=0.0005)
    assert at_most(5, 5) == 1.0
    assert at_least(100, 100) == pytest.approx(0.025 ** (1 / 100))
    assert at_least(0, 5) == 0.0
    assert share([True, False, False, False], rows=4)["promoted"] == 0.25


def test_pairs_differ_by_what_they_should_on_as_many_rows() -> None:
    rng = np.random.default_rng(0)
    one, other = Pair(200_000, 0.05, 0.12).draw(rng)
    assert float(one.mean() - other.mean()) == pytest.approx(0.05, abs=0.003)
    assert float((one != other).mean()) == pytest.approx(0.12, abs=0.003)


def test_texts_are_answered_as_well_as_asked() -> None:
    texts = Texts(np.random.default_rng(1), 4000, slots=True)
    marks = texts.answered(0.9, 0.6).values()
    hits, wrong, missed = (sum(m["s"][i] for m in marks) for i in range(3))
    assert np.mean([m["c"][0] for m in marks]) == pytest.approx(0.9, abs=0.02)
    assert 2 * hits / (2 * hits + wrong + missed) == pytest.approx(0.6, abs=0.02)


def test_a_session_has_a_candidate_a_round_and_the_spoiled_ones_are_worse() -> None:
    _, good = demo(np.random.default_rng(2), slots=False)
    _, bad = demo(np.random.default_rng(2), slots=False, spoiled=(125, 0.2))
    assert len(good) == len(ROUNDS) == len(BLIND)
    lost = [a.true(False) - b.true(False) for a, b in zip(good, bad, strict=True)]
    assert lost == pytest.approx([0.0] * 4 + [0.2] * 4)


def test_what_is_alike_is_rarely_and_what_is_better_mostly_promoted() -> None:
    rng = np.random.default_rng(3)
    assert sum(gate.verdict(Pair(100, 0.0, 0.12), rng) for _ in range(60)) <= 6
    assert sum(gate.verdict(Pair(300, 0.1, 0.14), rng) for _ in range(20)) >= 18


def test_contestants_who_are_alike_are_as_often_right_alone_pair_by_pair() -> None:
    three = Alike(200_000, 0.12).draw(np.random.default_rng(4), 3)
    assert [float(one.mean()) for one in three] == pytest.approx([0.85] * 3, abs=0.003)
    apart = [float((a != b).mean()) for a, b in combinations(three, 2)]
    assert apart == pytest.approx([0.12] * 3, abs=0.003)


def test_a_rounds_looks_take_its_level_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The challenger gets in after a candidate that did, and beside a champion that stayed."""
    rng = np.random.default_rng(5)
    right, cold = np.full(100, True), choices(rng.random(100) < 0.5)
    poor, middling = right.copy(), right.copy()
    poor[:40], middling[:20] = False, False
    ladder = [choices(some) for some in (poor, middling, right)]
    stakes: list[Stake] = []

    def notes(*given: Any, **how: Any) -> Any:
        stakes.append(given[4])
        return judge(*given, **how)

    monkeypatch.setattr(gate, "judge", notes)
    assert gate._round(*ladder, cold) == (True, True)
    assert gate._round(ladder[1], ladder[1], ladder[2], cold) == (False, True)
    assert gate._round(ladder[1], ladder[2], ladder[1], cold) == (True, False)
    whole = ERROR * SHARE
    assert {(s.level, s.earlier, s.own) for s in stakes} == {
        (whole, 0.0, whole / 2),
        (whole, whole / 2, whole / 2),
    }


def test_a_verdict_that_is_known_beforehand_is_the_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    drawn = [[choices(some) for some in Alike(30, 0.25).draw(rng, 4)] for _ in range(40)]
    short = [gate._round(*four) for four in drawn]
    monkeypatch.setattr(gate, "mcnemar", lambda won, lost: 0.0)  # so that every one is judged
    assert [gate._round(*four) for four in drawn] == short


def test_every_part_has_its_table() -> None:
    found: dict[str, Any] = {
        "A/A": [share([False], answers="choices", rows=20, discordant=0.2)],
        "again": [share([False], retrainings=10, rows=100, discordant=0.12)],
        "rounds": gate.rounds(1),
        "power": [share([True], rows=300, apart=0.05, level=0.025)],
        "learned": gate.learned(5),
        "demo": gate.demos(2),
    }
    said = as_tables(found)
    assert "| choices | 20 | 0.200 | 1 | 0.000 | 0.975 |" in said.splitlines()
    assert said.count("| ours |") == 4


def test_real_retrainings_go_on_where_they_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    def weighed(*given: Any) -> dict[str, Any]:
        seeds.append(given[-1])
        if given[-1] == 3 and seeds.count(3) == 1:
            raise LoraError("killed")
        return {"promoted": False, "reason": "luck", "apart": 0.01, "p": 0.4, "rows": 100}

    monkeypatch.setattr(gate_real, "_snapshot", lambda: Snapshot("1", "<View/>", ()))
    monkeypatch.setattr(gate_real, "_champion", lambda *given: None)
    monkeypatch.setattr(gate_real, "_weighed", weighed)
    lines, place = tmp_path / "lines.jsonl", tmp_path / "place"
    with pytest.raises(LoraError):
        gate_real.retrain(4, lines, place)
    gate_real.retrain(4, lines, place)
    assert seeds == [1, 2, 3, 3, 4]
