"""Model work in child processes: sync starts them, waits for them, and stays free of torch.

A child dies with us, says what went wrong in its log, and leaves its result in a report.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess  # nosec B404  # lists, no shell
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from lora.causal.launch import command
from lora.errors import LoraError
from lora.recipe import kind_of
from settings import Settings
from sync.processes import die_with_parent

WORDS = 300  # code points of a child's last line


Starter = Callable[[Sequence[str], Mapping[str, str], IO[bytes], float], "int | None"]
"""Runs a command to its end: words, environment, where it writes to, seconds it may take."""

_starter: ContextVar[Starter] = ContextVar("starter")


class TrainingFailed(Exception):
    """A child ended without its result; the message carries its last words."""


def trainer(
    settings: Settings,
    store: Path,
    project: str,
    snapshot: str,
    out: Path,
    champion: str | None,
    beside: str | None = None,
) -> list[str]:
    """The command line of `python -m lora.train` under these settings, for a store at any place."""
    several = settings.train.gpus > 1 and kind_of(settings.train.base) == "causal"
    start = settings.train if several else replace(settings.train, gpus=1)
    argv = [*command("lora.train", start), "--store", str(store)]
    argv += ["--project", project, "--snapshot", snapshot, "--out", str(out)]
    argv += ["--settings", json.dumps(asdict(settings.train))]
    own = settings.backend
    argv += ["--serve", own.serve, "--dtype", own.dtype, "--quantize", own.quantize]
    argv += ["--champion", champion] if champion else []
    return argv + (["--beside", beside] if beside else [])


def run_child(
    argv: Sequence[str], report: Path, log: Path, *, threads: int, timeout_s: float
) -> dict[str, Any]:
    """Run a child to its end and read the report it wrote.

    Raises what `run` raises, and LoraError when its report cannot be read.
    """
    run(argv, log, threads=threads, timeout_s=timeout_s)
    try:
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoraError(f"the trainer's report {report} cannot be read: {error}") from error
    return found


def run(
    argv: Sequence[str],
    log: Path,
    *,
    threads: int,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a child to its end. An exception, Ctrl-C too, kills it. `env`: beside our own.

    Raises TrainingFailed when it fails or takes longer than `timeout_s`.
    """
    own = {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        start = _starter.get(cold)
        code = start(argv, {**os.environ, **own, **(env or {})}, sink, timeout_s)
    if code is None:
        raise TrainingFailed(
            f"the trainer was stopped after {timeout_s:.0f} s; ANNOTUNE_QUEUE_TIMEOUT_S allows "
            f"more (see {log})"
        )
    if code != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        last = tail[0][:WORDS] if tail else "it said nothing"
        raise TrainingFailed(f"the trainer ended with {code}: {last} (see {log})")


@contextmanager
def started_by(starter: Starter) -> Iterator[None]:
    """Have children started so, in this thread, instead of as `cold` does."""
    before = _starter.set(starter)
    try:
        yield
    finally:
        _starter.reset(before)


def cold(
    argv: Sequence[str], env: Mapping[str, str], sink: IO[bytes], timeout_s: float
) -> int | None:
    """Start a new process; its exit code, None where it was killed because it took too long."""
    child: subprocess.Popen[bytes] | None = None
    try:
        with _held():
            child = subprocess.Popen(  # nosec B603  # a list of our own words
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                preexec_fn=die_with_parent,
            )
        return child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if child is not None and child.poll() is None:
            child.kill()
            child.wait()


@contextmanager
def _held() -> Iterator[None]:
    """Interrupts wait until a child has begun: Python's own hooks around a fork swallow the
    exception of one that comes in between (7 of 60 did, 0.4 ms apart)."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda number, _: came.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came[:1]:
            signal.raise_signal(late)
