"""The same people in a real Label Studio, over its API."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from demo.api import StudioApi
from demo.studio import start_studio
from tests.faults.kills.held import House
from tests.faults.kills.people import CONFIG, Held, People, answer, draw_text, said
from tests.faults.kills.run import opened
from tests.faults.kills.running import running

ALL = {"fields": "all", "page_size": "1000", "resolve_uri": "false"}


class RealPeople(People):
    """In one project; the API's own clock runs."""

    def __init__(self, api: StudioApi, project: str) -> None:
        self.api, self.project = api, project

    def held(self) -> list[Held]:
        told = self.api.call("GET", "/api/tasks", params={**ALL, "project": self.project})
        return [_held(task) for task in told["tasks"]]

    def model_version(self) -> str:
        return self.api.call("GET", f"/api/projects/{self.project}/")["model_version"] or ""

    def say(self, task: int, label: str, skip: bool = False) -> None:
        body: dict[str, Any] = {"result": answer(label), "was_cancelled": skip, "lead_time": 1.0}
        body["unique_id"] = str(uuid.uuid4())
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
    answers = task["annotations"]
    return Held(
        int(task["id"]),
        str(task["data"]["text"]),
        {a["id"]: said(a["result"]) for a in answers if not a["was_cancelled"]},
        frozenset(a["id"] for a in answers if a["was_cancelled"]),
        [p["model_version"] for p in task["predictions"]],
    )


@contextmanager
def real_house(folder: Path, base: Path) -> Iterator[House]:
    """A connected project of 60 tasks in a Label Studio that is started for it."""
    studio = start_studio(folder / "label-studio", os.environ)
    try:
        with (
            StudioApi(studio.url, studio.token) as api,
            running(folder, studio.url, studio.token, base) as made,
        ):
            body = {"title": "kills", "label_config": CONFIG}
            people = RealPeople(api, str(api.call("POST", "/api/projects/", json=body)["id"]))
            first = Random(f"house {folder.name}")
            people.add([draw_text(first) for _ in range(60)])
            with opened(House(made, people)) as house:
                yield house
    finally:
        studio.process.stop()
