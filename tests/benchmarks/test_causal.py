"""The order of the causal benchmark's cells, going on where it stopped, and its tables."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks import causal
from benchmarks.causal import done, keep, missing, next_time, run_all
from benchmarks.causal_sets import BY_NAME, SETS, Unit, fit_of, unit_of, units
from benchmarks.causal_table import as_table, summarise
from benchmarks.data import Split
from lora.recipe import CAUSAL_FIT

SNIPS = Unit("snips", 100, 0, "causal")
SLOTS = Unit("snips slots", 100, 0, "causal")


def test_all_that_the_issue_asks_for_is_there() -> None:
    keys = {u.key for u in units()}
    for s in SETS:
        numbers = {0, 50, 100, 200} if s.name in {"snips", "disfl_qa"} else {0, 100}
        there = {u.n for u in units() if u.set == s.name and u.kind == "causal"}
        assert there == numbers
        for seed in (0, 1, 2):
            assert f"{s.name}/100/{seed}/causal" in keys
            assert (f"{s.name}/100/{seed}/encoder" in keys) == (s.name != "disfl_qa")
    assert {"disfl_qa/0/0/copy", "snips/0/0/naive", "banking77/0/0/naive"} <= keys
    assert len(keys) == len(units())


def test_the_most_telling_come_first() -> None:
    made = units()
    first = [u for u in made if u.seed == 0]
    assert made[: len(first)] == first
    broad = [u for u in first if u.n in {0, 100} and u.kind in {"causal", "encoder", "copy"}]
    assert first[: len(broad)] == broad and {u.set for u in broad} == set(BY_NAME)
    assert first[len(broad)] == Unit("disfl_qa", 200, 0, "causal")


def test_sets_and_seeds_can_be_picked() -> None:
    assert {(u.set, u.seed) for u in units(["snips", "disfl_qa"], [2])} == {
        ("snips", 2),
        ("disfl_qa", 2),
    }
    assert unit_of(SNIPS.key) == SNIPS
    with pytest.raises(SystemExit, match="no cell 'snips/7/0/causal'"):
        unit_of("snips/7/0/causal")


def split_of(labels: int, rows: int) -> Split:
    names = tuple(f"l{i}" for i in range(labels))
    test = tuple({"text": f"t{i}", "label": names[i % labels]} for i in range(rows))
    return Split("made", (), test, 0, names, ())


def test_test_rows_are_drawn_once() -> None:
    few = BY_NAME["snips"].judged(split_of(7, 700))
    assert len(few) == len({r["text"] for r in few}) == 300
    assert few == BY_NAME["snips"].judged(split_of(7, 700))
    assert few != list(split_of(7, 700).test[:300])
    each = BY_NAME["banking77"].judged(split_of(77, 3080))
    assert sorted(r["label"] for r in each) == sorted(4 * split_of(77, 1).labels)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    assert missing(SLOTS, path) == ["causal", "decoding"]
    keep(path, SLOTS, "causal", {"scores": {"f1": 0.5}})
    assert missing(SLOTS, path) == ["decoding"]
    assert missing(Unit("snips slots", 100, 1, "causal"), path) == ["causal"]


def test_a_cell_of_another_fit_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cells.jsonl"
    keep(path, SNIPS, "causal", {"scores": {"accuracy": 0.5}})
    keep(path, Unit("snips", 100, 0, "encoder"), "encoder", {"scores": {"accuracy": 0.5}})
    monkeypatch.setattr("benchmarks.causal_sets.CAUSAL_FIT", 99)
    assert missing(SNIPS, path) == ["causal"]
    assert missing(Unit("snips", 100, 0, "encoder"), path) == []
    keep(path, SNIPS, "causal", {"scores": {"accuracy": 0.75}})
    assert done(path)["snips", 100, 0, "causal"]["scores"] == {"accuracy": 0.75}


def test_what_is_lent_changes_only_cells_of_choices_with_examples() -> None:
    fits = {(n, u): fit_of(u, n, "causal").split(",")[0] for n in (0, 100) for u in BY_NAME}
    assert {u for (n, u), fit in fits.items() if fit == str(CAUSAL_FIT)} == {
        "snips",
        "purchase_card",
        "banking77",
    }
    assert {n for (n, _), fit in fits.items() if fit == str(CAUSAL_FIT)} == {100}


def test_a_line_that_a_kill_cut_is_no_cell(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    keep(path, SNIPS, "causal", {"scores": {"accuracy": 0.5}})
    with path.open("a", encoding="utf-8") as handle:
        handle.write('{"set": "snips sl')
    assert missing(SNIPS, path) == [] and missing(SLOTS, path) == ["causal", "decoding"]
    keep(path, SLOTS, "causal", {"scores": {"f1": 0.5}})
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == len(done(path)) == 2


def test_a_cell_that_fails_is_named_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cells.jsonl"
    keep(path, SNIPS, "causal", {"scores": {"accuracy": 0.5}})
    ran: list[str] = []

    def process(unit: Unit) -> str:
        ran.append(unit.key)
        return "FAILED with exit code -9" if unit.set == "snips slots" else ""

    monkeypatch.setattr(causal, "_in_a_process", process)
    todo = [SNIPS, SLOTS, Unit("banking77", 100, 0, "causal")]
    assert run_all(todo, path, None) == 1
    assert ran == [SLOTS.key, "banking77/100/0/causal"]
    assert "snips slots/100/0/causal FAILED with exit code -9" in capsys.readouterr().out
    assert run_all(todo, path, datetime.now() - timedelta(seconds=1)) == 0 and len(ran) == 2


def test_until_is_the_next_such_time() -> None:
    late = datetime(2026, 1, 1, 23, 30)
    assert next_time("23:45", late) == datetime(2026, 1, 1, 23, 45)
    assert next_time("01:00", late) == datetime(2026, 1, 2, 1, 0)
    with pytest.raises(SystemExit, match="'soon' must be a time"):
        next_time("soon", late)


def cell(name: str, n: int, seed: int, method: str, **scores: Any) -> tuple[Any, Any]:
    facts = {"set": name, "n": n, "seed": seed, "method": method, "fit": fit_of(name, n, method)}
    facts |= {
        "scores": scores,
        "test": 300,
        "peak_mb": 900.0,
        "before_mb": 500.0,
        "weights_mb": 257.0,
    }
    return (name, n, seed, method), facts | {"cpu_s": {"fit": 60.0, "answer": 9.0}}


def test_the_table_says_where_the_encoder_is_better() -> None:
    found = dict([
        cell("snips", 100, 0, "encoder", accuracy=0.96),
        cell("snips", 100, 0, "causal", accuracy=0.93),
        cell("snips", 100, 1, "encoder", accuracy=0.98),
        cell("snips", 100, 1, "causal", accuracy=0.91),
        cell("snips", 100, 2, "encoder", accuracy=0.10),
        cell("snips", 100, 0, "asked", accuracy=0.94),
        cell("disfl_qa", 0, 0, "causal", chrf=0.3, exact=0.0),
        cell("disfl_qa", 0, 0, "copy", chrf=0.7, exact=0.01),
    ])  # fmt: skip
    lines = as_table(summarise(found)).splitlines()
    intents = (
        "| snips | accuracy | 100 | 0.680 ± 0.502 (3) | 0.920 ± 0.014 (2) | 0.940 (1) |  | -0.050 |"
    )
    assert intents in lines
    assert "| disfl_qa | exact | 0 |  | 0.000 (1) |  | 0.010 (1) |  |" in lines
    assert "| disfl_qa | chrf | 0 |  | 0.300 (1) |  | 0.700 (1) |  |" in lines
    assert not any("banking77" in line for line in lines)


def test_the_other_tables() -> None:
    way = {"f1": 0.4, "valid": 1.0, "cut": 0.0, "s_a_text": 0.5, "tokens": 9}
    scored = {
        "labels": 7,
        "same": 1.0,
        "furthest_nats": 0.1,
        "s_a_text": {"tree": 0.1, "naive": 0.4},
    }
    right = {"tree": 0.3, "naive": 0.3, "calibrated": 0.8}
    found = dict([
        cell("snips slots", 100, 0, "decoding", constrained=way, free={**way, "valid": 0.8}),
        cell("snips", 0, 0, "naive", **scored, accuracy=right),
        cell("snips", 100, 0, "causal", accuracy=0.93),
        cell("snips", 100, 0, "nf4", accuracy=0.92),
    ])  # fmt: skip
    lines = as_table(summarise(found)).splitlines()
    assert "| snips slots | 100 | constrained | 1.0 | 0.0 | 0.4 | 0.5 |" in lines
    assert "| snips slots | 100 | free | 0.8 | 0.0 | 0.4 | 0.5 |" in lines
    assert "| snips | 7 | 300 | 1.0 | 0.3 | 0.3 | 0.8 | 0.1 | 0.4 |" in lines
    assert "| snips | 100 | bf16 | 0.930 (1) | 257.0 | 500.0 | 900.0 | 60.0 |" in lines
    assert "| snips | 100 | NF4 | 0.920 (1) | 257.0 | 500.0 | 900.0 | 60.0 |" in lines


def test_nothing_measured_makes_no_table() -> None:
    assert as_table(summarise({})) == ""
