"""The supervisor starts, restarts and stops its processes, and only those."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sync.processes import Command, Supervisor

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def _wait(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _pids(state: Path) -> dict[str, int]:
    return json.loads(state.read_text()) if state.exists() else {}


def test_what_dies_is_started_again_and_all_of_it_stops(tmp_path: Path) -> None:
    state = tmp_path / "up.json"
    commands = [Command(n, SLEEPER, dict(os.environ), tmp_path / f"{n}.log") for n in ("a", "b")]
    supervisor = Supervisor(commands, state)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        _wait(lambda: set(_pids(state)) == {"supervisor", "a", "b"})
        first = _pids(state)
        os.kill(first["a"], signal.SIGKILL)
        _wait(lambda: _pids(state)["a"] != first["a"])
        assert _pids(state)["b"] == first["b"]
        last = _pids(state)
    finally:
        supervisor.stop()
        thread.join(15)
    assert not thread.is_alive() and not state.exists()
    assert not _alive(last["a"]) and not _alive(last["b"])


def test_the_children_of_a_process_stop_with_it(tmp_path: Path) -> None:
    note = tmp_path / "child"
    code = (
        "import subprocess, sys, time, pathlib\n"
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(c.pid)); time.sleep(60)"
    )
    command = Command("parent", [sys.executable, "-c", code], dict(os.environ), tmp_path / "log")
    supervisor = Supervisor([command], tmp_path / "up.json")
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    _wait(lambda: note.exists() and note.read_text() != "")
    supervisor.stop()
    thread.join(15)
    _wait(lambda: not _alive(int(note.read_text())))
