"""What sync deletes in Label Studio where a person asked for it; part of the Studio."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from typing import Any

from sync.studio_values import NoSuchProject


class Erasing:
    """Deletions; what is gone already is no error."""

    @abstractmethod
    def _answered(self, method: str, path: str) -> Any:
        """One request, its JSON. Raises StudioError, NoSuchProject where nothing is there."""

    def delete_project(self, project: str) -> None:
        """Delete a project of our own, its tasks and what was said of them."""
        self._once(f"api/projects/{int(project)}/")

    def delete_task(self, task: int) -> None:
        """Delete a task and its annotations."""
        self._once(f"api/tasks/{task}/")

    def delete_annotation(self, annotation: int) -> None:
        """Delete one annotation."""
        self._once(f"api/annotations/{annotation}/")

    def _once(self, path: str) -> None:
        with suppress(NoSuchProject):
            self._answered("DELETE", path)
