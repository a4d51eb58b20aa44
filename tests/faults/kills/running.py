"""The loop as real processes that a test starts and kills one by one: Redis, backend, sync, worker.

Each is started by the very command that `annotune up` starts it with. Who is killed is started
again by the test, as a container's runtime would, so restarts come in any order.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from lora.store import ProjectStore, Store
from settings import Settings, load
from sync.log import Log
from sync.receiver import SECRET_HEADER
from sync.start.process import LOOPBACK, Process, free_port, start, wait_until
from sync.start.redis_server import find_redis, start_redis
from sync.up import commands

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("redis", "backend", "sync", "worker")
PASSWORD = SECRET = "a-test-password"


class NotInTime(AssertionError):
    """Something that must happen did not; the message says what, and after how long."""


def wait(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first truthy value of `true()`."""
    end = time.monotonic() + seconds
    while not (value := true()):
        if time.monotonic() > end:
            raise NotInTime(f"after {seconds:.0f} s: {what}")
        time.sleep(0.1)
    return value


def environment(home: Path, studio: str, token: str, base: Path | str) -> dict[str, str]:
    """Settings for a loop that turns quickly; a snapshot is never parked, so that kills may come
    as often as they like."""
    backend, receiver = free_port(), free_port()
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("ANNOTUNE_")},
        "ANNOTUNE_HOME": str(home),
        "ANNOTUNE_STUDIO_URL": studio,
        "ANNOTUNE_STUDIO_TOKEN": token,
        "ANNOTUNE_STUDIO_PAGE": "40",
        "ANNOTUNE_BACKEND_PORT": str(backend),
        "ANNOTUNE_BACKEND_URL": f"http://{LOOPBACK}:{backend}",
        "ANNOTUNE_BACKEND_PASSWORD": PASSWORD,
        "ANNOTUNE_SYNC_PORT": str(receiver),
        "ANNOTUNE_SYNC_URL": f"http://{LOOPBACK}:{receiver}",
        "ANNOTUNE_SYNC_SECRET": SECRET,
        "ANNOTUNE_SYNC_POLL_S": "0.5",
        "ANNOTUNE_SYNC_QUIET_S": "2",
        "ANNOTUNE_SYNC_SWEEP_S": "5",
        "ANNOTUNE_SYNC_ATTEMPTS": "1000",
        "ANNOTUNE_SYNC_TABS": "0",
        "ANNOTUNE_TRAIN_BASE": str(base),
        "ANNOTUNE_TRAIN_EVERY": "12",
        "ANNOTUNE_TRAIN_LEAST": "6",
        "ANNOTUNE_TRAIN_STEPS": "40",
        "ANNOTUNE_BLIND_SHARE": "0.4",
        "ANNOTUNE_GATE_LEAST_BLIND": "3",
        "ANNOTUNE_GATE_PLATEAU": "0",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


@dataclass
class Running:
    """What runs, by name."""

    env: dict[str, str]
    folder: Path
    project: str = ""
    services: dict[str, Process] = field(default_factory=dict)
    _argv: dict[str, list[str]] = field(default_factory=dict)
    _dead: set[int] = field(default_factory=set)
    _first: dict[int, tuple[int, int]] = field(default_factory=dict)
    _log: Log | None = None

    @property
    def settings(self) -> Settings:
        return load(self.env)

    @property
    def store(self) -> ProjectStore:
        return Store(self.settings.store).project(self.project)

    @property
    def log(self) -> Log:
        """The annotation log, read beside the sync that writes it."""
        self._log = self._log or Log(self.settings.log_url)
        return self._log

    def in_hand(self) -> bool:
        """Whether a snapshot is to be trained."""
        return self.log.wanted(self.project) is not None

    def tried(self) -> tuple[str, int]:
        """Which snapshot is to be trained, and how often it was queued so far."""
        wanted = self.log.wanted(self.project)
        return (wanted.snapshot, wanted.attempts) if wanted else ("", 0)

    # ---- starting and killing

    def begin(self) -> None:
        """Start everything; the project is not connected yet."""
        redis = start_redis(self.folder / "redis", self.env)
        self.env["ANNOTUNE_QUEUE_URL"] = redis.url
        self.services["redis"] = redis.process
        self._argv["redis"] = [find_redis(self.env), str(self.folder / "redis/redis.conf")]
        for command in commands(self.settings, self.env):
            self._argv[command.name] = list(command.argv)
            self.start(command.name)

    def start(self, name: str) -> None:
        """Start one that does not run."""
        folder = self.folder / name
        self.services[name] = start(name, self._argv[name], folder, self.env, cwd=ROOT)

    def kill(self, name: str) -> bool:
        """SIGKILL a service, or the trainer or the job's process below the worker; False where
        there is none at this moment."""
        if name in SERVICES:
            popen = self.services[name].popen
            os.kill(popen.pid, signal.SIGKILL)
            popen.wait()
            return True
        with suppress(IndexError, psutil.NoSuchProcess):
            victim = self.below_worker(name)[0]
            self._dead |= {p.pid for p in self.below_worker("trainer")}  # a job's dies with it
            victim.kill()
            return True
        return False

    def trains(self) -> bool:
        """Whether a trainer runs that nobody has killed."""
        return any(p.pid not in self._dead for p in self.below_worker("trainer"))

    def at_work(self) -> bool:
        """Whether a job is being done: one that waits in the queue is not cut off by any kill."""
        return self.trains() or bool(self.below_worker("job"))

    def below_worker(self, name: str, worker: str = "worker") -> list[psutil.Process]:
        """The running trainers, or the processes that rq runs jobs in, of one of the services."""
        found = []
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.services[worker].popen.pid).children(True):
                with suppress(psutil.Error):
                    if ("lora.train" in child.cmdline()) == (name == "trainer"):
                        found.append(child)
        return found

    def grown(self, name: str) -> tuple[float, int]:
        """MB and file handles that a service has more than when this was first asked of it."""
        process = psutil.Process(self.services[name].popen.pid)
        now = process.memory_info().rss, process.num_fds()
        then = self._first.setdefault(process.pid, now)
        return round((now[0] - then[0]) / 1e6, 1), now[1] - then[1]

    def stop(self) -> None:
        for name in reversed(SERVICES):
            if name in self.services:
                self.services[name].stop(10)
        if self._log:
            self._log.close()

    # ---- asking

    def cli(self, *words: str) -> Any:
        """Run an annotune command; returns its JSON."""
        argv = [sys.executable, "-m", "sync.cli", *words, "--json"]
        done = subprocess.run(
            argv, env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ready(self) -> bool:
        """Whether the backend has its model."""
        return bool(self.backend_health().get("ready"))

    def backend_health(self) -> Mapping[str, Any]:
        """What the backend says of itself; empty where it does not answer."""
        return self._get(f"{self.settings.backend.url}/health") or {}

    def health(self) -> Mapping[str, Any]:
        """What sync says of the project; empty where sync does not answer."""
        told = self._get(f"{self.settings.sync.url}/health")
        return told["projects"].get(self.project, {}) if told else {}

    def _get(self, url: str) -> Any:
        try:
            how: dict[str, Any] = {"headers": {SECRET_HEADER: SECRET}, "trust_env": False}
            answer = httpx.get(url, auth=("annotune", PASSWORD), timeout=30, **how)
            return answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError):
            return None

    def predict(self, config: str, tasks: Mapping[int, str], url: str = "") -> list[dict[str, Any]]:
        """Ask the backend, or one at `url`, as Label Studio does. Raises httpx.HTTPError."""
        body = {
            "project": self.project,
            "label_config": config,
            "tasks": [{"id": n, "data": {"text": text}} for n, text in tasks.items()],
        }
        where = f"{url or self.settings.backend.url}/predict"
        answer = httpx.post(
            where, json=body, auth=("annotune", PASSWORD), timeout=60, trust_env=False
        )
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    def nudge(self) -> None:
        """A webhook, which may well find nobody."""
        body = {"action": "ANNOTATION_CREATED", "project": {"id": int(self.project)}}
        url, headers = f"{self.settings.sync.url}/webhook", {SECRET_HEADER: SECRET}
        with suppress(httpx.HTTPError):
            httpx.post(url, json=body, headers=headers, timeout=10, trust_env=False)


@contextmanager
def running(
    folder: Path, studio: str, token: str, base: Path | str, more: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A loop that runs until the block ends; its backend is ready. `more`: settings of its own."""
    env = {**environment(folder / "home", studio, token, base), **(more or {})}
    made = Running(env, folder)
    try:
        made.begin()
        wait_until(made.services["backend"], made.ready, 300)
        yield made
    finally:
        made.stop()
