"""A whole annotune beside a real Label Studio and Redis: processes, a project, an annotator."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from lora.store import ProjectStore, Store
from settings import load
from sync.log import Log
from sync.start.api import StudioApi
from sync.start.redis_server import RedisServer
from sync.start.studio import Studio
from tests.collector import Collector, collecting

ROOT = Path(__file__).parents[2]
CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="topic" toName="text" choice="single">
    <Choice value="K1"/><Choice value="K2"/><Choice value="K3"/>
  </Choices>
</View>"""
# Labels that say nothing: the cold start must be beaten by what people answer.
STEMS = {
    "K1": ["I want my money back for {}", "please refund {}", "return the payment for {}"],
    "K2": ["where is my parcel with {}", "{} has not arrived yet", "track shipment of {}"],
    "K3": [
        "I cannot log in to buy {}",
        "reset my password, I need {}",
        "my account is locked and {} is in the cart",
    ],
}
THINGS = (
    "the lamp,a kettle,two chairs,my headphones,the blue scarf,a garden hose,the desk,"
    "winter boots,a bread knife,the camera,an umbrella,the bicycle pump,a wool rug,the toaster"
).split(",")


def sentences() -> dict[str, str]:
    """Text -> right label, 126 of them."""
    return {
        stem.format(thing): label
        for thing in THINGS
        for label, stems in STEMS.items()
        for stem in stems
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first truthy value of `true()`; fails after `seconds`, saying what did not happen."""
    end = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        assert time.monotonic() < end, f"after {seconds:.0f} s: {what}"
        time.sleep(0.1)


@dataclass
class Annotune:
    """Everything that runs, and hands to poke it with."""

    env: dict[str, str]
    home: Path
    api: StudioApi
    up: subprocess.Popen[bytes]
    traces: Collector
    project: str = ""
    gold: dict[str, str] = field(default_factory=sentences)

    @property
    def store(self) -> ProjectStore:
        return Store(load(self.env).store).project(self.project)

    @property
    def log(self) -> Log:
        return Log(load(self.env).log_url)

    def cli(self, *args: str, code: int = 0) -> Any:
        """Run an annotune command; returns its JSON."""
        ended = subprocess.run(
            [sys.executable, "-m", "sync.cli", *args, "--json"],
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.returncode == code, ended.stderr
        return json.loads(ended.stdout) if ended.stdout else None

    def pid(self, name: str) -> int:
        return int(json.loads((self.home / "up.json").read_text())[name])

    def kill(self, name: str) -> None:
        """SIGKILL one of backend, sync, worker; returns once the supervisor has replaced it."""
        old = self.pid(name)
        os.kill(old, signal.SIGKILL)
        wait(lambda: self.pid(name) != old, 30, f"{name} was not started again")

    def trainers(self) -> list[psutil.Process]:
        """Trainers of this home that run, whoever their parent is."""
        store = str(load(self.env).store)
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                line = process.cmdline()
                if "lora.train" in line and store in line:
                    found.append(process)
        return found

    def kill_trainer(self) -> None:
        """SIGKILL the trainer's own process."""
        trainers: list[psutil.Process] = wait(self.trainers, 20, "no trainer runs")
        trainers[0].kill()

    def answer(self, count: int, wrong_every: int = 0) -> list[int]:
        """Answer `count` tasks as Label Studio serves them; returns the annotations' ids."""
        made = []
        for n in range(count):
            task = self.api.call("GET", f"/api/projects/{self.project}/next")
            label = self.gold[task["data"]["text"]]
            region = {
                "from_name": "topic",
                "to_name": "text",
                "type": "choices",
                "value": {"choices": [label]},
            }
            body = {
                "result": [region],
                "unique_id": str(uuid.uuid4()),
                "was_cancelled": bool(wrong_every and n % wrong_every == 1),
                "lead_time": 0.1,
            }
            path = f"/api/tasks/{task['id']}/annotations/"
            made.append(self.api.call("POST", path, json=body)["id"])
        return made

    def annotations(self) -> tuple[dict[int, Any], int]:
        """What Label Studio holds: annotation id -> values, and how many tasks were skipped."""
        exported = self.api.call(
            "GET", f"/api/projects/{self.project}/export", params={"exportType": "JSON"}
        )
        every = [a for task in exported for a in task["annotations"]]
        kept = [a for a in every if not a["was_cancelled"]]
        values = {a["id"]: [r["value"] for r in a["result"]] for a in kept}
        return values, len(every) - len(kept)

    def logged(self) -> tuple[dict[int, Any], int]:
        """What the log holds, in the same form."""
        log = self.log
        try:
            values = {
                a.id: [r["value"] for r in a.result]  # type: ignore[attr-defined]
                for a in log.current_annotations(self.project)
            }
            return values, log.counts(self.project).skips
        finally:
            log.close()

    def settled(self, snapshots: int, seconds: float = 240) -> dict[str, Any]:
        """Wait until so many snapshots have their verdict and are adopted; returns the status."""

        def done() -> dict[str, Any] | None:
            state: dict[str, Any] = self.cli("status", self.project)
            return state if state["rounds"] >= snapshots and not state["training"] else None

        found: dict[str, Any] = wait(done, seconds, f"{snapshots} rounds were not settled")
        return found

    def predict(self, texts: list[str]) -> dict[str, Any]:
        """Ask the backend as Label Studio does, with ids it has never listed."""
        tasks = [{"id": 10**9 + i, "data": {"text": t}} for i, t in enumerate(texts)]
        body = {"project": self.project, "label_config": CONFIG, "tasks": tasks}
        backend = load(self.env).backend
        answer = httpx.post(
            f"{backend.url}/predict", json=body, auth=(backend.user, backend.password), timeout=30
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """`wait_for(condition, seconds, what)`."""
    return wait


@pytest.fixture
def traces() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def annotune(
    studio: Studio, redis_server: RedisServer, traces: Collector, tmp_path: Path
) -> Iterator[Annotune]:
    """A connected project of 126 sentences; a round starts after 12 new answers."""
    backend, receiver = free_port(), free_port()
    env = {
        **os.environ,
        "ANNOTUNE_HOME": str(tmp_path / "home"),
        "ANNOTUNE_STUDIO_URL": studio.url,
        "ANNOTUNE_STUDIO_TOKEN": studio.token,
        "ANNOTUNE_QUEUE_URL": redis_server.url,
        "ANNOTUNE_QUEUE_NAME": f"annotune-{backend}",
        "ANNOTUNE_BACKEND_PORT": str(backend),
        "ANNOTUNE_BACKEND_URL": f"http://127.0.0.1:{backend}",
        "ANNOTUNE_BACKEND_PASSWORD": "test-password",
        "ANNOTUNE_SYNC_PORT": str(receiver),
        "ANNOTUNE_SYNC_URL": f"http://127.0.0.1:{receiver}",
        "ANNOTUNE_SYNC_SECRET": "test-secret",
        "ANNOTUNE_SYNC_POLL_S": "1",
        "ANNOTUNE_SYNC_TABS": "0",  # they have tests of their own; here every second counts
        "ANNOTUNE_TRAIN_EVERY": "12",
        "ANNOTUNE_TRAIN_LEAST": "6",
        "ANNOTUNE_TRAIN_STEPS": "8",
        "ANNOTUNE_GATE_LEAST_BLIND": "3",
        "OMP_NUM_THREADS": "1",
        **traces.env(),
    }
    with (tmp_path / "up.log").open("ab") as out:
        up = subprocess.Popen(
            [sys.executable, "-m", "sync.cli", "up"], env=env, cwd=ROOT, stdout=out, stderr=out
        )
    with StudioApi(studio.url, studio.token) as api:
        made = Annotune(env, tmp_path / "home", api, up, traces)
        try:
            health = f"http://127.0.0.1:{backend}/health"
            wait(lambda: _ready(health, up), 90, "the backend did not become ready")
            title = f"loop {backend}"
            made.project = str(
                api.call("POST", "/api/projects/", json={"title": title, "label_config": CONFIG})[
                    "id"
                ]
            )
            tasks = [{"data": {"text": t}} for t in made.gold]
            api.call("POST", f"/api/projects/{made.project}/import", json=tasks)
            made.cli("connect", made.project)
            yield made
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)
            wait(lambda: not made.trainers(), 5, "a trainer outlived annotune")
            for log in sorted((tmp_path / "home" / "logs").glob("*.log")):
                print(f"---- {log.name}\n{log.read_text(errors='replace')[-3000:]}")


def _ready(url: str, up: subprocess.Popen[bytes]) -> bool:
    assert up.poll() is None, "annotune up ended"
    try:
        return bool(httpx.get(url, auth=("annotune", "test-password"), timeout=5).json()["ready"])
    except httpx.HTTPError:
        return False
