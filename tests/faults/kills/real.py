"""The same people in a real Label Studio, by its API: `--studio real`.

Its clock and its webhooks are its own, so nothing leaps and none is lost; what the scripted one
cannot show is that all this holds beside the real thing, its SQLite and its second look at us.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from sync.start.api import StudioApi
from sync.start.studio import Studio
from tests.faults.kills.held import House
from tests.faults.kills.people import CONFIG, Held, People, answer, draw_text, said
from tests.faults.kills.running import running

PAGE = 100


class RealPeople(People):
    """Each word of theirs is a request; they look at a list of tasks as the Data Manager does."""

    def __init__(self, api: StudioApi, project: str) -> None:
        self.api, self.project = api, project

    def held(self) -> list[Held]:
        return [_held(task) for task in self._tasks()]

    def _tasks(self) -> Iterator[dict[str, Any]]:
        for page in count(1):
            asked = {"project": self.project, "fields": "all", "page": page, "page_size": PAGE}
            told = self.api.call("GET", "/api/tasks/", params=asked)
            yield from told["tasks"]
            if page * PAGE >= told["total"]:  # a page after the last is a 404 there
                return

    def model_version(self) -> str:
        return str(self.api.call("GET", f"/api/projects/{self.project}/")["model_version"] or "")

    def say(self, task: int, label: str, skip: bool = False) -> None:
        body = {"result": answer(label), "was_cancelled": skip, "lead_time": 1.0}
        self.api.call("POST", f"/api/tasks/{task}/annotations/", json=body)

    def correct(self, annotation: int, label: str) -> None:
        self.api.call("PATCH", f"/api/annotations/{annotation}/", json={"result": answer(label)})

    def take_back(self, annotation: int) -> None:
        self.api.call("DELETE", f"/api/annotations/{annotation}/")

    def remove(self, task: int) -> None:
        self.api.call("DELETE", f"/api/tasks/{task}/")

    def add(self, texts: Sequence[str]) -> None:
        tasks = [{"data": {"text": text}} for text in texts]
        self.api.call("POST", f"/api/projects/{self.project}/import", json=tasks)


def _held(task: dict[str, Any]) -> Held:
    stood = [a for a in task["annotations"] if not a["was_cancelled"]]
    return Held(
        task["id"],
        task["data"]["text"],
        {a["id"]: said(a["result"]) for a in stood},
        frozenset(a["id"] for a in task["annotations"] if a["was_cancelled"]),
        [p["model_version"] for p in task["predictions"]],
    )


@contextmanager
def real_project(folder: Path, base: Path, studio: Studio) -> Iterator[House]:
    """A project of 60 tasks in this Label Studio, and a loop beside it; nothing is connected."""
    first = Random(f"house {folder.name}")
    with StudioApi(studio.url, studio.token, timeout_s=600.0) as api:  # it may be starved
        made = {"title": f"kills {folder.name} {os.getpid()}", "label_config": CONFIG}
        people = RealPeople(api, str(api.call("POST", "/api/projects/", json=made)["id"]))
        people.add([draw_text(first) for _ in range(60)])
        with running(folder, studio.url, studio.token, base) as loop:
            yield House(loop, people)
