"""The training at work: its log, its steps, and a status that goes on."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lora.progress import Progress
from lora.store import Store
from sync.cli import main
from sync.logs import Line, NoLogs
from sync.trainings import follow, in_words, log_of, newest_log, running
from sync.watch import watch

A, B = "a" * 64, "b" * 64


def wrote(home: Path, project: str, snapshot: str, text: str, at: int) -> Path:
    path = log_of(home, project, snapshot)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["logs", *words], env={"ANNOTUNE_HOME": str(home)})


def test_logs_print_the_last_training_of_all_or_of_one_project(tmp_path: Path) -> None:
    assert run(tmp_path, "--training").exit_code == 4
    wrote(tmp_path, "1", A, "fit\njudge\n", 1000)
    wrote(tmp_path, "12", B, "another\n", 2000)
    assert run(tmp_path, "--training").output == "another\n"
    assert run(tmp_path, "--training", "--project", "1", "-n", "1").output == "judge\n"
    none = run(tmp_path, "--training", "--project", "2")
    assert (none.exit_code, "no training of project 2" in none.output) == (4, True)
    assert run(tmp_path, "--project", "1").exit_code == 2
    assert run(tmp_path, "--training", "--process", "sync").exit_code == 2
    assert run(tmp_path, "--training", "--project", "../x").exit_code == 2


def test_following_goes_on_with_the_next_training(tmp_path: Path) -> None:
    first, stop = wrote(tmp_path, "1", A, "past\n", 1000), threading.Event()
    lines = follow(tmp_path, stop)
    came: list[Line] = []

    def read() -> None:
        for line in lines:
            came.append(line)
            if line.text == "one":
                with first.open("a") as out:
                    out.write("the end\n")
                wrote(tmp_path, "1", B, "two\n", 4_000_000_000)
            elif line.text == "two":
                stop.set()

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(100):  # until it has looked where the log ends, so that this is new to it
        with first.open("a") as out:
            out.write("one\n")
        thread.join(0.2)
        if not thread.is_alive():
            break
    stop.set()
    thread.join()
    texts = [line.text for line in came]
    assert texts[0] == "one" and texts[-2:] == ["the end", "two"] and "past" not in texts
    assert newest_log(tmp_path) == log_of(tmp_path, "1", B)


def test_nothing_was_trained_yet(tmp_path: Path) -> None:
    with pytest.raises(NoLogs, match="no training has written"):
        newest_log(tmp_path)


def test_a_training_in_a_line(tmp_path: Path) -> None:
    store = Store(tmp_path).project("1")
    assert running(store, None) is None
    with store.training():
        progress = Progress(store.folder, A)
        progress.stage("fit")
        progress.step(30, 120, 0.2501)
        found = running(store, A)
        assert found and found["left_s"] >= 0
        said = in_words(found)
        assert said.startswith("fitting, 30 of 120 steps, loss 0.25, about ")
        other = running(store, B)
        assert other == {"stage": "start"} and in_words(other) == "starting"


def test_watching_tells_what_is_new_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, told, found = threading.Event(), list[Any](), iter([1, 1, 2, 2, 3])

    def look() -> int:
        one = next(found)
        if one == 3:
            stop.set()
        return one

    watch(look, told.append, stop, every_s=0.0)
    assert told == [1, 2, 3]
