"""The same project in a real Label Studio: no share of it is reckoned, all of it is waited for."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.pull import OVERLAP
from sync.start.api import StudioApi
from sync.start.studio import start_studio
from sync.studio import Studio
from sync.studio_values import StudioDown, TaskState
from tests.load.project import Cost, measured, sentence
from tests.sync.house import ANSWER, CONFIG

STUDIO_S = 1800.0  # until it is there, at idle priority
IMPORT = 1000  # tasks in one import


class RealStudio(Studio):
    """Sync's own client, which counts, and can be cut off in a list; people work by the API."""

    def __init__(self, api: StudioApi, token: str, title: str) -> None:
        super().__init__(api.url, token, timeout_s=600.0)
        self._api = api
        made = {"title": title, "label_config": CONFIG}
        self.number = str(api.call("POST", "/api/projects/", json=made)["id"])
        self.requests = self.rows = self.listed = self.ends_after = 0
        wire = self._sdk._client_wrapper.httpx_client.httpx_client
        wire.event_hooks = {"request": [self._count]}

    @property
    def waited_s(self) -> float:
        """Seconds in which this process did nothing: differences are Label Studio's share."""
        return time.perf_counter() - time.process_time()

    def _count(self, _: object) -> None:
        self.requests += 1

    # ---- people

    def fill(self, tasks: int, answers: int) -> None:
        """So many tasks, the first of them answered."""
        wire: list[dict[str, Any]] = [{"data": {"text": sentence(n)}} for n in range(tasks)]
        for task in wire[:answers]:
            task["annotations"] = [{"result": ANSWER}]
        for start in range(0, tasks, IMPORT):
            path = f"/api/projects/{self.number}/import"
            self._api.call("POST", path, json=wire[start : start + IMPORT])

    def say(self, task: int) -> None:
        body = {"result": ANSWER, "lead_time": 1.0}
        self._api.call("POST", f"/api/tasks/{task}/annotations/", json=body)

    def later(self) -> None:
        """Its clock is its own: what was imported is heard again for so long."""
        time.sleep(OVERLAP.total_seconds() + 5)

    # ---- sync

    def changed_tasks(self, project: str, since: datetime | None) -> Iterator[TaskState]:
        for state in super().changed_tasks(project, since):
            if self.ends_after and self.listed == self.ends_after:
                raise StudioDown("it went away")
            self.listed, self.rows = self.listed + 1, self.rows + 1
            yield state

    def task_ids(self, project: str) -> set[int]:
        found = super().task_ids(project)
        self.rows += len(found)
        return found

    def tasks_with_version(self, project: str, version: str, first: int = 0) -> set[int]:
        found = super().tasks_with_version(project, version, first)
        self.rows += len(found)
        return found

    def import_predictions(self, project: str, predictions: Any) -> int:
        self.rows += len(predictions)
        return super().import_predictions(project, predictions)


def beside_a_real_one(tasks: int) -> dict[int, Cost]:
    """A project of a tenth of so many tasks and one of all, half of them answered, by size."""
    with tempfile.TemporaryDirectory(prefix="annotune-studio-") as data:
        studio = start_studio(Path(data), os.environ, patience_s=STUDIO_S)
        try:
            with StudioApi(studio.url, studio.token, timeout_s=600.0) as api:
                return {n: _one(api, studio.token, n) for n in (tasks // 10, tasks)}
        finally:
            studio.process.stop()


def _one(api: StudioApi, token: str, tasks: int) -> Cost:
    studio = RealStudio(api, token, f"load {tasks}")
    studio.fill(tasks, tasks // 2)
    return measured(studio, tasks, tasks // 2)
