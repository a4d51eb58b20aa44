"""The demo's project in Label Studio: made once per data folder and seed, found again later."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.rows import Data, tasks
from sync.start.api import StudioApi
from sync.start.project import IMPORT, add_tasks, create, exists


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
        if exists(api, number):
            return Project(number, home)
    home.mkdir(parents=True, exist_ok=True)
    (home / "result.json").unlink(missing_ok=True)
    number = _create(api, f"annotune demo: {data.resolve().name}, seed {seed}", rows)
    note.write_text(json.dumps({"id": number}), encoding="utf-8")
    return Project(number, home)


def _create(api: StudioApi, title: str, rows: Data) -> int:
    number = create(api, title, rows.config)
    for start in range(0, len(rows.pool), IMPORT):
        add_tasks(api, number, tasks(rows.pool[start : start + IMPORT]))
    return number


def answers(api: StudioApi, project: Project) -> int:
    """Submitted, not cancelled human answers so far, as Label Studio counts them."""
    found: dict[str, Any] = api.call("GET", f"/api/projects/{project.id}/")
    return int(found["total_annotations_number"])
