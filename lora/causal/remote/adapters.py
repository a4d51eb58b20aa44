"""Which adapters the server holds: loaded where it can (vLLM), let go when nobody is answered by
them any more.

A version is a name there, and every request of an answer carries it, so no answer mixes two. Who
holds a version's `Remote` is answered by it; when the last holder is gone (Python counts them) the
version is unloaded, and no sooner.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from lora.causal.remote.client import Client
from lora.errors import BaseUnavailable, EngineDown, LoraError, NotTaken, Refused
from lora.store import VERSION
from lora.weights import Weights

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Remote(Weights):
    """What stands for weights that are on the server: `model`, their name there. `adapter`: a
    version's, not the plain base's."""

    model: str = ""
    adapter: bool = False

    @property
    def adapts(self) -> bool:
        return self.adapter


class Adapters:
    """Of one server. Any thread may call it."""

    def __init__(self, client: Client, local: Path | None = None) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._held: weakref.WeakValueDictionary[str, Remote] = weakref.WeakValueDictionary()
        self._folders: dict[str, str] = {}  # of what we loaded, as the server sees them
        self._gone: deque[str] = deque()

    def close(self) -> None:
        """What the server holds, it keeps; nothing is tried again from now on."""
        self._client.close()

    def plain(self, like: Weights) -> Remote:
        """The base without an adapter; raises BaseUnavailable where the server has no such."""
        listed = self._names()
        found = next((name for name in listed if version_of(name) is None), None)
        if found is None:
            raise BaseUnavailable(
                f"the inference server serves {_told(listed)}, but not the plain base"
            )
        return Remote(like.revision, like.mode, model=found)

    def open(self, version: str, folder: Path, like: Weights) -> Remote:
        """A version on the server, loaded there if need be and possible; raises NotTaken."""
        self.sweep()
        with self._lock:
            held = self._held.get(version)
            if held is not None:
                return held
            name, own = self._loaded(version, folder)
            made = Remote(like.revision, like.mode, model=name, adapter=True)
            self._held[version] = made
            if own:
                weakref.finalize(made, self._gone.append, version)
            return made

    def restore(self, model: str) -> bool:
        """Load a version again that a server has forgotten, as it was started anew; whether it is
        one that we had loaded."""
        folder = self._folders.get(model)
        if folder is None:
            return False
        self._client.load(model, folder)
        return True

    def sweep(self) -> None:
        """Let go of versions that answer nobody any more."""
        if not self._gone or not self._lock.acquire(blocking=False):
            return  # nothing to do, or an adapter is being loaded: next time
        try:
            while self._gone:
                self._let_go(self._gone.popleft())
        finally:
            self._lock.release()

    def _let_go(self, version: str) -> None:
        if version in self._held:  # opened again meanwhile
            return
        self._folders.pop(version, None)
        try:
            self._client.unload(version)
        except (LoraError, TimeoutError) as error:
            log.warning("version %s stays on the inference server: %s", version, error)

    def _names(self) -> list[str]:
        """What the server serves; the one that we were told of comes first, listed or not."""
        told, listed = self._client.server.model, list(self._client.models())
        return [told, *(name for name in listed if name != told)] if told else listed

    def _loaded(self, version: str, folder: Path) -> tuple[str, bool]:
        """See to it that the server has a version; its name there, and whether it is ours to let
        go."""
        server = self._client.server
        try:
            if server.kind == "vllm":
                self._folders[version] = _seen_there(folder, server.store)
                self._client.load(version, self._folders[version])
                return version, True
            listed = self._names()
        except (Refused, EngineDown, TimeoutError) as error:
            self._folders.pop(version, None)
            why = str(error) or "it took too long"
            raise NotTaken(f"the inference server does not take {version}: {why}") from error
        found = next((name for name in listed if version_of(name) == version), None)
        if found is not None:
            return found, False
        raise NotTaken(
            f"the inference server serves {_told(listed)} and loads no adapters, so {version} "
            f"waits: start it with what `annotune export {version} --merged` writes, under the "
            f"name {version}, or take one that loads them (ANNOTUNE_BACKEND_ENGINE_KIND=vllm)"
        )


def version_of(name: str) -> str | None:
    """The version that a server's name for a model means: itself, or the last part of a path."""
    last = name.rstrip("/").rpartition("/")[2].removesuffix(".gguf")
    return last if VERSION.match(last) else None


def _seen_there(folder: Path, store: str) -> str:
    """A version's folder as the server sees it; STORE/projects/ID/adapters/VERSION is ours."""
    if not store:
        return str(folder.resolve())
    return str(Path(store, *folder.resolve().parts[-4:]))


def _told(listed: list[str]) -> str:
    return ", ".join(repr(name) for name in listed[:5]) or "nothing"
