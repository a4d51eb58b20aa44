"""The demo's project in Label Studio: made once per data folder and seed, found again later."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.api import StudioApi, StudioRefused
from demo.rows import Data, tasks

IMPORT = 500
GUIDE = "Accept what is shown if it is right, else correct it."


@dataclass(frozen=True)
class Project:
    """A project of ours, and the folder that remembers how far it got."""

    id: int
    folder: Path

    @property
    def result(self) -> Path:
        return self.folder / "result.json"


def find_project(api: StudioApi, folder: Path, data: Path, seed: int, rows: Data) -> Project:
    """The project of this data and seed: the remembered one if Label Studio still has it complete.

    The note is written after the import, so an interrupted import starts a new project.
    """
    key = hashlib.sha256(f"{data.resolve()}|{seed}|{rows.config}".encode()).hexdigest()[:12]
    home = folder / f"run-{data.resolve().name}-{seed}-{key}"
    note = home / "project.json"
    if note.exists():
        number = int(json.loads(note.read_text(encoding="utf-8"))["id"])
        if _exists(api, number):
            return Project(number, home)
    home.mkdir(parents=True, exist_ok=True)
    (home / "result.json").unlink(missing_ok=True)
    number = _create(api, f"annotune demo: {data.resolve().name}, seed {seed}", rows)
    note.write_text(json.dumps({"id": number}), encoding="utf-8")
    return Project(number, home)


def _exists(api: StudioApi, number: int) -> bool:
    try:
        api.call("GET", f"/api/projects/{number}/")
    except StudioRefused as error:
        if error.status == 404:
            return False
        raise
    return True


def _create(api: StudioApi, title: str, rows: Data) -> int:
    body = {
        "title": title[:50],
        "label_config": rows.config,
        "expert_instruction": GUIDE,
        "show_collab_predictions": True,
    }
    number = int(api.call("POST", "/api/projects/", json=body)["id"])
    for start in range(0, len(rows.pool), IMPORT):
        part = tasks(rows.pool[start : start + IMPORT])
        api.call("POST", f"/api/projects/{number}/import", json=part, timeout=300.0)
    return number


def answers(api: StudioApi, project: Project) -> int:
    """Submitted, not cancelled human answers so far, as Label Studio counts them."""
    found: dict[str, Any] = api.call("GET", f"/api/projects/{project.id}/")
    return int(found["total_annotations_number"])


def wait_for_predictions(
    api: StudioApi, project: Project, timeout_s: float, tell: Callable[[str], None]
) -> bool:
    """Wait until every task has a prediction of the version that Label Studio shows.

    They are imported first and shown when `model_version` names them: until then a task opens
    empty. False when the time is over first.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found: dict[str, Any] = api.call("GET", f"/api/projects/{project.id}/")
        made: dict[str, int] = api.call("GET", f"/api/projects/{project.id}/model-versions/")
        have, need = made.get(found["model_version"] or "", 0), int(found["task_number"])
        tell(f"pre-annotated {have} of {need} tasks")
        if have >= need:
            return True
        time.sleep(0.5)
    return False
