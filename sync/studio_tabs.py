"""Tabs of Label Studio's Data Manager, as 1.23.2 really keeps them; part of the Studio.

Its web page takes only the operators of its own menus: a filter such as `in_list`, which the server
would take, breaks the whole page. So tasks that are answered are named by one annotation each (one
filter, "Annotation IDs contains"), others one by one ("ID equals", any of them). Every change of
filters leaves the old ones in Label Studio's database, so a tab is not filled again without need.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NOBODY = 0  # no task and no annotation has this id; no filter at all would show every task
MARK = "annotune"  # in a tab's own data; the page drops it once somebody saves the tab
COLUMNS = (
    "inner_id annotations_results annotations_ids predictions_score predictions_model_versions "
    "predictions_results file_upload storage_filename created_at updated_at updated_by "
    "avg_lead_time draft_exists"
).split()
IN_EDITOR = ["id", "completed_at", "cancelled_annotations", "total_predictions", "annotators"]


@dataclass(frozen=True)
class Filters:
    """Which tasks a tab shows: by id, or, where they are answered, by one annotation each."""

    tasks: tuple[int, ...] = ()
    annotations: tuple[int, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        if self.tasks:
            items = [_item("id", "equal", "Number", task) for task in self.tasks]
            return {"conjunction": "or", "items": items}
        named = " ".join(map(str, self.annotations or (NOBODY,)))
        return {
            "conjunction": "and",
            "items": [_item("annotations_ids", "contains", "String", named)],
        }


@dataclass(frozen=True)
class TabInfo:
    """A tab as it stands: its id, its title, our mark where it still has it, all its data."""

    id: int
    title: str
    mark: str
    data: Mapping[str, Any] = field(repr=False)

    def shows(self, filters: Filters) -> bool:
        return bool(self.data.get("filters") == filters.to_wire())


class Tabbing:
    """Tabs: listed, made, filled."""

    @abstractmethod
    def _answered(self, method: str, path: str, params: Any = None, body: object = None) -> Any:
        """One request, its JSON; one that changes anything is never retried. Raises StudioError,
        NoSuchProject where nothing is there."""

    def tabs(self, project: str) -> list[TabInfo]:
        """The project's tabs, whoever made them."""
        found = self._answered("GET", "api/dm/views/", {"project": int(project)}, None)
        return [_tab(raw) for raw in found]

    def make_tab(
        self,
        project: str,
        title: str,
        mark: str = "",
        filters: Filters | None = None,
        ordering: Sequence[str] = (),
    ) -> int:
        """A new tab behind the others; its id. Without filters it shows every task."""
        hidden = [f"tasks:{c}" for c in COLUMNS]
        data: dict[str, Any] = {
            "title": title,
            "type": "list",
            "target": "tasks",
            "hiddenColumns": {
                "explore": hidden,
                "labeling": [*hidden, *(f"tasks:{c}" for c in IN_EDITOR)],
            },
            "ordering": list(ordering),
        }
        if filters is not None:
            data |= {MARK: mark, "filters": filters.to_wire()}
        body = {"project": int(project), "data": data}
        return int(self._answered("POST", "api/dm/views/", None, body)["id"])

    def fill_tab(self, project: str, tab: TabInfo, filters: Filters) -> None:
        """Let a tab show other tasks; its title, columns and order stay as people left them."""
        data = {**tab.data, "filters": filters.to_wire()}
        self._answered(
            "PATCH", f"api/dm/views/{tab.id}/", {"project": int(project)}, {"data": data}
        )


def _item(column: str, operator: str, kind: str, value: object) -> dict[str, Any]:
    return {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": kind,
        "value": value,
    }


def _tab(raw: Mapping[str, Any]) -> TabInfo:
    data = raw.get("data")
    own = dict(data) if isinstance(data, Mapping) else {}
    return TabInfo(int(raw["id"]), str(own.get("title") or ""), str(own.get(MARK) or ""), own)
