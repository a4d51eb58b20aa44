"""The backend as a process: builds the real collaborators and serves until it is told to stop.

The port is bound before the model loads, so /health and /setup answer from the first second.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import cast

from flask import Flask

import log_lines
import tracing
from jobs import Jobs
from lora.base import Base, load_base, load_reader
from lora.causal.remote.client import Kind, Server
from lora.engine import LaneSettings
from lora.lane import Observe, unobserved
from lora.live import Live
from lora.opened import open_store
from lora.recipe import kind_of
from lora.store import Store
from ml_backend.app import create_app
from ml_backend.metrics import Metrics
from ml_backend.wsgi import make_server
from settings import Backend, InvalidSetting, Settings, load
from settings_guard import missing_password, warnings

log = logging.getLogger(__name__)


def main(environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM or Ctrl-C; 0 when stopped so, 2 on a bad setting, 1 on a taken port."""
    log_lines.set_up(environ)
    try:
        settings = load(environ)
    except InvalidSetting as error:
        log.error("%s", error)
        return 2
    if missing := missing_password(settings):
        log.error("%s", missing)
        return 2
    for warning in warnings(settings):
        log.warning("%s", warning)
    tracing.start("annotune-backend", environ)
    store = open_store(settings, serves=True)
    jobs = Jobs(settings.queue.url, settings.queue.name, settings.queue.timeout_s)
    metrics = Metrics(release())
    live = make_live(settings, store, metrics.observe)
    try:
        versions = partial(all_versions, store)
        app = create_app(settings.backend, live, jobs, versions, release(), metrics)
    except ValueError as error:
        log.error("ANNOTUNE_BACKEND_URLS: %s", error)
        return 2
    return serve(settings, app, live)


def serve(settings: Settings, app: Flask, live: Live) -> int:
    """Bind, start the model's threads, answer requests; on a signal finish those under way."""
    try:
        server = make_server(app, settings.backend)
    except OSError as error:
        where = f"{settings.backend.host}:{settings.backend.port}"
        log.error("cannot listen on %s: %s", where, error.strerror or error)
        return 1
    with closing(live):
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
        try:
            live.start()
            log.info("listening on %s:%d", settings.backend.host, settings.backend.port)
            server.run()  # swallows the SystemExit of _stop once requests have finished
        except SystemExit:
            pass
    log.info("stopped")
    return 0


def _stop(signum: int, frame: FrameType | None) -> None:
    for again in (signal.SIGTERM, signal.SIGINT):
        signal.signal(again, signal.SIG_IGN)  # stopping is under way; let it finish
    raise SystemExit(0)


def make_live(settings: Settings, store: Store, observe: Observe = unobserved) -> Live:
    """The serving model as the settings want it; not started yet. `observe` hears of batches."""
    own = settings.backend
    return Live(
        store,
        base_loader(own.quantize, remote=bool(own.engine_url)),
        settings.train.base,
        allowed=names(settings.train.bases),
        poll_s=own.poll_s,
        max_text=own.max_text,
        memory_mb=own.memory_mb,
        lane=LaneSettings(
            own.queue,
            own.gather_ms / 1000,
            own.serve,
            own.dtype,
            own.answer_tokens,
            own.answer_s,
            engine_server(own),
        ),
        observe=observe,
    )


def engine_server(own: Backend) -> Server | None:
    """The server that answers for causal bases, if not ourselves."""
    if not own.engine_url:
        return None
    kind = cast(Kind, own.engine_kind)  # settings.load has looked
    return Server(own.engine_url, own.engine_key, kind, own.engine_model, own.engine_store)


def base_loader(quantize: str = "", remote: bool = False) -> Callable[[str], Base]:
    """Loads bases; half the cores, as a trainer and Label Studio often sit beside us. `quantize`:
    of causal ones, as in settings.Backend; `remote`: a server holds their weights."""
    threads = max(1, (os.cpu_count() or 2) // 2)

    def load_one(name: str) -> Base:
        if remote and kind_of(name) == "causal":
            return load_reader(name)
        four = quantize if quantize and kind_of(name) == "causal" else ""
        return load_base(name, threads=threads, quantize=four)

    return load_one


def names(listed: str) -> tuple[str, ...]:
    """What a setting lists between commas."""
    return tuple(part.strip() for part in listed.split(",") if part.strip())


def all_versions(store: Store) -> list[str]:
    """Every complete version of every project; their names differ by the recipe's digits."""
    return [m.version for project in store.projects() for m in store.project(project).versions()]


def release() -> str:
    """The installed version of the program, or where it runs from when it is not installed."""
    try:
        return version("annotune")
    except PackageNotFoundError:
        return "checkout"
