"""What was started is stopped, and only that."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sync.start.process import StartFailed, free_port, start, stop_leftover, wait_until

PARENT = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); "
PARENT += "print(p.pid, flush=True); time.sleep(60)"


def test_stopping_takes_the_whole_group_along(tmp_path: Path) -> None:
    process = start("parent", [sys.executable, "-c", PARENT], tmp_path, os.environ)
    wait_until(process, lambda: process.log_tail() != "", 10)
    child = int(process.log_tail())
    process.stop()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child outlived its group"
    assert not process.record.exists()


def test_what_a_killed_run_left_behind_is_stopped_by_the_next(tmp_path: Path) -> None:
    left = start("sleeper", ["sleep", "60"], tmp_path, os.environ)
    again = start("sleeper", ["sleep", "60"], tmp_path, os.environ)
    alive = again.alive
    again.stop()
    left.popen.wait(5)
    assert alive and not psutil.pid_exists(left.popen.pid)


def test_a_recycled_pid_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record = tmp_path / "sleeper.pid.json"
        started = psutil.Process(stranger.pid).create_time() - 100
        record.write_text(json.dumps({"pid": stranger.pid, "started": started}))
        assert not stop_leftover(record)
        assert stranger.poll() is None
        stranger.terminate()


def test_a_program_that_dies_at_once_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('no port left'); sys.exit(3)"]
    process = start("dying", command, tmp_path, os.environ)
    with pytest.raises(StartFailed, match=r"dying ended with 3:\n[\s\S]*no port left"):
        wait_until(process, lambda: False, 10)
    process.stop()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="ghost: /no/such/program cannot be started"):
        start("ghost", ["/no/such/program"], tmp_path, os.environ)


def test_a_free_port_is_kept_and_a_taken_one_given_up() -> None:
    import socket

    port = free_port()
    assert free_port(port) == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert free_port(port) != port
