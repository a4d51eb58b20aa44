"""The order of the expansion benchmark, what its cells are kept by, and going on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from augment.guard.guard import ALWAYS, FILTERS
from augment.values import Prompt
from augment.versions import guard_digest
from benchmarks import augment, augment_sets, data
from benchmarks.augment import done, keep, learned, missing, run_all
from benchmarks.augment_children import Shared
from benchmarks.augment_sets import (
    BY_NAME,
    MODES,
    SEEDS,
    Unit,
    blind_of,
    made_with,
    unit_of,
    units,
    weight,
    written_plans,
)
from lora.expansions import Kept


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set is needed here."""
    monkeypatch.setattr(augment_sets, "data_digest", lambda name: f"of {name}")


FIRST = Unit("snips", 50, 0, "first")
FACTS = {"scores": {"accuracy": 0.5}, "blind": {"accuracy": 0.4}, "cpu_s": {}}
LEARNED = {**FACTS, "notes": [], "test": 300, "blind_rows": 13, "marks": {}}


def test_all_that_the_issue_asks_for_is_there_once() -> None:
    keys = [key for u in units() for key in u.cells()]
    assert len(keys) == len(set(keys))
    for name in BY_NAME:
        for seed in SEEDS:
            for mode in ("none", "pool"):
                assert (name, 50, seed, mode, 0.0) in keys
            modes = ("noise", "substitute", "generate", "rewrite", "uniform", "all", "judge")
            assert {(name, 50, seed, m, 3.0) for m in modes} <= set(keys)
    closer = {key for key in keys if key[1] == 100 or key[4] not in {0.0, 3.0}}
    assert {key[0] for key in closer} == {"snips", "purchase_card"}
    for n in (50, 100):
        found = {key[4] for key in keys if key[:3] == ("snips", n, 4) and key[3] in {"pool", "all"}}
        assert found == {0.0, 1.0, 3.0, 5.0, 10.0}


def test_each_filter_that_can_be_left_out_is_left_out_once() -> None:
    asked = Unit("snips", 50, 0, "ablations").asked
    alone = [mode.off for mode, _ in asked if len(mode.off) == 1]
    assert sorted(f for off in alone for f in off) == sorted(FILTERS.keys() - ALWAYS)
    assert asked[-1][0].off == FILTERS.keys() - ALWAYS and len(asked) == len(alone) + 1
    whole = MODES["all"]
    assert all((m.sources, m.pool, m.aimed) == (whole.sources, True, True) for m, _ in asked)


def test_the_most_telling_come_first() -> None:
    made = units()
    assert [u.kind for u in made[: 2 * len(BY_NAME)]] == [
        kind for kind in ("first", "written") for _ in BY_NAME
    ]
    assert {u.seed for u in made[: 2 * len(BY_NAME)]} == {0}
    assert [m.name for m, _ in made[0].asked] == ["none", "pool", "noise", "substitute", "all"]
    ranks = {"first": 0, "written": 0, "judge": 1, "ratios": 2, "ablations": 3}
    order = [ranks[u.kind] for u in made]
    assert order == sorted(order)


def test_sets_and_seeds_can_be_picked() -> None:
    picked = units(["mts_notes"], [2])
    assert {(u.set, u.seed) for u in picked} == {("mts_notes", 2)} and len(picked) == 3
    assert unit_of("snips slots/50/3/written") == Unit("snips slots", 50, 3, "written")
    with pytest.raises(SystemExit, match="no cell 'snips/7/0/first'"):
        unit_of("snips/7/0/first")


def test_a_child_weighs_as_the_policy_has_it_and_a_fifth_is_blind() -> None:
    assert [round(weight(r), 3) for r in (1.0, 3.0, 10.0)] == [0.5, 0.333, 0.1]
    assert (blind_of(50), blind_of(100)) == (13, 25)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    assert len(missing(FIRST, path, "smollm")) == 5
    keep(path, FIRST, "noise", 3.0, "smollm", FACTS)
    left = [mode.name for mode, _ in missing(FIRST, path, "smollm")]
    assert left == ["none", "pool", "substitute", "all"]
    assert len(missing(Unit("snips", 50, 1, "first"), path, "smollm")) == 5


def test_a_cell_of_other_rules_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cells.jsonl"
    for mode, ratio in FIRST.asked:
        keep(path, FIRST, mode.name, ratio, "smollm", FACTS)
    assert missing(FIRST, path, "smollm") == []
    assert [m.name for m, _ in missing(FIRST, path, "larger")] == ["all"]
    monkeypatch.setattr("augment.prompts.VERSION", 99)
    assert [m.name for m, _ in missing(FIRST, path, "smollm")] == ["noise", "substitute", "all"]
    monkeypatch.setattr(augment_sets, "FIT", 99)
    assert len(missing(FIRST, path, "smollm")) == 5


def test_the_guards_constants_are_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = made_with("snips", "noise", "smollm")
    with monkeypatch.context() as patched:
        patched.setattr("augment.guard.fit.HIGH", 0.98)
        guard_digest.cache_clear()
        after = made_with("snips", "noise", "smollm")
    guard_digest.cache_clear()
    assert after != before == made_with("snips", "noise", "another")


def test_the_data_are_in_the_key_of_every_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, slots = tmp_path / "cells.jsonl", Unit("snips slots", 50, 0, "first")
    keep(path, FIRST, "none", 0.0, "smollm", FACTS)
    keep(path, slots, "noise", 3.0, "smollm", FACTS)
    keep(path, Unit("mts_notes", 50, 0, "first"), "none", 0.0, "smollm", FACTS)
    monkeypatch.setattr(
        augment_sets, "data_digest", lambda name: "new" if name == "snips" else f"of {name}"
    )
    assert set(done(path, "smollm")) == {("mts_notes", 50, 0, "none", 0.0)}


def test_a_data_sets_digest_is_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "shared", lambda: tmp_path)
    (tmp_path / "one").mkdir()
    for part in ("train", "test"):
        (tmp_path / "one" / f"{part}.jsonl").write_text('{"text": "a", "label": "b"}\n')
    shutil.copytree(tmp_path / "one", tmp_path / "same")
    shutil.copytree(tmp_path / "one", tmp_path / "changed")
    (tmp_path / "changed" / "test.jsonl").write_text('{"text": "a", "label": "c"}\n')
    one, same, changed = (data.data_digest(name) for name in ("one", "same", "changed"))
    data.digest_of_files.cache_clear()
    assert len(one) == 8 and one == same != changed


def test_a_line_that_a_kill_cut_is_no_cell(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    keep(path, FIRST, "none", 0.0, "smollm", FACTS)
    with path.open("a", encoding="utf-8") as handle:
        handle.write('{"set": "snips", "n": 50')
    assert set(done(path, "smollm")) == {("snips", 50, 0, "none", 0.0)}
    keep(path, FIRST, "pool", 0.0, "smollm", FACTS)
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2


def test_what_was_learned_from_the_same_is_known(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    keep(path, FIRST, "none", 0.0, "smollm", {**LEARNED, "learned": "aa"})
    keep(path, Unit("snips", 50, 1, "first"), "none", 0.0, "smollm", {**LEARNED, "learned": "bb"})
    keep(path, FIRST, "judge", 3.0, "smollm", {"scores": {"test": 0.9}})
    found = learned(Unit("snips", 50, 0, "ablations"), path, "smollm")
    assert set(found) == {"aa"} and "cpu_s" not in found["aa"]


def test_a_unit_that_fails_is_named_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def process(unit: Unit, generator: str) -> str:
        ran.append(f"{unit.key} {generator}")
        return "FAILED with exit code -9" if unit.set == "snips" else ""

    monkeypatch.setattr(augment, "_in_a_process", process)
    todo = [FIRST, Unit("mts_notes", 50, 0, "first")]
    path = tmp_path / "cells.jsonl"
    assert run_all(todo, path, "smollm", None) == 1
    assert ran == ["snips/50/0/first smollm", "mts_notes/50/0/first smollm"]
    assert "snips/50/0/first FAILED with exit code -9" in capsys.readouterr().out
    assert run_all(todo, path, "smollm", datetime.now() - timedelta(seconds=1)) == 0
    assert len(ran) == 2


def prompts(*names: str) -> list[Prompt]:
    return [Prompt(parent=name, text=f"write {name}", seed=1) for name in names]


class Writer:
    """Says with whom it was asked, as a local writer's answers depend on that."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, some: Sequence[Prompt]) -> Iterator[str | None]:
        names = "".join(p.parent for p in some)
        self.asked.append(names)
        return iter([f"{p.parent} of {names}" for p in some])


PLANS = ("abc", "cdb", "ef")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_plans_that_share_prompts_get_the_same_answers_in_any_order(order: tuple[int, ...]) -> None:
    writer = Writer()
    shared = Shared(writer, 2, [prompts(*plan) for plan in PLANS])
    said = {i: list(shared(prompts(*PLANS[i]))) for i in order}
    assert said[0] == ["a of ab", "b of ab", "c of c"]
    assert said[1] == ["c of c", "d of d", "b of ab"]
    assert sorted(writer.asked) == ["ab", "c", "d", "ef"]  # nobody twice


def test_what_a_writer_said_is_not_asked_for_in_another_run(tmp_path: Path) -> None:
    for times in (1, 0):
        writer = Writer()
        kept = Kept(tmp_path / "written.jsonl", "tiny", writer, 2)
        shared = Shared(kept, 2, [prompts("a", "b", "c")])
        assert list(shared(prompts("c"))) == ["c of c"]
        assert len(writer.asked) == times


def test_a_prompt_of_no_plan_is_not_asked() -> None:
    with pytest.raises(KeyError):
        list(Shared(Writer(), 2, [prompts("a")])(prompts("z")))


def test_every_plan_that_writes_has_its_place() -> None:
    for n in (50, 100):
        asked = {
            (m.sources, m.aimed, ratio)
            for u in units()
            if u.n == n
            for m, ratio in u.asked
            if m.writes
        }
        assert asked == {(m.sources, m.aimed, ratio) for m, ratio in written_plans(n)}
