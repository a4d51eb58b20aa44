"""Everything that runs on this machine: Redis, Label Studio, `annotune up`; one folder holds all.

A second start on the same folder finds the same account, secrets, store and log, and where it can
the same ports.
"""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import subprocess  # nosec B404  # lists, no shell
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings import Settings, load
from settings_guard import DEMO
from sync.start.process import (
    LOOPBACK,
    Process,
    StartFailed,
    free_port,
    listens,
    start,
    wait_until,
    write_private,
)
from sync.start.redis_server import RedisServer, start_redis
from sync.start.studio import LOCK_S, Studio, start_studio

ROOT = Path(__file__).resolve().parents[2]
ENV_FILE = "annotune.env"
READY_S = 600.0  # a few seconds on idle cores, minutes where others use them; a dead one is noticed


class CommandFailed(RuntimeError):
    """One of our own commands ended with an error; the message is its own."""


@dataclass(frozen=True)
class House:
    """The running programs and the settings they share."""

    folder: Path
    environ: Mapping[str, str]
    studio: Studio
    redis: RedisServer
    up: Process
    settings: Settings

    def command(self, *arguments: str) -> Any:
        """Run `annotune ARGUMENTS --json` and return what it printed; raises CommandFailed."""
        argv = [*annotune(self.folder), *arguments, "--json"]
        done = subprocess.run(  # nosec B603  # a list of our own words
            argv, env=dict(self.environ), cwd=ROOT, capture_output=True, text=True, timeout=600
        )
        if done.returncode:
            raise CommandFailed(
                f"annotune {arguments[0]} ended with {done.returncode}: {done.stderr}"
            )
        return json.loads(done.stdout)

    def verdicts(self, project: int) -> set[Path]:
        """The files of a project's verdicts in the store."""
        return set((self.settings.store / "projects" / str(project) / "verdicts").glob("*.json"))


def annotune(folder: Path) -> list[str]:
    """The command line that runs our program on this folder's settings."""
    return [sys.executable, "-m", "sync.cli", "--env-file", str(folder / ENV_FILE)]


def in_words(folder: Path) -> str:
    """The same as a person types it where they are; a checkout has no `annotune` on the PATH."""
    here, python = Path.cwd(), Path(sys.executable)
    if shutil.which("annotune"):
        program = "annotune"
    else:
        within = python.is_relative_to(here)
        program = f"{python.relative_to(here) if within else python} -m sync.cli"
    return f"{program} --env-file {shlex.quote(str(folder / ENV_FILE))}"


@contextmanager
def open_house(
    folder: Path,
    environ: Mapping[str, str],
    extra: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[House]:
    """Start Redis, Label Studio and annotune, hand them out, stop them in reverse order.

    `extra`: more ANNOTUNE_ settings, for instance ANNOTUNE_TRAIN_EVERY; `tell`: what is being
    started. Raises StartFailed.
    """
    folder = folder.resolve()
    env = _foreign(environ)
    with ExitStack() as stack:
        tell("starting Redis")
        redis = start_redis(folder / "redis", env)
        stack.callback(redis.process.stop)
        tell("starting Label Studio")
        studio = start_studio(folder / "label-studio", env)
        stack.callback(studio.process.stop)
        tell("starting annotune")
        yield stack.enter_context(run_annotune(folder, env, studio, redis, extra))


@contextmanager
def run_annotune(
    folder: Path,
    environ: Mapping[str, str],
    studio: Studio,
    redis: RedisServer,
    extra: Mapping[str, str] | None = None,
) -> Iterator[House]:
    """Run `annotune up` beside a running Label Studio and Redis; raises StartFailed."""
    folder, environ = folder.resolve(), _foreign(environ)
    values = write_environment(folder, studio, redis, _ports(folder)) | dict(extra or {})
    write_private(folder / ENV_FILE, "".join(f"{k}={v}\n" for k, v in values.items()))
    settings = load(values)
    up = start("annotune", [*annotune(folder), "up"], folder, environ, cwd=ROOT)
    try:
        ports = (settings.backend.port, settings.sync.port)
        wait_until(up, lambda: all(map(listens, ports)), READY_S)
        yield House(folder, environ, studio, redis, up, settings)
    finally:
        up.stop(30.0)


def _foreign(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of ours: the folder's own count."""
    return {k: v for k, v in environ.items() if not k.startswith("ANNOTUNE_")}


def write_environment(
    folder: Path, studio: Studio, redis: RedisServer, ports: Mapping[str, int]
) -> dict[str, str]:
    """The ANNOTUNE_ settings of this folder."""
    secret = _secrets(folder / "secrets.json")
    return {
        "ANNOTUNE_HOME": str(folder / "home"),
        "ANNOTUNE_STUDIO_URL": studio.url,
        "ANNOTUNE_STUDIO_TOKEN": studio.token,
        "ANNOTUNE_STUDIO_LOCK_S": str(LOCK_S),
        "ANNOTUNE_QUEUE_URL": redis.url,
        "ANNOTUNE_BACKEND_PORT": str(ports["backend"]),
        "ANNOTUNE_BACKEND_URL": f"http://{LOOPBACK}:{ports['backend']}",
        "ANNOTUNE_BACKEND_PASSWORD": secret["backend"],
        "ANNOTUNE_SYNC_PORT": str(ports["sync"]),
        "ANNOTUNE_SYNC_URL": f"http://{LOOPBACK}:{ports['sync']}",
        "ANNOTUNE_SYNC_SECRET": secret["sync"],
        "ANNOTUNE_SYNC_POLL_S": "2",
        "ANNOTUNE_PAGE_PASSWORD": secret["page"],
        # served so exactly that each answer can be compared with what its version says alone
        "ANNOTUNE_BACKEND_DTYPE": "float32",
    }


def _secrets(path: Path) -> dict[str, str]:
    """This folder's passwords: marked as the demo's, so that nobody listens beyond this machine
    with them (settings_guard.py)."""
    made: dict[str, str] = {}
    if path.exists():
        made = json.loads(path.read_text(encoding="utf-8"))
    known = {name: secret for name, secret in made.items() if secret.startswith(DEMO)}
    wanted = ("backend", "sync", "page")
    made = {name: known.get(name) or DEMO + secrets.token_urlsafe(16) for name in wanted}
    if made != known:
        write_private(path, json.dumps(made))
    return made


def _ports(folder: Path) -> dict[str, int]:
    """The ports of the last run where they are still free; kept for the next one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ports.json"
    last = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    ports = {name: free_port(last.get(name)) for name in ("backend", "sync")}
    if len(set(ports.values())) != len(ports):
        raise StartFailed(f"no two free ports on {LOOPBACK}")
    path.write_text(json.dumps(ports), encoding="utf-8")
    return ports
