"""A few SIGKILLs of real processes, always by the same seeds; `make faults KILLS=100` has more
(docs/reliability.md)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.faults.kills.held import AFTER_EACH, House, _opened, memory_and_handles_are_flat
from tests.faults.kills.people import Held, answer
from tests.faults.kills.real import RealPeople
from tests.faults.kills.run import RESULTS, Kill, draw, known, run
from tests.faults.kills.running import ROOT, Running
from tests.faults.kills.table import BEGIN, END, PAGE, judged, tables, write
from tests.lora.conftest import tiny_folder

__all__ = ["tiny_folder"]  # a fixture of that room

SEEDS = (69, 55)  # sync as a training begins, then the trainer


@pytest.mark.real
def test_processes_killed_in_a_round_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, tiny_folder: Path
) -> None:
    out = tmp_path / "kills.jsonl"
    kills = run(SEEDS, out, base=tiny_folder)
    assert [k.victim for k in kills] == ["sync", "trainer"]
    assert not [k.broken for k in kills if k.broken]
    assert all(set(AFTER_EACH) <= set(k.held) and k.died for k in kills)
    assert known(out, "scripted") == set(SEEDS), "a run that was stopped goes on from there"
    rest = json.loads(out.read_text().splitlines()[-1])
    assert rest["rest_after"] == list(SEEDS) and rest["version"] is not None


def test_a_seed_is_always_the_same_kill() -> None:
    drawn = [draw(seed, "scripted")[0] for seed in range(200)]
    assert drawn == [draw(seed, "scripted")[0] for seed in range(200)]
    assert {k.victim for k in drawn} >= {"backend", "sync", "worker", "trainer", "everything"}
    assert len({k.moment for k in drawn}) == 9


def test_the_page_says_what_the_file_of_kills_says() -> None:
    lines = (ROOT / RESULTS).read_text(encoding="utf-8").splitlines()
    shown = (ROOT / PAGE).read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown.strip() == tables(lines), "run `python -m tests.faults.kills.table`"


def test_a_kill_that_broke_something_is_told_and_one_that_missed_is_not_counted(
    tmp_path: Path,
) -> None:
    kill = asdict(Kill(3, "real", "trainer", "a trainer is at work", 1.0, recovered_s=2.0))
    missed = kill | {"seed": 4, "died": False}
    broken = kill | {"seed": 5, "broken": {"CURRENT loads": "it does not"}}
    results, page = tmp_path / "kills.jsonl", tmp_path / "page.md"
    results.write_text("".join(json.dumps(row) + "\n" for row in (kill, missed, broken)))
    page.write_text(f"before {BEGIN} old {END} after")
    write(results, page)
    told = page.read_text()
    assert "**2 kills** (0 beside a scripted Label Studio, 2 beside a real" in told
    assert "| trainer | 2 | 2 | 1 | 2 (at most 2; n=2) | - |" in told
    assert "seed 5 (real): CURRENT loads: it does not" in told and "old" not in told
    write(results, page)
    assert page.read_text() == told and told.startswith("before") and told.endswith("after")
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no place"):
        write(results, page)


def test_a_training_that_was_tried_again_late_is_a_breach_and_so_is_its_old_line(
    tmp_path: Path,
) -> None:
    late = asdict(Kill(23, "scripted", "trainer", "at once", 1.0, retried_s=151.4))
    again = late | {"retried_s": 12.0}
    assert judged(again) == again
    told = tables([json.dumps(row) for row in (late, again)])
    assert "**2 kills**" in told and "after 1 of them all held" in told
    assert "seed 23 (scripted): it is tried again: after 151 s, not 60" in told
    assert "(run again: all held, after 12 s)" in told


def test_an_open_task_that_is_answered_with_nothing_is_a_breach() -> None:
    said = [{"result": []}, {"result": answer("K1")}]
    assert _opened(said, {1: "a", 2: "b"}, {1}, {1}) is None
    assert _opened(said, {1: "a", 2: "b"}, set(), {1}) is None, "it was drawn meanwhile"
    assert _opened(said, {1: "a", 2: "b"}, {2}, {1, 2}) == "blind task 2 was answered"
    odd = _opened(said, {1: "a", 2: "b"}, set(), set())
    assert odd == "open task 1 was answered with nothing"


def test_a_process_that_piles_up_memory_or_handles_is_a_breach(tmp_path: Path) -> None:
    class Grows(Running):
        more = (5.0, 2)

        def grown(self, name: str) -> tuple[float, int]:
            return self.more if name == "sync" else (0.0, 0)

    services: dict[str, Any] = dict.fromkeys(("redis", "sync"))
    house = House(Grows({}, tmp_path, services=services), people=None)  # type: ignore[arg-type]
    assert memory_and_handles_are_flat(house) is None
    for more in ((500.0, 0), (0.0, 100)):
        house.running.more = more  # type: ignore[attr-defined]
        assert str(memory_and_handles_are_flat(house)).startswith("sync grew by")


def test_people_in_a_real_label_studio_are_read_as_in_the_scripted_one() -> None:
    served = {
        "id": 7,
        "data": {"text": "buy a coat"},
        "annotations": [
            {"id": 1, "was_cancelled": False, "result": answer("K1")},
            {"id": 2, "was_cancelled": True, "result": answer("K2")},
        ],
        "predictions": [{"model_version": "v1-0"}],
    }

    class Api:
        def call(self, method: str, path: str, **_: object) -> dict[str, object]:
            return {"tasks": [served], "total": 1}

    people = RealPeople(Api(), "1")  # type: ignore[arg-type]
    assert people.held() == [Held(7, "buy a coat", {1: "K1"}, frozenset({2}), ["v1-0"])]
    assert people.truth() == ({1: (7, "K1")}, 1)
