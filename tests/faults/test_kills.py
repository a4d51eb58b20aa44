"""A few SIGKILLs of real processes, always by the same seeds; `make faults KILLS=100` has more
(docs/reliability.md)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.kills.held import AFTER_EACH
from tests.faults.kills.run import draw, known, run
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
