"""A project in Label Studio, made, filled and waited for through its plain API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sync.start.api import StudioApi, StudioRefused

IMPORT = 500  # tasks in one import
IMPORT_S = 300.0
GUIDE = (
    "Accept what is shown if it is right, else correct it. Where nothing is shown, choose "
    "yourself: some tasks open empty so that a new model can be judged."
)
UNANSWERED = {"filter": "filter:tasks:total_annotations", "operator": "equal", "type": "Number"}
UNPREDICTED = {**UNANSWERED, "filter": "filter:tasks:total_predictions"}


def create(api: StudioApi, title: str, config: str) -> int:
    """An empty project; its id. Raises StudioRefused, for instance on a config it does not take."""
    body = {
        "title": title[:50],
        "label_config": config,
        "expert_instruction": GUIDE,
        "show_collab_predictions": True,
    }
    return int(api.call("POST", "/api/projects/", json=body)["id"])


def exists(api: StudioApi, project: int) -> bool:
    try:
        api.call("GET", f"/api/projects/{project}/")
    except StudioRefused as error:
        if error.status == 404:
            return False
        raise
    return True


def add_tasks(api: StudioApi, project: int, tasks: Sequence[Mapping[str, Any]]) -> None:
    """Import tasks, IMPORT at most at once: all of them are there then, or none."""
    path = f"/api/projects/{project}/import"
    api.call("POST", path, json=[dict(task) for task in tasks], timeout=IMPORT_S)


def task_count(api: StudioApi, project: int) -> int:
    return int(api.call("GET", f"/api/projects/{project}/")["task_number"])


def wait_for_predictions(
    api: StudioApi, project: int, timeout_s: float, tell: Callable[[str], None]
) -> bool:
    """Wait until every unanswered task has a prediction, of the version that Label Studio shows.

    They are imported first and shown when `model_version` names them: until then a task opens
    empty. False when the time is over first.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found: dict[str, Any] = api.call("GET", f"/api/projects/{project}/")
        made: dict[str, int] = api.call("GET", f"/api/projects/{project}/model-versions/")
        open_ = unanswered(api, project)
        left = _count(api, project, UNANSWERED, UNPREDICTED)
        tell(f"pre-annotated {open_ - left} of {open_} tasks")
        if not left and (not open_ or found["model_version"] in made):
            return True
        time.sleep(0.5)
    return False


def unanswered(api: StudioApi, project: int) -> int:
    """How many tasks nobody has answered yet."""
    return _count(api, project, UNANSWERED)


def _count(api: StudioApi, project: int, *filters: Mapping[str, str]) -> int:
    """How many tasks have none of what these filters count."""
    query = {"filters": {"conjunction": "and", "items": [{**f, "value": 0} for f in filters]}}
    params = {"project": project, "page_size": 1, "query": json.dumps(query)}
    return int(api.call("GET", "/api/tasks", params=params)["total"])
