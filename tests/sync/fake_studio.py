"""A Label Studio in memory for fast tests: the seam of `sync/studio_values.py`, its habits kept.

Habits that matter: importing predictions does not touch a task's `updated_at` and does not refuse
doubles, one unknown task spoils a whole import, and deleting a version clears the model version
when that names a backend. `lists` counts task lists; `fail_next` makes the next calls fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

from label_config.values import Task
from sync.studio_tabs import Filters, TabInfo
from sync.studio_values import (
    UNCERTAINTY,
    BackendInfo,
    NewPrediction,
    NewTask,
    NoSuchProject,
    ProjectInfo,
    SeenAnnotation,
    SeenPrediction,
    StudioError,
    StudioRejected,
    TaskState,
    WebhookInfo,
)


@dataclass
class FakeStudio:
    """One project, "1"; `others`: projects that were made through the seam, each a fake as well."""

    config: str
    info: ProjectInfo = field(init=False)
    tasks: dict[int, TaskState] = field(default_factory=dict)
    hooks: list[WebhookInfo] = field(default_factory=list)
    mine: list[BackendInfo] = field(default_factory=list)
    fail_next: list[StudioError] = field(default_factory=list)
    lists: int = 0
    imports: list[list[NewPrediction]] = field(default_factory=list)
    others: dict[str, FakeStudio] = field(default_factory=dict)
    description: str = ""
    views: dict[int, TabInfo] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=lambda: {1: "ann@house", 2: "bob@house"})
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.info = ProjectInfo("1", "fake", self.config, "", "Sequential sampling", 0)

    # ---- what people do

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def add_task(self, text: str, **data: object) -> int:
        number = next(self._ids)
        self.tasks[number] = TaskState(Task(number, "1", {"text": text, **data}), self.now())
        return number

    def change_config(self, config: str) -> None:
        self.config, self.info = config, replace(self.info, config=config)

    def annotate(
        self, task: int, result: object, cancelled: bool = False, **more: Any
    ) -> SeenAnnotation:
        at, number = self.now(), next(self._ids)
        made = SeenAnnotation(number, task, result, 1, at, at, cancelled=cancelled)
        self._change(task, annotations=(*self.tasks[task].annotations, replace(made, **more)))
        return made

    def edit(self, annotation: SeenAnnotation, result: object) -> None:
        new = replace(annotation, result=result, updated_at=self.now())
        others = [a for a in self.tasks[annotation.task].annotations if a.id != annotation.id]
        self._change(annotation.task, annotations=(*others, new))

    def remove_annotation(self, annotation: SeenAnnotation) -> None:
        others = [a for a in self.tasks[annotation.task].annotations if a.id != annotation.id]
        self._change(annotation.task, annotations=tuple(others))

    def _change(self, task: int, **values: Any) -> None:
        self.tasks[task] = replace(self.tasks[task], updated_at=self.now(), **values)

    def predict(self, task: int, result: object, score: float, version: str) -> int:
        """Label Studio asked the backend by itself, as it does when a task is opened."""
        number = next(self._ids)
        made = SeenPrediction(number, task, version, self.now(), score, result)
        self._change(task, predictions=(*self.tasks[task].predictions, made))
        return number

    def served(self) -> list[int]:
        """The tasks nobody answered, as uncertainty order serves them."""
        version = self.info.model_version
        queue = [
            (p.score, task)
            for task, state in self.tasks.items()
            if not any(not a.cancelled for a in state.annotations)
            for p in state.predictions
            if p.version == version
        ]
        return [task for _, task in sorted(queue, key=lambda pair: pair[0] or 0.0)]

    def rename_tab(self, number: int, title: str) -> None:
        """A person saves a tab under another name; the page drops what it does not know."""
        old = self.views[number]
        data = {k: v for k, v in old.data.items() if k != "annotune"} | {"title": title}
        self.views[number] = TabInfo(number, title, "", data)

    def shown_in(self, number: int) -> list[int]:
        """The tasks that a tab shows."""
        items = self.views[number].data.get("filters", {}).get("items")
        if items is None:
            return sorted(self.tasks)
        if items[0]["filter"] == "filter:tasks:id":
            return sorted(set(self.tasks) & {i["value"] for i in items})
        named = set(map(int, items[0]["value"].split()))
        return sorted(t for t, s in self.tasks.items() if named & {a.id for a in s.annotations})

    # ---- the seam

    def server_time(self) -> datetime | None:
        return self.now()

    def tabs(self, project: str) -> list[TabInfo]:
        self._heard(project)
        self.lists += 1
        return list(self.views.values())

    def make_tab(
        self,
        project: str,
        title: str,
        mark: str = "",
        filters: Filters | None = None,
        ordering: Sequence[str] = (),
    ) -> int:
        self._heard(project)
        number = next(self._ids)
        data: dict[str, Any] = {"title": title, "ordering": list(ordering)}
        if filters is not None:
            data |= {"annotune": mark, "filters": filters.to_wire()}
        self.views[number] = TabInfo(number, title, mark, data)
        return number

    def fill_tab(self, project: str, tab: TabInfo, filters: Filters) -> None:
        self._heard(project)
        if tab.id not in self.views:
            raise NoSuchProject(project)
        data = {**tab.data, "filters": filters.to_wire()}
        self.views[tab.id] = replace(tab, data=data)

    def _heard(self, project: str) -> None:
        if self.fail_next:
            raise self.fail_next.pop(0)
        if project != "1":
            raise NoSuchProject(project)

    def find_project(self, description: str) -> str | None:
        self._heard("1")
        found = (p for p, other in self.others.items() if other.description == description)
        return next(found, None)

    def make_project(self, title: str, description: str, config: str, guide: str) -> str:
        self._heard("1")
        project = str(len(self.others) + 100)
        self.others[project] = FakeStudio(config, description=description, _ids=self._ids)
        return project

    def import_tasks(self, project: str, tasks: Sequence[NewTask]) -> None:
        self._heard("1")
        other = self._other(project)
        for task in tasks:
            number = next(other._ids)
            other.tasks[number] = TaskState(Task(number, "1", dict(task.data)), self.now())
            other.predict(number, [dict(r) for r in task.result], 0.0, task.version)

    def people(self) -> Mapping[int, str]:
        self._heard("1")
        return self.users

    def delete_project(self, project: str) -> None:
        self._heard("1")
        self.others.pop(project, None)

    def delete_task(self, task: int) -> None:
        self._heard("1")
        self.tasks.pop(task, None)

    def delete_annotation(self, annotation: int) -> None:
        self._heard("1")
        for state in list(self.tasks.values()):
            for a in state.annotations:
                if a.id == annotation:
                    self.remove_annotation(a)

    def _other(self, project: str) -> FakeStudio:
        if project not in self.others:
            raise NoSuchProject(project)
        return self.others[project]

    def project(self, project: str) -> ProjectInfo:
        if project != "1" and not self.fail_next:
            return self._other(project).project("1")
        self._heard(project)
        return replace(self.info, tasks=len(self.tasks))

    def changed_tasks(self, project: str, since: datetime | None) -> Iterator[TaskState]:
        if project != "1" and not self.fail_next:
            yield from self._other(project).changed_tasks("1", since)
            return
        self._heard(project)
        self.lists += 1
        floor = since or datetime.min.replace(tzinfo=timezone.utc) + timedelta(days=1)
        for state in sorted(self.tasks.values(), key=lambda s: s.updated_at):
            if state.updated_at >= floor:
                yield state

    def task_ids(self, project: str) -> set[int]:
        self._heard(project)
        self.lists += 1
        return set(self.tasks)

    def tasks_with_version(self, project: str, version: str, first: int = 0) -> set[int]:
        self._heard(project)
        self.lists += 1
        return {
            task
            for task, s in self.tasks.items()
            if task >= first and version in {p.version for p in s.predictions}
        }

    def import_predictions(self, project: str, predictions: Sequence[NewPrediction]) -> int:
        self._heard(project)
        if any(p.task not in self.tasks for p in predictions):
            raise StudioRejected("a task is gone")
        self.imports.append(list(predictions))
        for p in predictions:
            state, at = self.tasks[p.task], self.now()
            result = [dict(region) for region in p.result]
            made = SeenPrediction(next(self._ids), p.task, p.version, at, p.score, result)
            self.tasks[p.task] = replace(state, predictions=(*state.predictions, made))
        return len(predictions)

    def delete_predictions(self, project: str, version: str) -> None:
        self._heard(project)
        for task, state in self.tasks.items():
            kept = tuple(p for p in state.predictions if p.version != version)
            self.tasks[task] = replace(state, predictions=kept)
        if self.info.model_version in {version, *(b.title for b in self.mine)}:
            self.info = replace(self.info, model_version="")

    def set_model_version(self, project: str, version: str) -> None:
        self._heard(project)
        known = {p.version for s in self.tasks.values() for p in s.predictions}
        if version not in known | {b.title for b in self.mine}:
            raise StudioRejected(f"{version} is neither a title nor a version")
        self.info = replace(self.info, model_version=version)

    def set_sampling(self, project: str, sampling: str = UNCERTAINTY) -> None:
        self._heard(project)
        self.info = replace(self.info, sampling=sampling)

    def backends(self, project: str) -> list[BackendInfo]:
        self._heard(project)
        return list(self.mine)

    def connect_backend(
        self, project: str, url: str, title: str, user: str = "", password: str = ""
    ) -> BackendInfo:
        self._heard(project)
        self.mine.append(BackendInfo(next(self._ids), url, title, "", True))
        self.hooks.append(WebhookInfo(next(self._ids), f"{url}/webhook", ()))
        self.info = replace(self.info, model_version=self.info.model_version or title)
        return self.mine[-1]

    def rename_backend(
        self, project: str, backend: int, url: str, title: str, user: str = "", password: str = ""
    ) -> BackendInfo:
        self._heard(project)
        self.mine = [replace(b, title=title, url=url) if b.id == backend else b for b in self.mine]
        return next(b for b in self.mine if b.id == backend)

    def disconnect_backend(self, backend: int) -> None:
        self.mine = [b for b in self.mine if b.id != backend]

    def webhooks(self, project: str) -> list[WebhookInfo]:
        self._heard(project)
        return list(self.hooks)

    def add_webhook(
        self, project: str, url: str, actions: Sequence[str], headers: Mapping[str, str]
    ) -> WebhookInfo:
        self._heard(project)
        self.hooks.append(WebhookInfo(next(self._ids), url, tuple(actions), True, dict(headers)))
        return self.hooks[-1]

    def close(self) -> None:
        pass

    def remove_webhook(self, webhook: int) -> None:
        self.hooks = [h for h in self.hooks if h.id != webhook]
