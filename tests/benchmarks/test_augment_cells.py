"""A unit of the expansion benchmark from rows to cells, by a tiny encoder and a tiny writer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import augment_cells
from benchmarks.augment_cells import digest_of, drawn, work
from benchmarks.augment_children import StoredEmbedder
from benchmarks.augment_sets import BY_NAME, MODES, Unit
from benchmarks.causal_sets import DataSet
from benchmarks.data import Split
from lora.base import Base, as_base
from lora.recipe import FIT, Source
from tests.lora.causal.made import causal_base
from tests.lora.made import WORDS, tiny_model, tiny_tokenizer

LABELS = ("buy", "paint", "play")
OTHERS = sorted({*WORDS} - {*LABELS})
SHORT = ("don't", "it's", "I'm", "do not", "it is")
UNIT = Unit("made", 24, 0, "first")


def rows(start: int, count: int) -> tuple[dict[str, Any], ...]:
    """Words at random, each row with a habit or two that noise can copy."""
    found = []
    for i in range(start, start + count):
        rng = random.Random(i)
        words = [LABELS[i % 3], *rng.sample(OTHERS, rng.randint(6, 11)), rng.choice(SHORT)]
        said = " ".join(words) + rng.choice((".", "", "!"))
        found.append({"text": rng.choice((said, said.capitalize())), "label": LABELS[i % 3]})
    return tuple(found)


SPLIT = Split("made", rows(0, 80), rows(100, 20), 0, LABELS, ())
MADE = DataSet("made", "made", "choice", "what")


@pytest.fixture
def tiny() -> Base:
    tokenizer = tiny_tokenizer()
    source = Source("tiny", "annotune/tiny", Path("nowhere"))
    return as_base(source, "0" * 64, tokenizer, tiny_model(len(tokenizer)))


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch, tiny: Base) -> list[int]:
    """The rows of each fit. The data are made up, the bases tiny."""
    counted: list[int] = []
    real = augment_cells.fitted

    def fitted(base: Base, learned: Any, settings: Any, folder: Path) -> list[str]:
        counted.append(len(learned.train))
        return real(base, learned, settings, folder)

    monkeypatch.setattr(augment_cells, "fitted", fitted)
    monkeypatch.setattr(augment_cells, "load_base", lambda *_, **__: tiny)
    monkeypatch.setattr("lora.base.load_base", lambda *_, **__: causal_base())
    monkeypatch.setattr(DataSet, "load", lambda _: SPLIT)
    monkeypatch.setattr(augment_cells, "data_digest", lambda name: f"of-{name}")
    monkeypatch.setitem(BY_NAME, "made", MADE)
    return counted


def test_what_is_judged_on_is_not_learned_from_nor_lent() -> None:
    data = drawn(MADE, SPLIT, 24, 0)
    texts = [[e.texts["text"] for e in some] for some in (data.human, data.blind, data.test)]
    assert [len(some) for some in texts] == [24, 6, 20]
    parts = [set(some) for some in (*texts, [p["text"] for p in data.pool])]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 100
    assert {e.side for e in data.blind} == {"holdout"} and {e.side for e in data.human} == {"train"}


def run(cache: Path, known: dict[str, Any], *modes: str) -> dict[str, dict[str, Any]]:
    wanted = [(MODES[m], 3.0 if MODES[m].sources else 0.0) for m in modes]
    made = work(UNIT, wanted, known, "smollm", cache)
    return {mode.name: facts for mode, _, facts in made}


def test_a_unit_leaves_its_cells_and_learns_nothing_twice(tmp_path: Path, fits: list[int]) -> None:
    found = run(tmp_path, {}, "none", "noise", "all")
    assert [set(f["scores"]) for f in found.values()] == [{"accuracy"}] * 3
    assert all(f["test"] == 20 and f["blind_rows"] == 6 for f in found.values())
    noise = found["noise"]
    assert noise["planned"] == 72 and noise["made"] + noise["missing"].get("noise", 0) == 72
    assert noise["made"] == noise["kept"] + sum(noise["refused"].values())
    assert noise["kept"] > 0
    assert fits == [24, 24 + noise["kept"], 24 + found["all"]["kept"]]
    known = {f["learned"]: f for f in found.values()}
    assert len(known) == 3  # "all" has the pool, even where nothing is kept
    again = run(tmp_path, known, "none", "noise", "all")
    assert len(fits) == 3
    assert [f["scores"] for f in again.values()] == [f["scores"] for f in found.values()]
    assert "fit" not in again["noise"]["cpu_s"]


def test_a_cell_keeps_each_rows_marks_and_the_pools_cell_the_cold_start(
    tmp_path: Path, fits: list[int]
) -> None:
    found = run(tmp_path, {}, "none", "pool")
    assert "cold" not in found["none"] and len(fits) == 2
    for judged in (found["none"], found["pool"], found["pool"]["cold"]):
        for rows, scores in (("test", "scores"), ("blind", "blind")):
            marks = judged["marks"][rows]
            assert set(marks) <= {"0", "1"} and len(marks) == {"test": 20, "blind": 6}[rows]
            assert judged[scores]["accuracy"] == pytest.approx(
                marks.count("1") / len(marks), abs=1e-4
            )


def test_nothing_is_written_or_embedded_twice(
    tmp_path: Path, fits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(tmp_path, {}, "all")
    written = (tmp_path / "written-made-24-0.jsonl").read_text()
    (vectors,) = tmp_path.glob("vectors-*")
    stamp = vectors.stat().st_mtime_ns

    def refuse(*_: Any) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr("lora.causal.write.Writer.__call__", refuse)
    second = run(tmp_path, {}, "all")
    assert "make" in first["all"]["cpu_s"] and "make" not in second["all"]["cpu_s"]
    assert second["all"]["learned"] == first["all"]["learned"]
    assert (tmp_path / "written-made-24-0.jsonl").read_text() == written
    assert vectors.stat().st_mtime_ns == stamp


def test_the_judge_learned_from_all_rows_and_is_kept(tmp_path: Path, fits: list[int]) -> None:
    facts = run(tmp_path, {}, "judge")["judge"]
    assert fits == [80]
    assert facts["rows"]["test"] == 20 and 0 <= facts["scores"]["test"] <= 1
    assert facts["rows"]["made"] >= facts["rows"]["kept"]
    parts = [n for what, n in facts["rows"].items() if what.startswith("kept, ")]
    assert sum(parts) == facts["rows"]["kept"]
    refused = {k: n for k, n in facts["rows"].items() if k.startswith("refused, ")}
    assert refused == {f"refused, {name}": n for name, n in facts["refused"].items()}
    assert sum(refused.values()) + facts["kept"] == facts["made"]
    for what, (right, of) in facts["tallies"].items():
        assert of == facts["rows"][what] and facts["scores"][what] == pytest.approx(
            right / of, abs=1e-4
        )
    again = run(tmp_path, {}, "judge")["judge"]
    assert fits == [80] and again["scores"] == facts["scores"]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith("tmp")]
    assert [p.name for p in tmp_path.glob("judge-*")] == [f"judge-made-fit{FIT}-of-made"]


def test_what_is_learned_from_has_a_name_of_its_content() -> None:
    assert digest_of([], True) != digest_of([], False)
    one, two = (e for e in drawn(MADE, SPLIT, 24, 0).human[:2])
    assert digest_of([one, two], True) == digest_of([two, one], True) != digest_of([one], True)


def test_vectors_are_read_back_as_they_were(tmp_path: Path, tiny: Base) -> None:
    texts = ["play the song", "paint a wall \ud83d \n"]
    embed = StoredEmbedder(tiny, tmp_path / "vectors.npz")
    held = embed(texts)
    embed.store()

    class Deaf(StoredEmbedder):
        def __init__(self) -> None:
            super().__init__(tiny, tmp_path / "vectors.npz")

        def known(self) -> Sequence[str]:
            return list(self._known)

    other = Deaf()
    assert other.known() == texts
    assert np.array_equal(other(texts), held)
