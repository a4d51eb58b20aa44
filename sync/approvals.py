"""What one annotation in a review project says of a child: approved, corrected or rejected.

Only what a person submitted counts, and only of the text that was written for them: where the
task says anything else by then, the child is rejected.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from label_config.controls import Schema
from label_config.snapshot_json import region_to_dict
from label_config.values import Example, Region
from label_config.wire import read_result, task_texts
from sync.log_reviews import Decision
from sync.studio_values import SeenAnnotation, TaskState

CHILD = "annotune_child"
"""The data key that holds a child's id."""
SKIPPED, CHANGED = "skipped", "the task's text is not the child's any more"


@dataclass(frozen=True)
class Readings:
    """How a review is read. `schema`: of the review project's config."""

    schema: Schema
    children: Mapping[str, Example]

    def of(self, state: TaskState) -> Decision | None:
        """The latest that anyone said of the task; None of a task that is no child's, or open."""
        child = self.children.get(str(state.task.data.get(CHILD)))
        named = [a for a in state.annotations if _person(a) is not None]
        if child is None or not named:
            return None
        a = max(named, key=lambda a: (a.updated_at, a.id))
        said = self._said(child, state.task.data, a)
        if isinstance(said, str):
            return Decision(child.id, state.task.id, a.id, "rejected", *_when(a), why=said)
        answers = tuple(region_to_dict(r) for r in said)
        same = _meaning(said) == _meaning(child.answers)
        return Decision(
            child.id, state.task.id, a.id, "approved" if same else "corrected", *_when(a), answers
        )

    def _said(
        self, child: Example, data: Mapping[str, object], a: SeenAnnotation
    ) -> tuple[Region, ...] | str:
        """The answer that counts, or why the child is rejected."""
        if a.cancelled:
            return SKIPPED
        if dict(task_texts(self.schema, data).by_key) != dict(child.texts):
            return CHANGED
        read = read_result(self.schema, data, a.result)
        if read.dropped:
            return f"the answer cannot be read: {read.dropped[0]}"
        marks = any(c.form == "spans" for c in self.schema.controls)
        if not read.regions and not marks:  # with spans to mark, none is an answer
            return "the answer is empty"
        return read.regions


def _person(a: SeenAnnotation) -> int | None:
    return a.editor if a.editor is not None else a.author


def _when(a: SeenAnnotation) -> tuple[int | None, datetime]:
    return _person(a), a.updated_at


def _meaning(regions: Iterable[Region]) -> list[str]:
    """Regions as people see them: without scores, in no order."""
    plain: list[str] = []
    for region in regions:
        raw: dict[str, Any] = region_to_dict(region) | {"score": None}
        raw["labels"] = sorted(raw.get("labels", ()))
        plain.append(json.dumps(raw, sort_keys=True))
    return sorted(plain)
