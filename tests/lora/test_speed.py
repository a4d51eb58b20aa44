"""What is timed: tasks one at a time, and all at once, as a server answers them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from label_config import Example, Snapshot, read_schema
from label_config.values import Inputs
from lora import speed
from lora.base import Base
from lora.speed import LEAST, MOST_S, TASKS, main, pace, tasks_of
from lora.store import ProjectStore, Store
from tests.lora.made import CONFIG, write_files


class Slow:
    """A server that takes so many seconds for a task, and half for one of many; and its clock."""

    def __init__(self, *seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds
        self.alone: list[str] = []
        self.together: list[int] = []

    def ask(self, rows: Sequence[Inputs], bulk: bool) -> None:
        if bulk:
            self.together.append(len(rows))
            self.now += len(rows) * self.seconds[0] / 2
            return
        self.now += self.seconds[len(self.alone) % len(self.seconds)]
        self.alone += [row.texts["text"] for row in rows]

    def clock(self) -> float:
        return self.now


def inputs(count: int) -> list[Inputs]:
    return [Inputs({"text": f"t{n}"}) for n in range(count)]


def test_the_first_answer_only_warms_and_the_slowest_twentieth_is_the_p95() -> None:
    server = Slow(9.0, *[0.01] * 18, 0.05, 0.07)
    found = pace(server.ask, inputs(20), server.clock)
    assert server.alone == ["t0", *(f"t{n}" for n in range(20))]
    assert (found["tasks"], found["median_ms"], found["p95_ms"]) == (20, 10.0, 50.0)


def test_many_at_once_are_the_tasks_that_were_timed() -> None:
    server = Slow(0.02)
    found = pace(server.ask, inputs(16), server.clock)
    assert server.together == [16, 16, 16]
    assert found["tasks_per_s"] == pytest.approx(100.0)


def test_slow_tasks_are_fewer() -> None:
    server = Slow(MOST_S / 4)
    found = pace(server.ask, inputs(TASKS), server.clock)
    assert (found["tasks"], server.together) == (LEAST, [LEAST])


def test_blind_tasks_come_first_and_not_all_are_timed(examples: list[Example]) -> None:
    rows = tasks_of(Snapshot("1", CONFIG, tuple(examples)))
    blind = [e.inputs for e in examples if e.side == "holdout"]
    assert rows[: len(blind)] == blind and len(rows) == len(examples)
    many = tuple(replace(examples[0], id=f"x{n}", task=n) for n in range(TASKS + 1))
    assert len(tasks_of(Snapshot("1", CONFIG, many))) == TASKS


@pytest.mark.model  # loads torch's lanes
def test_an_adapter_is_timed_through_a_servers_lane(
    store: Store,
    project: ProjectStore,
    examples: list[Example],
    tiny: Base,
    tiny_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    snapshot = Snapshot("1", CONFIG, tuple(examples))
    digest = project.put_snapshot(snapshot)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    write_files(adapter, tiny, read_schema(CONFIG), 3)
    report = tmp_path / "report.json"
    lane = {"dtype": "float32", "gather_s": 0.0}
    how = {"lane": lane, "threads": 1, "quantize": ""}
    argv = speed.command(store.root, "1", digest, adapter, str(tiny_folder), report, **how)
    assert main(argv[3:]) == 0
    found = json.loads(report.read_text())
    assert found["tasks"] == len(examples) and found["memory_mb"]["main"] > 100
    assert 0 < found["median_ms"] <= found["p95_ms"] and found["tasks_per_s"] > 0
    (adapter / "heads.json").unlink()
    assert main(argv[3:]) == 2 and "heads.json" in caplog.text
