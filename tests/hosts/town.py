"""The whole of annotune on hosts of their own, by the commands that `annotune up` runs.

Nothing is shared between them but what their cables carry (and the base, which each has installed
in the same place): each has a home folder, a mirror and a log file of its own.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from lora.opened import open_store
from lora.progress import read_progress
from lora.store import ProjectStore, Store
from settings import load
from sync.start.process import Process, start, wait_until, write_private
from sync.start.redis_server import find_redis
from sync.up import commands
from tests.asking import Asking
from tests.bucket.server import Server
from tests.bucket.server import environment as keys
from tests.faults.kills.held import AFTER_EACH, House, at_rest
from tests.faults.kills.people import CONFIG, LeapingStudio, ScriptedPeople, draw_text
from tests.faults.kills.run import TOKEN
from tests.faults.kills.running import PASSWORD, ROOT, Running, environment, wait
from tests.faults.label_studio import Wire, label_studio
from tests.hosts.net import Host, Net
from tests.postgres import run_postgres

RUNS = {"sync": "sync", "b1": "backend", "b2": "backend", "w1": "worker", "w2": "worker"}
BACKENDS, WORKERS = ("b1", "b2"), ("w1", "w2")
HOSTS = ("redis", "postgres", "s3", "studio", *RUNS)
PORTS = {"redis": 6379, "backend": 9090, "sync": 9091}
TASKS, ANSWERS = 110, 90
LEASE_S = 10.0
PATIENCE_S = 240.0  # of a machine that does other things first


@dataclass
class Town(Running):
    """What runs, as seen by somebody who looks at all hosts; its own home is the onlooker's."""

    net: Net = field(default_factory=Net)
    server: Server = field(default_factory=Server)
    people: ScriptedPeople = cast(ScriptedPeople, None)
    asking: dict[str, Asking] = field(default_factory=dict)
    _opened: Store | None = None

    @property
    def store(self) -> ProjectStore:
        """As the bucket has it now, all snapshots brought."""
        self._opened = self._opened or open_store(self.settings)
        found = self._opened.project(self.project)
        for digest in found.snapshots():
            found.snapshot(digest)
        return found

    @property
    def version(self) -> str | None:
        """What CURRENT names in the bucket."""
        return self.store.current().version

    def everybody_changes_their_mind(self) -> None:
        """In one moment for who reads it: a round of all of it, whose candidate is the better."""
        with self.people.wire.lock:
            self.people.change_their_minds()

    # ---- one host

    def env_of(self, name: str) -> dict[str, str]:
        place = self.folder / name
        own = {**self.env, "ANNOTUNE_HOME": f"{place}/home", "ANNOTUNE_CACHE": f"{place}/cache"}
        if RUNS[name] != "sync":  # backends and workers never reach the log's database
            del own["ANNOTUNE_SYNC_LOG"]
        return own

    def start(self, name: str) -> None:
        env = self.env_of(name)
        argv = next(c.argv for c in commands(load(env), env) if c.name == RUNS[name])
        words = self.net.hosts[name].words(argv)
        self.services[name] = start(name, words, self.folder / name, env, cwd=ROOT)

    def told(self, name: str) -> Mapping[str, Any]:
        """What a backend or sync says on /health to who asks on its own host."""
        url = f"http://127.0.0.1:{PORTS[RUNS[name]]}/health"
        return self.net.hosts[name].inside(lambda: self._get(url)) or {}

    def project_of(self, backend: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.told(backend).get("projects", {}).get(self.project, {})
        return found

    def serves(self, backend: str, version: str) -> None:
        """Wait until a backend says so, with nothing wrong."""

        def says() -> bool:
            told = self.told(backend)
            own = told.get("projects", {}).get(self.project, {})
            well = not own.get("error") and not (told.get("store") or {}).get("problem")
            return bool(own) and own["version"] == version and well

        wait(says, PATIENCE_S, f"{backend} does not serve {version}")

    def answers(self, backend: str, near: bool = True) -> list[str]:
        """The versions of its answers to three tasks that nobody has listed; `near`: as asked on
        its own host, which needs no cable. Raises httpx.HTTPError."""
        draw, host = random.Random("asked"), self.net.hosts[backend]
        tasks = {10**9 + n: draw_text(draw) for n in range(3)}
        url = f"http://{'127.0.0.1' if near else host.address}:{PORTS['backend']}"

        def ask() -> list[str]:
            return [str(p["model_version"]) for p in self.predict(CONFIG, tasks, url)]

        return host.inside(ask) if near else ask()

    def missed(self, backend: str) -> str:
        """What a backend says of the store that it cannot reach."""
        return str((self.told(backend).get("store") or {}).get("problem") or "")

    def at_work(self) -> list[str]:
        """The workers that run a job."""
        return [w for w in WORKERS if self.below_worker("job", w)]

    def fits(self, worker: str) -> bool:
        """Whether a worker's trainer is at its optimiser's steps."""
        home = load(self.env_of(worker)).store / "projects" / self.project
        told = read_progress(home) if self.below_worker("trainer", worker) else None
        return told is not None and told["stage"] == "fit"

    def log_of(self, name: str) -> str:
        return self.services[name].log.read_text(encoding="utf-8", errors="replace")

    # ---- all of them

    def breaches(self) -> dict[str, str]:
        """What does not hold of what tests/faults asks after every kill, and at rest."""
        house = House(self, self.people)
        wait(lambda: self.told("sync").get("status") == "UP", PATIENCE_S, "sync is not well")
        found = {name: check(house) for name, check in AFTER_EACH.items()}
        found["at rest all is shown once"] = at_rest(house)
        for name, asking in self.asking.items():
            odd = asking.wrong or ([] if asking.answered else ["it never answered"])
            found[f"no answer of {name} mixes versions"] = odd[0] if odd else None
        return {name: odd for name, odd in found.items() if odd}

    def at_rest(self) -> str:
        """The version that serves, once nothing is in hand."""
        breaches, version = self.breaches(), self.version
        assert not breaches, breaches
        assert version is not None
        return version

    def stop(self) -> None:
        for process in self.services.values():  # all at once: each ends in its own time
            with suppress(ProcessLookupError):
                os.killpg(process.popen.pid, signal.SIGTERM)
        for process in reversed(self.services.values()):
            process.stop(10)
        if self._log:
            self._log.close()


@contextmanager
def town_on(net: Net, folder: Path, base: Path) -> Iterator[Town]:
    """Everything started, a project connected, its first answers given, and somebody on each
    backend's host who asks all the time."""
    with ExitStack() as kept:
        town = _neighbours(kept, net, folder, base)
        kept.callback(town.stop)
        for name in RUNS:
            town.start(name)
        for name in BACKENDS:
            wait_until(town.services[name], partial(_is_ready, town, name), PATIENCE_S)
        _on_sync(town, "connect", town.project)
        with town.people.wire.lock:
            town.people.work(random.Random("first"), ANSWERS)
        for name in BACKENDS:
            ask = Asking(partial(_said, town, name), 3, 0.5)
            town.asking[name] = kept.enter_context(ask)
        yield town


def _is_ready(town: Town, backend: str) -> bool:
    return bool(town.told(backend).get("ready"))


def _said(town: Town, backend: str) -> list[dict[str, str]]:
    return [{"model_version": version} for version in town.answers(backend)]


def _neighbours(kept: ExitStack, net: Net, folder: Path, base: Path) -> Town:
    """Redis, PostgreSQL, the bucket and Label Studio, each on its host."""
    hosts, studio = net.hosts, LeapingStudio(CONFIG)
    wire: Wire = hosts["studio"].inside(
        lambda: kept.enter_context(label_studio(studio, hosts["studio"].address))
    )
    wire.lock = threading.RLock()  # type: ignore[assignment]  # so that many words are one moment
    people = ScriptedPeople(wire, studio)
    people.add([draw_text(random.Random(n)) for n in range(TASKS)])
    server = hosts["s3"].inside(lambda: kept.enter_context(Server.started(hosts["s3"].address)))
    told = kept.enter_context(pytest.MonkeyPatch.context())
    for name, value in keys(server).items():
        told.setenv(name, value)
    server.make_bucket("town")
    postgres = kept.enter_context(run_postgres(hosts["postgres"].address, hosts["postgres"].words))
    env = environment(folder / "onlooker", wire.url, TOKEN, base)
    redis, queue = _redis(hosts["redis"], folder / "redis", env)
    env |= {"ANNOTUNE_QUEUE_URL": queue, "ANNOTUNE_SYNC_LOG": postgres.log()}
    town = Town(env | _settings(hosts), folder, people.project)
    town.net, town.server, town.people = net, server, people
    town.services["redis"] = redis
    return town


def _settings(hosts: Mapping[str, Host]) -> dict[str, str]:
    """Sync asks the second backend, as behind a balancer that takes it for the nearer one."""
    own = {
        "STORE": "s3://town/store",
        "S3_POLL_S": "0.5",
        "S3_TIMEOUT_S": "2",
        "S3_ATTEMPTS": "1",
        "S3_LEASE_S": f"{LEASE_S:g}",
        "BACKEND_HOST": "0.0.0.0",
        "BACKEND_PORT": str(PORTS["backend"]),
        "BACKEND_URL": f"http://{hosts['b2'].address}:{PORTS['backend']}",
        "SYNC_HOST": "0.0.0.0",
        "SYNC_PORT": str(PORTS["sync"]),
        "SYNC_URL": f"http://{hosts['sync'].address}:{PORTS['sync']}",
        "PAGE_PASSWORD": PASSWORD,
        "STUDIO_TIMEOUT_S": "5",
        "STUDIO_PAGE": "500",
        "TRAIN_STEPS": "300",
    }
    return {f"ANNOTUNE_{name}": value for name, value in own.items()}


def _redis(host: Host, folder: Path, env: Mapping[str, str]) -> tuple[Process, str]:
    """A Redis with a password on a host of its own, and its URL."""
    folder.mkdir(parents=True)
    config, port = folder / "redis.conf", PORTS["redis"]
    lines = [f"bind {host.address}", f"port {port}", f"requirepass {PASSWORD}", 'save ""']
    write_private(config, "\n".join([*lines, "appendonly no", f'dir "{folder}"']) + "\n")
    process = start("redis", host.words([find_redis(env), str(config)]), folder, env)

    def listens() -> bool:
        with suppress(OSError), socket.create_connection((host.address, port), 1.0):
            return True
        return False

    wait_until(process, listens, PATIENCE_S)
    return process, f"redis://:{PASSWORD}@{host.address}:{port}/0"


def _on_sync(town: Town, *words: str) -> None:
    """An annotune command, as somebody on sync's host types it."""
    argv = town.net.hosts["sync"].words([sys.executable, "-m", "sync.cli", *words])
    done = subprocess.run(
        argv, env=town.env_of("sync"), cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
