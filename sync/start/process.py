"""Programs started beside ours: each in its own process group, with a log file and a pid file.

The pid file lets a later run stop what an earlier one left behind after a SIGKILL, and only that:
the recorded start time must match, so a recycled pid is never hit.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess  # nosec B404  # lists, no shell
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from sync.processes import die_with_parent

LOOPBACK = "127.0.0.1"
STOP_S = 15.0  # Label Studio finishes the request it is in; rq's worker its job's clean-up


class StartFailed(RuntimeError):
    """A program did not come up; the message names it, why, and the end of its log."""


@dataclass(frozen=True)
class Process:
    """A running program that we started; stopping it stops its whole process group."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    record: Path

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def stop(self, timeout_s: float = STOP_S) -> None:
        """SIGTERM to the group, SIGKILL after `timeout_s`; done when nothing of it is left."""
        _signal_group(self.popen.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(timeout_s)
        _signal_group(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self.record.unlink(missing_ok=True)

    def log_tail(self, characters: int = 2000) -> str:
        with suppress(OSError):
            return self.log.read_text(encoding="utf-8", errors="replace")[-characters:]
        return ""


def start(
    name: str, command: Sequence[str], folder: Path, env: Mapping[str, str], cwd: Path | None = None
) -> Process:
    """Start a program, its output in `folder/<name>.log`; raises StartFailed if it cannot run."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / f"{name}.pid.json"
    stop_leftover(record)
    log = folder / f"{name}.log"
    with log.open("ab") as out:
        try:
            popen = subprocess.Popen(  # nosec B603  # a list of our own words
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            raise StartFailed(
                f"{name}: {command[0]} cannot be started: {error.strerror}"
            ) from error
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(popen.pid).create_time()
        record.write_text(json.dumps({"pid": popen.pid, "started": started}), encoding="utf-8")
    return Process(name, popen, log, record)


def stop_leftover(record: Path, timeout_s: float = STOP_S) -> bool:
    """Stop what a pid file names if that very process still runs; True when it did."""
    try:
        raw = json.loads(record.read_text(encoding="utf-8"))
        process = psutil.Process(int(raw["pid"]))
        same = abs(process.create_time() - float(raw["started"])) < 0.5
    except (OSError, ValueError, KeyError, psutil.Error):
        same = False
    if same:
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(psutil.Error):
            process.wait(timeout_s)
        _signal_group(process.pid, signal.SIGKILL)
    record.unlink(missing_ok=True)
    return same


def wait_until(process: Process, ready: Callable[[], bool], timeout_s: float) -> None:
    """Wait until `ready()`; raises StartFailed when the program dies first or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if not process.alive:
            code = process.popen.returncode
            raise StartFailed(f"{process.name} ended with {code}:\n{process.log_tail()}")
        if time.monotonic() > deadline:
            raise StartFailed(
                f"{process.name} is not ready after {timeout_s:.0f} s; the same command goes on "
                f"where this one stopped. The end of {process.log}:\n{process.log_tail()}"
            )
        time.sleep(0.2)


def free_port(preferred: int | None = None) -> int:
    """`preferred` if nothing listens there, else a free port of the loopback address."""
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise StartFailed("no free port on the loopback address")


def listens(port: int) -> bool:
    """True when something accepts connections on this port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read: it holds a password or a token."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
