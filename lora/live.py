"""Live serving: predictions of the version that CURRENT names, swapped without a gap.

The watcher thread follows each project's CURRENT and makes the next version ready beside the old
one, on the base it was trained on; each base has a lane (lora/lane.py) that answers. A request
takes its Loaded once, at its start, and keeps it for all its batches, so no response mixes two
versions. Versions that nobody asked for lately are let go of when memory is short.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from label_config.controls import Schema
from label_config.values import BLIND, Prediction, Task
from label_config.wire import Texts, task_texts
from lora.answer import Answer
from lora.base import Base
from lora.engine import Engine, Engines, LaneSettings
from lora.errors import BaseUnavailable, NotReady
from lora.follow import Followed, Loading, Serving
from lora.lane import Observe, unobserved
from lora.loaded import Loaded
from lora.store import Store

WAIT_S = 10.0  # longest wait for a version to become ready before a request is refused
BLIND_SCORE = 0.5
PROJECTS = 1000  # projects that are followed; beyond it the least recently used is forgotten
MB = 1_000_000

log = logging.getLogger(__name__)


class Live:
    """Serves all projects of a store. Any thread may call it; start it once, close it once."""

    def __init__(
        self,
        store: Store,
        bases: Callable[[str], Base],
        default: str,
        *,
        allowed: Collection[str] = (),
        poll_s: float,
        max_text: int = 20_000,
        memory_mb: float = 2000,
        lane: LaneSettings | None = None,
        observe: Observe = unobserved,
    ) -> None:
        """`bases` loads a base by its name, `default` being the server's own; `allowed`: others
        that a label config may ask for. `memory_mb`: for adapters; the bases come on top.
        `observe` is called after each batch (lora/lane.py)."""
        self._store = store
        self._default = default
        self._allowed = frozenset(allowed)
        self._poll_s = poll_s
        self._max_text = max_text
        self._memory = memory_mb * MB
        self._changed = threading.Condition()  # guards _projects and each Followed's serving
        self._projects: dict[str, Followed] = {}
        self._stopping = False
        self._nudge = threading.Event()
        own = lane or LaneSettings()
        self._engines = Engines(bases, default, own, self._nudge.set, observe)
        self._swaps, self._evictions = 0, 0
        self._watcher = threading.Thread(target=self._watch, name="annotune-watcher", daemon=True)

    def start(self) -> None:
        """Load the server's own base in the background and begin to follow."""
        self._watcher.start()

    def close(self) -> None:
        """Stop all threads; requests in flight get their answer or NotReady."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._nudge.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._engines.close()

    # ---- asked by requests

    def version(self, project: str, schema: Schema) -> str:
        """The version that predictions for this project and schema carry now; never waits.

        Raises ValueError on a project id that could leave the store.
        """
        followed = self._ask(project, schema)
        return followed.name(schema)

    def predict(
        self,
        project: str,
        schema: Schema,
        tasks: Sequence[Task],
        *,
        bulk: bool = False,
        timeout_s: float = 60,
    ) -> list[Prediction]:
        """One prediction per task, in order, all of one version.

        A blind task and one that cannot be read get an empty prediction with the reason. Raises
        NotReady (still loading), Overloaded (the lane is full, would take longer than `timeout_s`
        at the rate measured so far, or did), and ValueError on an impossible project id; never
        anything because of a task.
        """
        deadline = time.monotonic() + timeout_s
        followed = self._ask(project, schema)
        engine, loaded = self._loaded_for(followed, schema, min(timeout_s, WAIT_S))
        try:
            blind = followed.blind_now()
        except ValueError as error:
            raise NotReady(str(error)) from error
        texts = [task_texts(loaded.schema, task.data, self._max_text) for task in tasks]
        open_rows = [i for i, t in enumerate(texts) if t.by_key and tasks[i].id not in blind]
        left = deadline - time.monotonic()
        rows = [texts[i].inputs for i in open_rows]
        wait = engine.lane.submit(loaded, rows, bulk=bulk, within_s=left)
        answers = dict(zip(open_rows, wait(deadline - time.monotonic()), strict=True))
        return [
            _prediction(task, loaded, task.id in blind, texts[i], answers.get(i))
            for i, task in enumerate(tasks)
        ]

    def loaded(self, project: str) -> Mapping[str, Loaded]:
        """What is ready to serve a project now, by schema digest."""
        followed = self._projects.get(project)
        serving = followed.serving if followed else None
        return dict(serving.ready) if serving else {}

    def health(self) -> dict[str, Any]:
        """What serves, what should, and what went wrong; never waits for a model.

        `ready`: the server's own base is loaded and warm.
        """
        bases = self._engines.report()
        with self._changed:
            projects = {p: f.report() for p, f in self._projects.items()}
        own = bases.get(self._default, {})
        return {
            "base": {"name": self._default, **own} if self._engines.ready else None,
            "error": self._engines.error(),
            "ready": self._engines.ready,
            "bases": bases,
            "projects": projects,
            "store": self._remote(),
            "memory": {"used": sum(p["bytes"] for p in projects.values()), "most": self._memory},
            "queue": self._engines.waiting,
            "swaps": self._swaps,
            "evictions": self._evictions,
        }

    def _remote(self) -> dict[str, Any] | None:
        """The bucket that is followed, and whether it answers; None: the store is a folder."""
        remote = self._store.remote
        if remote is None:
            return None
        at = remote.answered or None
        return {"at": str(remote.address), "answered_at": at, "problem": remote.problem}

    def _ask(self, project: str, schema: Schema) -> Followed:
        with self._changed:
            followed = self._projects.get(project)
            if followed is None:
                place = self._store.project(project)
                followed = Followed(place, self._default, self._allowed)
                self._projects[project] = followed
                self._forget()
            followed.ask(schema)
            if followed.serving is None or schema.digest not in followed.serving.ready:
                self._nudge.set()
            return followed

    def _forget(self) -> None:
        while len(self._projects) > PROJECTS:
            del self._projects[min(self._projects, key=lambda p: self._projects[p].used)]

    def _loaded_for(
        self, followed: Followed, schema: Schema, wait_s: float
    ) -> tuple[Engine, Loaded]:
        def found() -> tuple[Engine, Loaded] | None:
            serving = followed.serving
            loaded = serving.ready.get(schema.digest) if serving else None
            if serving and loaded:
                return serving.engine, loaded
            if followed.asleep:  # let go of since it was asked for
                followed.asleep = False
                self._nudge.set()
            return None

        with self._changed:
            self._changed.wait_for(
                lambda: found() or self._stopping or followed.stuck, timeout=wait_s
            )
            ready = found()
        if ready is None or self._stopping:
            raise NotReady(followed.stuck or "the model is still loading")
        return ready

    # ---- the watcher

    def _watch(self) -> None:
        while not self._stopping:
            self._nudge.clear()
            try:
                self._engines.get(self._default)
            except BaseUnavailable:
                pass  # in /health already; asked for again by and by
            self._follow_all()
            self._nudge.wait(self._poll_s)

    def _follow_all(self) -> None:
        with self._changed:
            projects = sorted(self._projects.items(), key=lambda item: -item[1].used)
        for project, followed in projects:
            if self._stopping:
                return
            before, stuck = followed.error, followed.stuck
            try:
                serving = followed.follow(self._engines)
            except Loading:
                continue
            except Exception as error:  # the watcher's edge: one project must not stop the others
                followed.error = f"{type(error).__name__} while loading"
                log.exception("project %s could not be followed", project)
                continue
            if followed.error and followed.error != before:
                log.error("project %s: %s", project, followed.error)
            if serving is not None:
                self._flip(project, followed, serving)
            elif followed.stuck and not stuck:
                with self._changed:
                    self._changed.notify_all()

    def _flip(self, project: str, followed: Followed, serving: Serving) -> None:
        with self._changed:
            old = followed.serving
            followed.serving = serving
            self._make_room(followed)
            self._changed.notify_all()
        if old is not None and old.version != serving.version:
            self._swaps += 1
        if old is None or old.version != serving.version:
            log.info("project %s is served by %s", project, serving.version or "the cold start")

    def _make_room(self, newest: Followed) -> None:
        """Let the least recently used go until the rest fits; what was just made ready stays."""
        awake = [f for f in self._projects.values() if f.serving and f is not newest]
        sizes = {id(f): f.serving.nbytes for f in [*awake, newest] if f.serving}
        used = sum(sizes.values())
        for followed in sorted(awake, key=lambda f: f.used):
            if used <= self._memory:
                return
            used -= sizes[id(followed)]
            followed.sleep()
            self._evictions += 1


def _prediction(
    task: Task, loaded: Loaded, blind: bool, texts: Texts, answer: Answer | None
) -> Prediction:
    empty = Prediction(task.id, (), 0.0, loaded.version)
    if blind:
        return replace(empty, score=BLIND_SCORE, reason=BLIND)
    if not texts.by_key and not texts.missing:
        why = "the label config has nothing that this base can predict"
        if loaded.schema.unsupported:
            why = f"{why}: {loaded.schema.unsupported[-1].reason}"
        return replace(empty, score=BLIND_SCORE, reason=why)
    if not texts.by_key:
        return replace(empty, reason="; ".join(texts.missing))
    if answer is None:
        return replace(empty, reason="the model failed on this text")
    reason = "; ".join(texts.missing) or None
    return Prediction(task.id, answer.regions, answer.score, loaded.version, reason, answer.vector)
