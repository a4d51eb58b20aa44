"""Bases are trained and judged beside the store, which stays as it was, and nothing is left."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from label_config.values import Snapshot, Task
from lora.errors import BaseUnavailable
from lora.store import Store
from settings import Backend, Settings, Train
from sync import compare as room
from sync.children import TrainingFailed
from sync.compare import compare, scratch
from sync.groups import Place
from sync.log import Log
from sync.loop import World
from sync.operate import Impossible
from sync.studio_values import SeenAnnotation, TaskState
from tests.lora.causal.made import causal_base
from tests.lora.made import tiny_model, tiny_tokenizer
from tests.sync.house import FakeJobs

T0 = datetime(2026, 11, 22, 7, 0, tzinfo=timezone.utc)
CONFIG = """<View><Text name="t" value="$text"/>
<Choices name="what" toName="t"><Choice value="play"/><Choice value="buy"/></Choices>
<TextArea name="note" toName="t"/></View>"""
ALONE = '<View><Text name="t" value="$text"/><TextArea name="note" toName="t"/></View>'
ROOT = Path(__file__).parents[2]


def results(n: int) -> list[dict[str, Any]]:
    label, text = ("play", "buy")[n % 2], f"a note {n}"
    where = {"to_name": "t"}
    choice = {"type": "choices", "from_name": "what", "value": {"choices": [label]}}
    written = {"type": "textarea", "from_name": "note", "value": {"text": [text]}}
    return [{**where, **choice}, {**where, **written}]


def fill(log: Log, config: str = CONFIG, answered: int = 18) -> None:
    """Tasks with the answers to both controls, each third one blind; some stay unanswered."""
    log.connect("1", "any")
    log.see_config("1", config)
    for n in range(1, 25):
        at = T0 + timedelta(minutes=n)
        verb, thing = ("play", "buy")[n % 2], ("song", "coat", "boat")[n % 3]
        made = SeenAnnotation(100 + n, n, results(n), 1, at, at)
        task = Task(n, "1", {"text": f"{verb} the {thing} {n}"})
        state = TaskState(task, at, (made,) if n <= answered else ())
        log.append("1", [state], {n: Place(f"g{n}", n % 3 == 0)})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = Settings(home=tmp_path, train=Train(bases="smollm", steps=4, rank=4, device="cpu"))
    log = Log(settings.log_url)
    fill(log)
    store = Store(settings.store)
    store.project("1").publish_pool([{"text": "stop"}])
    yield World(settings, store, log, None, FakeJobs(), None)  # type: ignore[arg-type]
    log.close()


def below(folder: Path) -> dict[str, bytes]:
    """All files but the log's database."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("log.db"))
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


class Children:
    """Trainers that know some rows, and timers, instead of processes."""

    def __init__(self, **right: float) -> None:
        self.right = right
        self.asked: list[tuple[str, str, int]] = []
        self.snapshots: list[Snapshot] = []
        self.pools: list[Any] = []

    def __call__(
        self, argv: list[str], report: Path, log: Path, *, threads: int, timeout_s: float
    ) -> dict[str, Any]:
        given = dict(zip(argv[3::2], argv[4::2], strict=True))
        place = Store(Path(given["--store"])).project(given["--project"])
        snapshot = place.snapshot(given["--snapshot"])
        self.snapshots.append(snapshot)
        self.pools.append(place.pool())
        if argv[2] == "lora.speed":
            self.asked.append(("speed", given["--base"], threads))
            assert (Path(given["--adapter"]) / "heads.json").is_file()
            pace = {"tasks": 5, "median_ms": 4.0, "p95_ms": 9.0, "tasks_per_s": 300.0}
            return {**pace, "threads": threads, "memory_mb": {"main": 700}}
        train = json.loads(given["--settings"])
        self.asked.append(("train", train["base"], train["seed"]))
        (Path(given["--out"]) / "heads.json").write_text("{}" * 50)
        names = ["what"] if train["base"] == "minilm" else ["what", "note"]
        share = self.right.get(train["base"], 0.5)
        rows = [e.id for e in snapshot.holdout]
        marks = {
            row: {name: [float(i < share * len(rows))] for name in names}
            for i, row in enumerate(rows)
        }
        scores = {"mean": share, "right": marks}
        return {
            "scores": {"candidate": scores, "cold": scores},
            "seconds": {"fit": 3.0},
            "memory_mb": {"main": 900},
            "notes": [],
        }


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    made = Children(minilm=1.0, smollm=0.5)
    monkeypatch.setattr(room, "run_child", made)
    return made


def test_every_base_and_seed_sees_the_same_snapshot_and_pool(
    world: World, children: Children
) -> None:
    found = compare(world, "1", ["minilm", "smollm"], seeds=2)
    assert children.asked[:4] == [("train", b, s) for b in ("minilm", "smollm") for s in (0, 1)]
    assert [(what, base) for what, base, _ in children.asked[4:]] == [
        ("speed", "minilm"),
        ("speed", "smollm"),
    ]
    assert len({s.hash for s in children.snapshots}) == 1
    assert all(pool == ({"text": "stop"},) for pool in children.pools)
    (snapshot, *_) = children.snapshots
    assert (len(snapshot.train), len(snapshot.holdout), len(snapshot.pool)) == (12, 6, 4)
    assert {type(r).__name__ for e in snapshot.train for r in e.answers} == {"Choice", "Written"}
    assert found.digest == snapshot.hash
    assert [c.adapter_bytes for c in found.contestants] == [100, 100]
    assert {c.name for c in found.contestants[0].schema.controls} == {"what"}


def test_store_and_queue_stay_as_they_were_and_nothing_is_left(
    world: World, children: Children, tmp_path: Path
) -> None:
    before = below(tmp_path)
    compare(world, "1", ["minilm", "smollm"])
    after = below(tmp_path)
    after.pop("store/projects/1/train.lock")  # asked whether somebody trains
    assert after == before
    assert world.jobs.queued == []  # type: ignore[attr-defined]


def test_what_fails_says_why_and_leaves_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(argv: list[str], report: Path, log: Path, **_: Any) -> dict[str, Any]:
        raise TrainingFailed(f"the trainer ended with 2: it needs 30 GB (see {log})")

    monkeypatch.setattr(room, "run_child", fails)
    with pytest.raises(Impossible, match=r"minilm cannot be compared: .* it needs 30 GB$"):
        compare(world, "1", ["minilm", "smollm"])
    assert not list(tmp_path.glob(".compare-*"))


def test_a_base_that_ops_do_not_allow_is_refused_with_the_setting(world: World) -> None:
    with pytest.raises(Impossible, match="'big/one' is not allowed here.*ANNOTUNE_TRAIN_BASES"):
        compare(world, "1", ["minilm", "big/one"])


def test_a_base_that_is_not_there_is_named(world: World) -> None:
    settings = replace(world.settings, train=replace(world.settings.train, bases="/no/where"))
    with pytest.raises(BaseUnavailable, match="/no/where"):
        compare(replace(world, settings=settings), "1", ["minilm", "/no/where"])


def test_a_base_that_serves_no_control_is_refused(world: World, children: Children) -> None:
    world.log.see_config("1", ALONE)
    with pytest.raises(Impossible, match="'minilm' predicts none of this project's controls"):
        compare(world, "1", ["minilm", "smollm"])
    assert children.asked == []


def test_too_few_answers_are_said_before_anything_is_trained(
    tmp_path: Path, world: World, children: Children
) -> None:
    with pytest.raises(Impossible, match="was never pulled; run: annotune once 2"):
        compare(world, "2", ["minilm", "smollm"])
    log = Log(f"sqlite:///{tmp_path / 'other.db'}")
    fill(log, answered=2)
    with pytest.raises(Impossible, match="no blind answers to judge on"):
        compare(replace(world, log=log), "1", ["minilm", "smollm"])
    log.close()
    assert children.asked == []


def test_a_folder_that_a_killed_run_left_is_swept_and_a_living_ones_is_not(tmp_path: Path) -> None:
    dead, alive, young = (tmp_path / f".compare-{name}" for name in ("dead", "alive", "young"))
    for folder in (dead, alive, young):
        folder.mkdir()
        (folder / "lock").touch()
        if folder != young:
            os.utime(folder, (time.time() - 600,) * 2)
    with (alive / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with scratch(tmp_path) as mine:
            assert mine.is_dir()
            left = {p.name for p in tmp_path.iterdir()}
    assert left == {".compare-alive", ".compare-young", mine.name}
    assert not mine.exists()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """A tiny encoder and a tiny causal base of random weights."""
    encoder, causal = tmp_path / "encoder", tmp_path / "causal"
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(encoder)
    tiny_model(len(tokenizer)).save_pretrained(encoder)
    causal_base("llama", causal)
    return str(encoder), str(causal)


@pytest.mark.model  # trains and times two tiny bases in processes of their own
def test_two_bases_are_really_trained_judged_and_timed(
    world: World, folders: tuple[str, str], tmp_path: Path
) -> None:
    train = replace(world.settings.train, base=folders[0], bases=folders[1])
    short = Backend(answer_tokens=4)  # random weights never end a text by themselves
    here = replace(world, settings=replace(world.settings, train=train, backend=short))
    said = json.loads(json.dumps(compare(here, "1", folders).to_dict()))
    small, large = said["bases"]
    assert (small["kind"], large["kind"]) == ("encoder", "causal")
    for base in (small, large):
        assert base["controls"]["what"]["trained"]["n"] == 6
        assert base["controls"]["what"]["cold"]["n"] == 6
        assert base["latency"]["tasks"] == 18 and base["latency"]["tasks_per_s"] > 0
        assert 0 < base["latency"]["median_ms"] <= base["latency"]["p95_ms"]
        assert base["memory_mb"]["train"] > 100 and base["memory_mb"]["serve"] > 100
        assert base["adapter_bytes"] > 1000 and base["seconds"][0]["fit"] > 0
    assert "refused" in small["controls"]["note"]
    assert large["controls"]["note"]["trained"]["metric"] == "chrf"
    assert "6 blind answers are too few" in said["verdicts"][0]["sentence"]
    assert not list(tmp_path.glob(".compare-*"))


@pytest.mark.model  # starts a trainer
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(
    world: World, folders: tuple[str, str], tmp_path: Path, number: int
) -> None:
    env = {**os.environ, "ANNOTUNE_HOME": str(tmp_path), "ANNOTUNE_STUDIO_TOKEN": "x"}
    env |= {"ANNOTUNE_SYNC_SECRET": "x", "ANNOTUNE_TRAIN_BASE": folders[0]}
    env |= {"ANNOTUNE_TRAIN_BASES": folders[1], "ANNOTUNE_TRAIN_STEPS": "100000"}
    before = below(tmp_path)
    argv = [sys.executable, "-m", "sync.cli", "compare", "1", "--bases", ",".join(folders)]
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # `make test &` would ignore it
    how: dict[str, Any] = {"env": env, "cwd": ROOT, "stderr": subprocess.PIPE}
    running = subprocess.Popen(argv, **how, preexec_fn=hears)
    try:
        end = time.monotonic() + 60
        while not any("lora.train" in c.cmdline() for c in psutil.Process(running.pid).children()):
            assert running.poll() is None and time.monotonic() < end, "no training began"
            time.sleep(0.1)
        assert list(tmp_path.glob(".compare-*/store/projects/1/adapters/*.log"))
        running.send_signal(number)
        assert running.wait(60) == 1
    finally:
        running.kill()
        running.communicate()
    after = below(tmp_path)
    after.pop("store/projects/1/train.lock")
    assert after == before
