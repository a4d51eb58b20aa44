"""Bases at work: each is loaded once, on demand and in the background, and has a lane of its own.

Projects ask for a base by its name, or by the revision an adapter was trained on; two names of the
same weights share one copy.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_config.controls import Schema
from lora.base import Base
from lora.errors import BaseUnavailable
from lora.lane import Lane, Observe, unobserved
from lora.loaded import Loaded, Opened, Pool, open_version, ready
from lora.network import Network, Tree, cast
from lora.networks import network_of
from lora.weights import pick_mode

if TYPE_CHECKING:
    from lora.causal.remote.client import Server

RETRY_S = 15.0  # a base that failed to load is tried again after this long
WARM = ("warm up", "word " * 200)  # a short text and one that fills a window

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Engine(ABC):
    """A base that serves, and its lane. `open` and `ready` are the watcher's."""

    base: Base
    lane: Lane

    @abstractmethod
    def open(self, folder: Path) -> Opened:
        """A complete version of the store; raises BrokenAdapter."""

    @abstractmethod
    def ready(self, opened: Opened | None, schema: Schema, pool: Pool, cold: str) -> Loaded:
        """A version (None: the cold start) turned to a schema."""

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """This base's part of /health."""

    def trouble(self) -> str | None:
        """Why it cannot answer now, though it could before."""
        return None


@dataclass(frozen=True, eq=False)
class LocalEngine(Engine):
    """A base in this process. `side`: a network for the watcher to make adapters with."""

    side: Tree

    def open(self, folder: Path) -> Opened:
        return open_version(self.side, folder)

    def ready(self, opened: Opened | None, schema: Schema, pool: Pool, cold: str) -> Loaded:
        return ready(self.side, opened, schema, pool, cold)

    def report(self) -> dict[str, Any]:
        mode = self.side.mode
        return {
            "revision": self.base.revision,
            "serve": "merged" if mode.merged else "unmerged",
            "dtype": str(mode.dtype).removeprefix("torch."),
            "queue": self.lane.waiting,
        }


@dataclass(frozen=True)
class LaneSettings:
    """How a base serves; the words of settings.Backend. `answer_tokens`, `answer_s`: the limits of
    one decoded answer; `remote`: the server that answers for causal bases, if not ourselves."""

    queue: int = 256
    gather_s: float = 0.002
    serve: str = "auto"
    dtype: str = "float32"
    answer_tokens: int = 256
    answer_s: float = 30.0
    remote: Server | None = None


def start_engine(base: Base, settings: LaneSettings) -> Engine:
    """The engine of a base: the server's that ops named for causal ones, else our own."""
    if settings.remote and base.kind == "causal":
        from lora.causal.remote.engine import start_remote  # here: our own engine needs none of it

        return start_remote(base, settings, settings.remote)
    return start_local(base, settings)


def start_local(base: Base, settings: LaneSettings) -> LocalEngine:
    """Build the networks, warm them up and start the lane."""
    mode = pick_mode(base, settings.serve, settings.dtype)
    if not mode.merged:  # adapters are added on the way: no master copy in float32 is needed
        base = replace(base, model=cast(base.model, mode.dtype))
    network = network_of(base, mode)
    network.activate(WARM, {})
    lane = _warm_lane(network, settings)
    lane.start(network)
    return LocalEngine(base, lane, network.twin())


def _warm_lane(network: Tree, settings: LaneSettings) -> Lane:
    how: dict[str, Any] = {"queue": settings.queue, "gather_s": settings.gather_s}
    how["name"] = f"-{network.base.name}"[:40]
    if isinstance(network, Network):
        network.encode(WARM)
        return Lane(**how)
    from lora.causal.answer import Limits, warm_up  # here: an encoder's server needs none of it
    from lora.causal.lane import CausalLane

    warm_up(network)
    return CausalLane(**how, limits=Limits(settings.answer_tokens, settings.answer_s))


class Engines:
    """The bases of one process. `default` is the server's own base; any thread may ask."""

    def __init__(
        self,
        load: Callable[[str], Base],
        default: str,
        settings: LaneSettings,
        changed: Callable[[], None],
        observe: Observe = unobserved,
    ) -> None:
        """`changed` is called, in a thread of ours, when a base became ready or failed; `observe`
        after each batch, by the lane that answered it."""
        self._load = load
        self._settings = settings
        self._notify = changed
        self._observe = observe
        self.default = default
        self._lock = threading.Lock()
        self._ready: dict[str, Engine] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        self._loading: set[str] = set()
        self._closed = False

    def get(self, name: str, revision: str | None = None) -> Engine | None:
        """The engine of a base; None while it loads, which this call starts if need be.

        `revision`: take any loaded base of these weights. Raises BaseUnavailable for a while after
        it failed to load.
        """
        with self._lock:
            for engine in self._ready.values():
                if revision and engine.base.revision == revision:
                    return engine
            if name in self._ready:
                return self._ready[name]
            why, when = self._failed.get(name, ("", 0.0))
            if why and time.monotonic() - when < RETRY_S:
                raise BaseUnavailable(why)
            if name not in self._loading and not self._closed:
                self._loading.add(name)
                threading.Thread(
                    target=self._start, args=(name,), name="annotune-base", daemon=True
                ).start()
            return None

    def _start(self, name: str) -> None:
        why = ""
        engine: Engine | None = None
        try:
            engine = self._shared(self._load(name))
        except BaseUnavailable as error:
            why = str(error)
        except Exception as error:  # this thread's edge: a base must not leave its askers waiting
            log.exception("base %s could not be loaded", name)
            why = f"base {name!r} cannot be loaded: {type(error).__name__}"
        with self._lock:
            self._loading.discard(name)
            if engine is None:
                log.error("%s", why)
                self._failed[name] = (why, time.monotonic())
            else:
                self._failed.pop(name, None)
                self._ready[name] = engine
            closed = self._closed
        if engine is not None and closed:
            engine.lane.close()
        self._notify()

    def _shared(self, base: Base) -> Engine:
        """The engine of these weights, where another name has brought them already."""
        with self._lock:
            same = [e for e in self._ready.values() if e.base.revision == base.revision]
        if same:
            return same[0]
        engine = start_engine(base, self._settings)
        engine.lane.observe = partial(self._observe, base.name)
        return engine

    def close(self) -> None:
        """End all lanes; a base that still loads is let go when it is there."""
        with self._lock:
            self._closed = True
            engines = list(self._ready.values())
        for engine in engines:
            engine.lane.close()

    @property
    def ready(self) -> bool:
        """Whether the server's own base is loaded and warm."""
        return self.default in self._ready

    def error(self) -> str | None:
        """Why the server's own base is not there, or does not answer."""
        failed, engine = self._failed.get(self.default), self._ready.get(self.default)
        return failed[0] if failed else engine.trouble() if engine else None

    def report(self) -> Mapping[str, Any]:
        """The bases' part of /health."""
        with self._lock:
            found: dict[str, Any] = {name: e.report() for name, e in self._ready.items()}
            found |= {name: {"loading": True} for name in self._loading}
            found |= {name: {"error": why} for name, (why, _) in self._failed.items()}
            return found

    @property
    def waiting(self) -> int:
        with self._lock:
            return sum(lane.waiting for lane in {e.lane for e in self._ready.values()})
