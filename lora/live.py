"""Live serving: predictions of the version that CURRENT names, swapped without a gap.

Two threads: the watcher loads the base, then follows each project's CURRENT and makes the next
version ready beside the old one; the lane (lora/lane.py) answers. A request takes its Loaded once,
at its start, and keeps it for all its batches, so no response mixes two versions.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from label_config.values import Prediction, Schema, Task
from label_config.wire import Texts, task_texts
from lora.answer import Answer
from lora.base import Base
from lora.errors import BaseUnavailable, NotReady
from lora.follow import Followed
from lora.lane import Lane
from lora.loaded import Loaded
from lora.network import Network
from lora.store import Store

WAIT_S = 10.0  # longest wait for a version to become ready before a request is refused
BASE_RETRY_S = 15.0
BLIND_SCORE = 0.5

log = logging.getLogger(__name__)


class Live:
    """Serves all projects of a store. Any thread may call it; start it once, close it once."""

    def __init__(
        self,
        store: Store,
        base_loader: Callable[[], Base],
        *,
        queue: int,
        poll_s: float,
        max_text: int = 20_000,
    ) -> None:
        self._store = store
        self._load_base = base_loader
        self._poll_s = poll_s
        self._max_text = max_text
        self._lane = Lane(queue=queue)
        self._changed = threading.Condition()  # guards _projects and each Followed's serving
        self._projects: dict[str, Followed] = {}
        self._base: Base | None = None
        self._base_error: str | None = None
        self._stopping = False
        self._nudge = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="annotune-watcher", daemon=True)

    def start(self) -> None:
        """Load the base in the background and begin to follow."""
        self._watcher.start()

    def close(self) -> None:
        """Stop both threads; requests in flight get their answer or NotReady."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._nudge.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._lane.close()

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
        NotReady (still loading), Overloaded (the lane is full, or took longer than `timeout_s`),
        and ValueError on an impossible project id; never anything because of a task.
        """
        deadline = time.monotonic() + timeout_s
        followed = self._ask(project, schema)
        loaded = self._loaded_for(followed, schema, min(timeout_s, WAIT_S))
        try:
            blind = followed.blind_now()
        except ValueError as error:
            raise NotReady(str(error)) from error
        texts = [task_texts(schema, task.data, self._max_text) for task in tasks]
        open_rows = [i for i, t in enumerate(texts) if t.by_key and tasks[i].id not in blind]
        wait = self._lane.submit(loaded, [texts[i].by_key for i in open_rows], bulk=bulk)
        answers = dict(zip(open_rows, wait(deadline - time.monotonic()), strict=True))
        return [
            _prediction(task, loaded.version, task.id in blind, texts[i], answers.get(i))
            for i, task in enumerate(tasks)
        ]

    def loaded(self, project: str) -> Mapping[str, Loaded]:
        """What is ready to serve a project now, by schema digest."""
        followed = self._projects.get(project)
        return dict(followed.serving.ready) if followed and followed.serving else {}

    def health(self) -> dict[str, Any]:
        """What serves, what should, and what went wrong; never waits for a model."""
        with self._changed:
            base = self._base
            return {
                "base": {"name": base.name, "revision": base.revision} if base else None,
                "error": self._base_error,
                "ready": base is not None,
                "projects": {p: f.report() for p, f in self._projects.items()},
                "queue": self._lane.waiting,
            }

    def _ask(self, project: str, schema: Schema) -> Followed:
        with self._changed:
            followed = self._projects.get(project)
            if followed is None:
                followed = self._projects[project] = Followed(self._store.project(project))
            followed.ask(schema)
            if followed.serving is None or schema.digest not in followed.serving.ready:
                self._nudge.set()
            return followed

    def _loaded_for(self, followed: Followed, schema: Schema, wait_s: float) -> Loaded:
        def found() -> Loaded | None:
            serving = followed.serving
            return serving.ready.get(schema.digest) if serving else None

        with self._changed:
            self._changed.wait_for(
                lambda: found() or self._stopping or self._base_error, timeout=wait_s
            )
            loaded = found()
        if loaded is None or self._stopping:
            raise NotReady(self._base_error or "the model is still loading")
        return loaded

    # ---- the watcher

    def _watch(self) -> None:
        while not self._stopping:
            base = self._base or self._try_base()
            self._nudge.clear()
            if base is not None:
                self._follow_all(base)
            self._nudge.wait(self._poll_s if base else BASE_RETRY_S)

    def _try_base(self) -> Base | None:
        try:
            base = self._load_base()
        except BaseUnavailable as error:
            with self._changed:
                self._base_error = str(error)
                self._changed.notify_all()
            log.error("%s", error)
            return None
        self._lane.start(Network(base))
        with self._changed:
            self._base, self._base_error = base, None
        return base

    def _follow_all(self, base: Base) -> None:
        with self._changed:
            projects = list(self._projects.items())
        for project, followed in projects:
            before = followed.error
            try:
                serving = followed.follow(base)
            except Exception as error:  # the watcher's edge: one project must not stop the others
                followed.error = f"{type(error).__name__} while loading"
                log.exception("project %s could not be followed", project)
                continue
            if followed.error and followed.error != before:
                log.error("project %s: %s", project, followed.error)
            if serving is not None:
                self._flip(project, followed, serving)

    def _flip(self, project: str, followed: Followed, serving: Any) -> None:
        with self._changed:
            old = followed.serving
            followed.serving = serving
            self._changed.notify_all()
        if old is None or old.version != serving.version:
            log.info("project %s is served by %s", project, serving.version or "the cold start")


def _prediction(
    task: Task, version: str, blind: bool, texts: Texts, answer: Answer | None
) -> Prediction:
    empty = Prediction(task.id, (), 0.0, version)
    if blind:
        return replace(empty, score=BLIND_SCORE, reason="blind")
    if not texts.by_key:
        why = "; ".join(texts.missing) or "the label config has nothing that can be predicted"
        return replace(empty, reason=why)
    if answer is None:
        return replace(empty, reason="the model failed on this text")
    reason = "; ".join(texts.missing) or None
    return Prediction(task.id, answer.regions, answer.score, version, reason)
