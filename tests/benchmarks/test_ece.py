"""The calibration benchmark: what is missing, what a cell measures, and what the table says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import ece
from benchmarks.data import Split, digest_of_files, load_split
from benchmarks.ece_cells import Rows, measure
from benchmarks.ece_table import as_table, summarise
from lora.base import Base, as_base
from lora.recipe import Source
from tests.lora.made import tiny_model, tiny_tokenizer

WORDS = {"play": "play the song {}", "paint": "paint it red {}", "buy": "buy my boat {}"}


def cell(name: str, seed: int, folds: int, error: float = 0.1) -> dict[str, Any]:
    key = {"set": name, "seed": seed, "folds": folds, "by": "fit 1"}
    found = {"ece": error, "low": 0.01, "high": 0.2, "accuracy": 0.5, "sure": 0.6, "n": 400}
    return {**key, **found, "luck": {"mean": 0.03, "as_far": 0.2}, "temperature": 1.5}


@pytest.fixture(autouse=True)
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sets with a file each for training and 500 rows for judging; mts_notes has one more."""
    monkeypatch.setattr("benchmarks.data.SHARED", tmp_path)
    for name, files in (("snips", ("train", "test")), ("mts_notes", ("train", "test", "test2"))):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for file in files:
            rows = [json.dumps({"text": f"{name} {file} {n}", "label": "a"}) for n in range(500)]
            (folder / f"{file}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    forget()
    return tmp_path / "data"


def forget() -> None:
    ece.asked.cache_clear()
    digest_of_files.cache_clear()


def written(path: Path, *cells: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(c) + "\n" for c in cells) + '{"cut', encoding="utf-8")


def current(name: str, seed: int, folds: int) -> dict[str, Any]:
    return {**cell(name, seed, folds), "by": ece.by(name, folds), "n": ece.asked(name)}


def test_the_first_seed_of_all_sets_comes_first_and_three_folds_last(tmp_path: Path) -> None:
    todo = ece.missing(tmp_path / "none", ("snips", "mts_notes"), (0, 1), (0, 2, 3))
    assert todo[:4] == [("snips", 0, 0), ("snips", 0, 2), ("mts_notes", 0, 0), ("mts_notes", 0, 2)]
    assert [folds for _, _, folds in todo] == [0, 2] * 4 + [3] * 4


def test_a_cell_is_not_run_again_unless_it_was_made_otherwise(tmp_path: Path) -> None:
    lines = tmp_path / "ece.jsonl"
    old = {**current("snips", 0, 2), "by": "fit 1, calibration 1"}
    written(lines, old, current("snips", 0, 0), current("snips", 1, 2))
    assert ece.missing(lines, ("snips",), (0, 1), (0, 2)) == [("snips", 0, 2), ("snips", 1, 0)]


def test_a_cell_is_run_again_when_more_rows_are_asked(tmp_path: Path) -> None:
    lines = tmp_path / "ece.jsonl"
    written(lines, current("snips", 0, 0), {**current("mts_notes", 0, 0), "n": 400})
    assert (ece.asked("snips"), ece.asked("mts_notes")) == (400, 1000)
    assert ece.missing(lines, ("snips", "mts_notes"), (0,), (0,)) == [("mts_notes", 0, 0)]


@pytest.mark.parametrize("file", ["train", "test", "test2"])
def test_a_cell_is_run_again_when_a_file_of_its_set_changes(
    file: str, tmp_path: Path, sets: Path
) -> None:
    lines = tmp_path / "ece.jsonl"
    written(lines, current("mts_notes", 0, 0))
    assert ece.missing(lines, ("mts_notes",), (0,), (0,)) == []
    path = sets / "mts_notes" / f"{file}.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("1", "2"), encoding="utf-8")
    forget()
    assert ece.missing(lines, ("mts_notes",), (0,), (0,)) == [("mts_notes", 0, 0)]


def test_train_rows_that_stand_in_any_test_file_are_left_out(sets: Path) -> None:
    train, second = (sets / "mts_notes" / f"{name}.jsonl" for name in ("train", "test2"))
    shared = second.read_text(encoding="utf-8").splitlines()[:3]
    train.write_text("\n".join([train.read_text(encoding="utf-8"), *shared]), encoding="utf-8")
    split = load_split("mts_notes", tests=ece.tests_of("mts_notes"))
    assert (len(split.train), len(split.test), split.dropped) == (500, 1000, 3)


@pytest.mark.model
def test_a_cell_says_what_is_served_plain_and_calibrated() -> None:
    tokenizer = tiny_tokenizer()
    source = Source("tiny", "annotune/tiny", Path("nowhere"))
    tiny: Base = as_base(source, "0" * 64, tokenizer, tiny_model(len(tokenizer)))
    rows = [
        {"text": text.format("a b c d e f g".split()[n % 7] * (1 + n // 7)), "label": label}
        for n in range(24)
        for label, text in WORDS.items()
    ]
    split = Split("own", tuple(rows[:48]), tuple(rows[48:]), 0, tuple(sorted(WORDS)), ())
    made = Rows.from_split(tiny, split, 0, 40, 20)
    assert (len(made.train), len(made.asked)) == (40, 20)
    asked = {e.texts["text"] for e in made.asked}
    assert not asked & {e.texts["text"] for e in made.train}
    plain, folded = (measure(tiny, made, folds) for folds in (0, 2))
    assert plain["n"] == folded["n"] == 20
    assert plain["temperature"] == 1.0 != folded["temperature"]
    assert plain["sure"] != folded["sure"]
    assert measure(tiny, replace(made, fitted=made.fitted), 0) == plain


def test_the_table_has_means_over_seeds_and_bold_where_the_goal_is_met() -> None:
    cells = [cell("snips", 0, 0, 0.02), cell("snips", 1, 0, 0.06), cell("snips", 0, 2, 0.06)]
    found = {(c["set"], c["seed"], c["folds"]): c for c in cells}
    plain, folded = summarise(found, ("mts_notes", "snips"))
    assert plain["ece"] == pytest.approx(0.04) and plain["seeds"] == {"0": 0.02, "1": 0.06}
    words = as_table([plain, folded])
    assert "| **0.040** (0.010 to 0.200) | 0.030 | 20% | - | 0.020, 0.060 |" in words
    assert "| 0.060 (0.010 to 0.200) | 0.030 | 20% | 1.50 | 0.060 |" in words
