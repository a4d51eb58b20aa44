"""`annotune replay` and `annotune curve`, as an admin runs them: a log, a folder, no server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sync.cli import main
from sync.log import Log
from tests.sync.replay.made import Workers, put_in, raw_rows
from tests.sync.replay.test_rows import fill

Run = Callable[..., Result]
TRAIN = {"ANNOTUNE_TRAIN_EVERY": "10", "ANNOTUNE_TRAIN_THREADS": "1"}


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    put_in(monkeypatch, Workers())
    monkeypatch.setenv("ANNOTUNE_HOME", str(tmp_path / "home"))
    for name, value in TRAIN.items():
        monkeypatch.setenv(name, value)
    return lambda *args: CliRunner().invoke(main, args)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    place.mkdir()
    (place / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in raw_rows(75)))
    return place


def test_a_folder_is_replayed_in_two_goes(run: Run, folder: Path, tmp_path: Path) -> None:
    args = ("replay", str(folder), "--seeds", "1", "--counts", "2", "--most", "20")
    first = run(*args, "--cells", "1")
    assert first.exit_code == 0, first.output
    assert "3 trainings are missing still; the same command goes on" in first.output
    out = tmp_path / "out"
    done = run(*args, "--out", str(out), "--json")
    told = json.loads(done.stdout)
    assert told["missing"] == 0 and set(told["arms"]) == {"random", "ours"}
    assert "no source is on" in told["without_expansion"]
    assert (out / "replay.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "replay.json").read_text())["counts"] == [10, 20]


def test_what_is_neither_a_folder_nor_a_project_is_said(run: Run) -> None:
    told = run("replay", "7")
    assert told.exit_code == 4
    assert "neither a folder nor a connected project" in told.output


def test_a_project_too_small_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    log = Log(f"sqlite:///{tmp_path / 'home' / 'log.db'}")
    fill(log, 2, [3.0] * 9)
    log.close()
    told = run("replay", "1")
    assert told.exit_code == 5
    assert "7 answers to give and 2 to judge on; a replay needs 20" in told.output


def test_a_project_is_replayed_in_its_own_folder_and_serves_on(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    log = Log(f"sqlite:///{home / 'log.db'}")
    fill(log, 5, [36.0] * 45)
    log.close()
    told = run("replay", "1", "--seeds", "1", "--counts", "2", "--most", "20", "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["lead_s"] == 36.0
    assert list((home / "store" / "projects" / "1" / "replays").iterdir())
    assert not (home / "store" / "projects" / "1" / "CURRENT.json").exists()


def test_a_replay_gives_way_to_forgetting(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "store" / "projects" / "1").mkdir(parents=True)
    log = Log(f"sqlite:///{home / 'log.db'}")
    fill(log, 5, [36.0] * 45)
    log.close()
    wish = {"kind": "task", "id": 9, "at": "2026-11-23T00:00:00+00:00", "by": "Anna"}
    (home / "store" / "projects" / "1" / "wishes.json").write_text(json.dumps([wish]))
    told = run("replay", "1", "--seeds", "1", "--counts", "2", "--most", "20")
    assert told.exit_code == 5
    assert "is to be forgotten" in told.output


def test_the_curve_of_a_project_without_rounds_says_why_there_is_none(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    log = Log(f"sqlite:///{tmp_path / 'home' / 'log.db'}")
    fill(log, 1, [1.0] * 3)
    log.close()
    told = run("curve", "1")
    assert told.exit_code == 0
    assert "no round was judged on 10 blind answers yet" in told.output
    assert json.loads(run("curve", "1", "--json").stdout)["ahead"] is None
    assert run("curve", "8").exit_code == 4
