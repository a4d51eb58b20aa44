"""Child processes, supervised as one: started in order, restarted when they die, stopped together.

What was started here is stopped here, and only that: each command is a process group of its own.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import subprocess  # nosec B404  # lists, no shell
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lora.store import write_atomic
from sync.logs import keep_short

logger = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S, STEADY_S = 0.5, 10.0, 30.0
STOP_S = 10.0
PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies (Linux; nothing elsewhere).

    For `preexec_fn`: it keeps a SIGKILLed worker or supervisor from leaving children behind.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(frozen=True)
class Command:
    """One process to keep alive; its output goes to `log`."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path


@dataclass
class _Child:
    command: Command
    process: subprocess.Popen[bytes]
    started: float
    wait_s: float = FIRST_WAIT_S
    restart_at: float | None = None


@dataclass
class Supervisor:
    """Keeps commands alive and writes their pids to `state`, so that others can find them."""

    commands: Sequence[Command]
    state: Path
    _children: list[_Child] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Start everything and watch it until `stop` (or SIGINT/SIGTERM once `on_signals`)."""
        try:
            for command in self.commands:
                self._children.append(_Child(command, _spawn(command), time.monotonic()))
            self._write_state()
            while not self._stop.wait(0.2):
                self._look()
        finally:
            self._end()

    def stop(self) -> None:
        """Ask `run` to stop everything and return."""
        self._stop.set()

    def on_signals(self) -> None:
        """Stop on SIGINT and SIGTERM (main thread only)."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stop())

    def _look(self) -> None:
        for child in self._children:
            now = time.monotonic()
            keep_short(child.command.log)
            if child.restart_at is not None:
                if now >= child.restart_at:
                    child.process, child.started = _spawn(child.command), now
                    child.restart_at = None
                    self._write_state()
            elif child.process.poll() is not None:
                steady = now - child.started > STEADY_S
                child.wait_s = FIRST_WAIT_S if steady else min(child.wait_s * 2, LONGEST_WAIT_S)
                child.restart_at = now + child.wait_s
                logger.warning(
                    "%s ended with %s; starting it again in %.1f s (log: %s)",
                    child.command.name,
                    child.process.returncode,
                    child.wait_s,
                    child.command.log,
                )

    def _write_state(self) -> None:
        pids = {c.command.name: c.process.pid for c in self._children}
        self.state.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.state, json.dumps({"supervisor": os.getpid(), **pids}))

    def _end(self) -> None:
        for child in reversed(self._children):
            _signal_group(child.process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for child in reversed(self._children):
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("%s did not stop in time; killing it", child.command.name)
            _signal_group(child.process, signal.SIGKILL)  # and whatever it left in its group
            child.process.wait()
        self.state.unlink(missing_ok=True)


def _spawn(command: Command) -> subprocess.Popen[bytes]:
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as sink:
        return subprocess.Popen(  # nosec B603  # a list of our own words
            list(command.argv),
            env=dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass  # the whole group has ended already
