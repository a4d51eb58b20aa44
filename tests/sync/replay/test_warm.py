"""The warm process: imports once, a fork for each step, and all that `cold` promises."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sync.children import TrainingFailed, cold, run, started_by
from sync.replay.warm import Warm, any_gpu

PROGRAM = "tests.sync.replay.program"
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or any_gpu(), reason="all steps are cold: no Linux, or a GPU"
)


@pytest.fixture
def warm() -> Iterator[Warm]:
    with Warm(programs=(PROGRAM,), modules=("json",)) as made:
        yield made


def asked(*args: str) -> list[str]:
    return [sys.executable, "-m", PROGRAM, *args]


def pids(log: Path) -> list[list[str]]:
    return [line.split(" ") for line in log.read_text().splitlines()]


def test_each_step_is_a_fork_of_its_own_with_its_own_environment(
    warm: Warm, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with started_by(warm):
        for told in ("a", "b"):
            run(asked("end", "0"), log, threads=1, timeout_s=60, env={"TOLD": told})
    run(asked("end", "0"), log, threads=1, timeout_s=60)
    (first, one, a), (second, two, b), (alone, three, _) = pids(log)
    assert first == second and len({first, one, two}) == 3, "one process imported, two ran"
    assert (a, b) == ("a", "b")
    assert alone == three != first, "outside nothing is warm"


@pytest.mark.parametrize(
    ("args", "last"),
    [
        (("end", "3"), "3: "),
        (("raise",), "1: ValueError: a broken program"),
        (("exit", "no such thing"), "1: "),
    ],
)
def test_what_fails_fails_as_it_does_cold(
    warm: Warm, tmp_path: Path, args: tuple[str, ...], last: str
) -> None:
    with started_by(warm):
        for _ in range(2):  # and the next one is run
            with pytest.raises(TrainingFailed, match=f"ended with {last}"):
                run(asked(*args), tmp_path / "log", threads=1, timeout_s=60)


def test_what_takes_too_long_is_killed_and_the_next_one_is_run(warm: Warm, tmp_path: Path) -> None:
    log, noted = tmp_path / "log", tmp_path / "pid"
    with started_by(warm):
        run(asked("end", "0"), log, threads=1, timeout_s=60)
        with pytest.raises(TrainingFailed, match="stopped after 5 s"):
            run(asked("sleep", str(noted)), log, threads=1, timeout_s=5)
        assert not psutil.pid_exists(int(noted.read_text()))
        run(asked("end", "0"), log, threads=1, timeout_s=60)
    first, _, last = pids(log)
    assert first[0] == last[0]


def test_what_it_does_not_know_is_run_cold(warm: Warm, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "print('cold')"]
    with (tmp_path / "log").open("ab") as sink:
        assert warm(argv, dict(os.environ), sink, 60) == 0
    assert (tmp_path / "log").read_text() == "cold\n" and warm._process is None


def test_killed_it_is_said_and_steps_are_cold_from_then_on(
    warm: Warm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "log"
    with started_by(warm):
        run(asked("end", "0"), log, threads=1, timeout_s=60)
        assert warm._process is not None
        warm._process.kill()
        warm._process.wait()
        run(asked("end", "0"), log, threads=1, timeout_s=60)
    assert "pay their imports again" in caplog.text
    assert pids(log)[-1][0] == pids(log)[-1][1]


def test_one_that_says_nothing_is_ended_and_its_step_is_cold(
    warm: Warm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "log"
    with started_by(warm):
        run(asked("end", "0"), log, threads=1, timeout_s=60)
        assert warm._process is not None
        process = warm._process
        process.send_signal(signal.SIGSTOP)
        run(asked("end", "0"), log, threads=1, timeout_s=5)
    assert "says nothing; the steps pay their imports again" in caplog.text
    assert pids(log)[-1][0] == pids(log)[-1][1] and process.poll() is not None


@pytest.mark.parametrize("who", ["interrupt", "kill"])
def test_whoever_is_cut_off_leaves_nothing_behind(tmp_path: Path, who: str) -> None:
    noted = tmp_path / "pid"
    code = (
        "import sys, pathlib\nfrom sync.children import run, started_by\n"
        "from sync.replay.warm import Warm\n"
        f"with Warm(programs=({PROGRAM!r},), modules=()) as warm, started_by(warm):\n"
        f"    run([sys.executable, '-m', {PROGRAM!r}, 'sleep', sys.argv[1]],"
        " pathlib.Path(sys.argv[2]), threads=1, timeout_s=60)"
    )
    argv = [sys.executable, "-c", code, str(noted), str(tmp_path / "log")]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        _until(lambda: noted.exists() and noted.read_text())
        step = psutil.Process(int(noted.read_text()))
        parent = step.parent()
        assert parent is not None and parent.pid != process.pid
        process.send_signal(signal.SIGINT if who == "interrupt" else signal.SIGKILL)
        process.wait(20)
    _until(lambda: not any(p.is_running() and p.status() != "zombie" for p in (step, parent)))


def _until(true: object, seconds: float = 30.0) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        threading.Event().wait(0.05)


def test_cold_is_what_runs_where_nobody_says_otherwise(tmp_path: Path) -> None:
    with started_by(cold):
        run(asked("end", "0"), tmp_path / "log", threads=1, timeout_s=60)
    ((imported, ran, _),) = pids(tmp_path / "log")
    assert imported == ran
