"""What `annotune people` and `annotune status` say of annotators."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lora.base import Base, as_base
from lora.doubts import Doubts
from lora.recipe import Source
from lora.store import Store
from settings import Settings
from sync import doubt as doubting
from sync import jobs
from sync.connect import connect
from sync.loop import turn
from sync.people import people
from sync.status import status
from sync.studio_values import StudioDown
from tests.lora.made import tiny_model, tiny_tokenizer
from tests.sync.house import ANSWER, WORDS, House
from tests.sync.test_expand import frozen

B = [ANSWER[0] | {"value": {"choices": ["B"]}}]


@pytest.fixture(scope="module")
def tiny() -> Base:
    tokenizer = tiny_tokenizer()
    source = Source("tiny", "annotune/tiny", Path("nowhere"))
    return as_base(source, "0" * 64, tokenizer, tiny_model(len(tokenizer)))


def answered(house: House) -> None:
    """Two people on the first eight open tasks: they differ on the first; one accepts what was
    shown, the other answers alone."""
    connect(house.world, "1")
    for n, task in enumerate(sorted(house.studio.tasks)[:8]):
        house.studio.annotate(task, ANSWER, author=1, lead_time=9.0)
        house.studio.annotate(task, B if n == 0 else ANSWER, author=2, lead_time=3.0)
    turn(house.world, "1")


def test_people_are_told_how_far_they_agree(house: House) -> None:
    answered(house)
    found = people(house.world, "1")
    told = found.to_dict()
    assert told["agreement"]["all"] == {"tasks": 8, "pairs": 8, "same": 7 / 8}
    ann, bob = told["annotators"]
    assert (ann["name"], ann["answers"], ann["same"], ann["pairs"]) == ("ann@house", 8, 7 / 8, 8)
    assert bob["seconds"] == 3.0 and 0.5 < bob["reliable"] < 1
    lines = "\n".join(found.lines())
    assert "agreement: 88 % over 8 pairs of independent answers to 8 tasks" in lines
    assert "label intent B: agreed on in 0 % of 1 uses" in lines
    assert "bob@house: 8 answers" in lines
    assert status(house.world, "1")["agreement"] == 7 / 8


def test_without_label_studio_people_have_numbers(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(house)

    def gone() -> Any:
        raise StudioDown("Label Studio does not answer")

    monkeypatch.setattr(house.studio, "people", gone)
    lines = people(house.world, "1").lines()
    assert any(line.startswith("annotator 2: 8 answers") for line in lines)
    assert any("named by their ids" in line for line in lines)


def test_of_a_project_without_answers_there_is_little_to_say(house: House) -> None:
    connect(house.world, "1")
    found = people(house.world, "1")
    assert found.lines() == ["agreement: no task has two independent answers yet"]
    assert found.to_dict()["annotators"] == []


def test_quick_accepts_are_a_problem_of_the_project(house: House) -> None:
    connect(house.world, "1")
    for n, word in enumerate(WORDS * 6):
        house.studio.add_task(f"{WORDS[n * 7 % 15]} {WORDS[n // 15]} {word} {WORDS[n * 4 % 13]}")
    turn(house.world, "1")
    hidden = house.world.log.blind_tasks("1")
    plain = [t for t in sorted(house.studio.tasks) if t not in hidden][:60]
    assert len(hidden) >= 10 and len(plain) == 60
    for task in hidden:
        house.studio.annotate(task, ANSWER, lead_time=10.0)
    for n, task in enumerate(plain):
        shown = house.studio.tasks[task].predictions[-1]
        more = {"parent_prediction": shown.id, "lead_time": 1.0 if n >= 30 else 9.0}
        house.studio.annotate(task, shown.result, **more)
    turn(house.world, "1")
    assert any("quick accepts rise" in p for p in status(house.world, "1")["problems"])
    told = people(house.world, "1").to_dict()["bias"]
    assert (told["accepted"], told["independent"]) == (60, len(hidden))


# ---- the job that doubts


def test_a_wrong_label_is_doubted_and_no_blind_row_is(
    tiny: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store").project("1")
    snapshot = frozen(store)
    rows = list(store.snapshot(snapshot).examples)
    wrong = replace(rows[0], answers=rows[1].answers)
    digest = store.put_snapshot(replace(store.snapshot(snapshot), examples=(wrong, *rows[1:])))
    monkeypatch.setattr(doubting, "load_base", lambda name, threads: tiny)
    count = doubting.run(store, digest, Settings(home=tmp_path))
    found = Doubts(store).get(digest)
    assert found is not None and len(found) == count
    assert found[0].row == wrong.id and found[0].annotation == wrong.origin.annotation
    blind = {e.id for e in store.snapshot(digest).holdout}
    assert blind and blind.isdisjoint(d.row for d in found)


def test_the_job_looks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTUNE_HOME", str(tmp_path))
    store = Store(tmp_path / "store").project("1")
    snapshot, started = frozen(store), list[str]()

    def child(argv: list[str], log: object, **_: object) -> None:
        started.append(argv[2])
        Doubts(store).put(snapshot, [])

    monkeypatch.setattr(jobs, "run", child)
    monkeypatch.setattr(jobs, "die_with_parent", lambda: None)
    assert jobs.doubt("1", snapshot) == jobs.doubt("1", snapshot) == "0 answers are doubted"
    assert started == ["sync.doubt"]


def test_one_process_of_a_project_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTUNE_HOME", str(tmp_path))
    store = Store(tmp_path / "store").project("1")
    snapshot = frozen(store)
    looked = list[str]()
    monkeypatch.setattr(doubting, "run", lambda _, digest, __: looked.append(digest) or 0)
    argv = ["--project", "1", "--snapshot", snapshot]
    with Doubts(store).looking() as free:
        assert free and doubting.main(argv) == 0 and not looked
    assert doubting.main(argv) == 0 and looked == [snapshot]


def test_a_snapshot_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTUNE_HOME", str(tmp_path))
    assert doubting.main(["--project", "1", "--snapshot", "a" * 64]) == 2


@pytest.mark.model
def test_it_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path / "store").project("1")
    snapshot = frozen(store)
    rows = list(store.snapshot(snapshot).examples)
    wrong = replace(rows[0], answers=rows[1].answers)
    digest = store.put_snapshot(replace(store.snapshot(snapshot), examples=(wrong, *rows[1:])))
    env = {**os.environ, "ANNOTUNE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    argv = [sys.executable, "-m", "sync.doubt", "--project", "1", "--snapshot", digest]
    subprocess.run(argv, env=env, check=True, timeout=300, cwd=Path(__file__).parents[2])
    found = Doubts(store).get(digest)
    assert found and found[0].row == wrong.id
