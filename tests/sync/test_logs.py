"""The logs of three processes, read as one; cut off, they go on."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from sync import logs
from sync.logs import Line, NoLogs, follow, keep_short, last_lines, log_file


def written(home: Path, process: str, text: str) -> Path:
    path = log_file(home, process)
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as log:
        log.write(text)
    return path


def test_lines_come_in_the_order_of_time_and_a_traceback_stays_together(tmp_path: Path) -> None:
    written(tmp_path, "sync", "2026-11-23 05:00:01,000 INFO a\n2026-11-23 05:00:04,000 INFO d\n")
    written(tmp_path, "backend", "2026-11-23 05:00:02,000 ERROR b\n  File x\nKeyError\n")
    found = last_lines(tmp_path, ["backend", "sync"], 10)
    assert [line.text.split()[-1] for line in found] == ["a", "b", "x", "KeyError", "d"]
    assert found[0].process == "sync"
    assert last_lines(tmp_path, ["backend", "sync"], 2) == found[-2:]


def test_lines_of_json_are_put_in_order_too(tmp_path: Path) -> None:
    for process, second in (("sync", 1), ("backend", 2), ("sync", 3)):
        at = f"2026-11-23T05:00:0{second}.5+00:00"
        written(tmp_path, process, json.dumps({"at": at, "message": second}) + "\n")
    found = last_lines(tmp_path, ["backend", "sync"], 10)
    assert [json.loads(line.text)["message"] for line in found] == [1, 2, 3]


def test_a_log_that_nobody_writes_says_who_would(tmp_path: Path) -> None:
    with pytest.raises(NoLogs, match="worker.log: `annotune up` writes it"):
        last_lines(tmp_path, ["worker"], 5)


def test_following_hears_what_comes_and_goes_on_after_a_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST", 30)
    monkeypatch.setattr(logs, "LOOK_S", 0.01)
    path = written(tmp_path, "sync", "before\n" * 8)
    stop = threading.Event()
    heard = follow(tmp_path, ["sync", "worker"], stop)
    threading.Timer(0.1, lambda: written(tmp_path, "sync", "half")).start()
    threading.Timer(0.2, lambda: written(tmp_path, "sync", " a line\nmore\n")).start()
    assert [next(heard), next(heard)] == [Line("sync", "half a line"), Line("sync", "more")]
    keep_short(path)
    assert path.stat().st_size == 0 and path.with_name("sync.log.1").stat().st_size > 30
    written(tmp_path, "sync", "after\n")
    assert next(heard) == Line("sync", "after")
    stop.set()
    assert list(heard) == []


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "sync", "one\n")
    keep_short(path)
    keep_short(tmp_path / "none.log")
    assert path.read_text() == "one\n" and not path.with_name("sync.log.1").exists()


def test_a_full_disk_costs_the_older_part_and_does_not_fill_up_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logs, "LARGEST", 3)
    monkeypatch.setattr(shutil, "copyfile", full)
    path = written(tmp_path, "sync", "one\ntwo\n")
    keep_short(path)
    assert path.read_text() == "" and not path.with_name("sync.log.1").exists()


def test_no_line_can_move_the_terminal() -> None:
    assert Line("sync", "a\x1b[2Jb\tc\r").plain == "a?[2Jb\tc?"
