"""The replay benchmark makes cells one at a time, keeps runs that are through, and goes on."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import product
from pathlib import Path

import pytest

from benchmarks import replay as room
from benchmarks.replay import PRODUCT, RANDOM, RUN, Bench, Stopped, as_table, average
from sync.replay.play import Cell
from sync.replay.told import Told
from sync.replay.whole import Wish
from tests.sync.replay.made import Workers, put_in, raw_rows

SETS = ("one", "two")


@pytest.fixture(autouse=True)
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Workers())
    for name, count in zip(SETS, (90, 80), strict=True):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        text = "".join(json.dumps(r) + "\n" for r in raw_rows(count))
        (folder / "train.jsonl").write_text(text)
    monkeypatch.setattr(room, "shared", lambda: tmp_path / "data")


def bench(tmp_path: Path, place: str = "cache", seeds: tuple[int, ...] = (0,)) -> Bench:
    wish = Wish(seeds, counts=2, most=50, arms=("random", "ours"))
    return Bench(SETS, wish, "", tmp_path / "lines.jsonl", tmp_path / place)


def test_so_many_cells_are_made_and_what_is_missing_is_left(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="3 cells are made"):
        bench(tmp_path).play(3, None)
    made = bench(tmp_path)
    assert sum(r.missing() for r in made.replays.values()) == 8 - 3
    assert "in all" in list(made.plan())[-1]
    with pytest.raises(Stopped):
        made.play(None, datetime.now())
    made.play(None, None)
    assert not list(made.missing())


def test_runs_that_are_through_are_known_without_the_cache(tmp_path: Path) -> None:
    bench(tmp_path).play(None, None)
    elsewhere = bench(tmp_path, "other")
    assert not list(elsewhere.missing())
    table = as_table(elsewhere.told())
    assert table.count("our order") == 3  # of each set, and over both
    assert set(average(elsewhere.told())["ours"]["sets"]) == set(SETS)


def test_another_generator_runs_no_arm_again_that_makes_no_children(tmp_path: Path) -> None:
    bench(tmp_path).play(None, None)
    wish = Wish((0,), counts=2, most=50, arms=("random", "ours", "ours-expanded"))
    other = Bench(SETS, wish, "smollm", tmp_path / "lines.jsonl", tmp_path / "other")
    runs = [r for replay in other.replays.values() for r in replay.runs()]
    assert {r.arm.name for r in runs if r.missing()} == {"ours-expanded"}


def test_each_seed_goes_through_all_sets_first(tmp_path: Path) -> None:
    order = [(name, seed) for name, _, seed in bench(tmp_path, seeds=(0, 1)).missing()]
    assert order == [("one", 0), ("two", 0), ("one", 1), ("two", 1)]


def test_what_is_run_unless_asked_otherwise_are_arms_of_the_product() -> None:
    assert RUN[0] == RANDOM, "what the others are told against"
    assert set(RUN) < set(PRODUCT) == {"random", "ours", "random-expanded", "ours-expanded"}


def made(random: list[float], ours: list[float]) -> Told:
    """Two seeds alike, at 10, 20 and 40 answers; the goal is .6."""
    counts, cells = (10, 20, 40), []
    for arm, values in (("random", random), ("ours", ours)):
        for seed, (n, value) in product((0, 1), zip(counts, values, strict=True)):
            best = {"mean": value}
            cells.append(Cell(arm, seed, n, 2, (), "v1", None, "", best, {}, best, 0, 1.0))
    return Told("made", "minilm", 60, 12, counts, cells, {"mean": 0.8}, 0.75, None, 0.2)


def test_the_goal_is_told_over_sets_with_its_interval_and_what_it_leaves_out() -> None:
    late, soon, never = [0.1, 0.2, 0.6], [0.1, 0.6, 0.6], [0.1, 0.2, 0.3]
    told = {
        "half": made(late, soon),
        "bound": made(never, soon),
        "first": made(late, [0.6, 0.6, 0.6]),
        "nobody": made(never, never),
    }
    found = average(told)["ours"]
    assert found["sets"] == {"half": 0.5, "bound": 0.5, "first": 0.25}
    assert found["without"] == ["nobody"]
    assert [found[k] for k in ("seeds", "dropped", "bounded", "floored")] == [8, 2, 2, 2]
    assert found["mean"]["value"] == pytest.approx(1.25 / 3, abs=1e-4)
    reach = 4.3027 * 0.25 / 3  # Student's t of three sets, whose standard deviation is .25 / sqrt 3
    assert found["mean"]["high"] == pytest.approx(1.25 / 3 + reach, abs=1e-3)
    last = as_table(told).splitlines()[-1]
    assert last.startswith("| mean of 3 sets, without nobody | our order | 8 |")
    assert "| **0.42 [0.06, 0.78]** | 2 / 2 / 2 |" in last
    assert "**" not in as_table({"slow": made(soon, late)})
