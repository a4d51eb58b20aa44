"""What sync hears from Label Studio and says to it, as frozen values, and the seam itself.

`StudioLike` is all that the rest of sync knows of Label Studio; `sync/studio.py` is the real one,
`tests/sync/fake_studio.py` the one for fast tests. A project is named by its id in decimal digits.

StudioError
|- StudioDown      no answer in time, or 5xx/429: the same call may work later
|- StudioRefused   401/403: the token is not accepted, or may not do this
|- NoSuchProject   404: the project is gone, or belongs to another organisation
|- StudioRejected  any other 4xx: the request itself is not acceptable
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from label_config.values import Task
from sync.studio_tabs import Filters, TabInfo

UNCERTAINTY = "Uncertainty sampling"


class StudioError(Exception):
    """Base of everything that can go wrong when talking to Label Studio."""


class StudioDown(StudioError):
    """Label Studio did not answer, or could not; try again later."""


class StudioRefused(StudioError):
    """The token was not accepted, or its owner may not do this."""


class NoSuchProject(StudioError):
    """The project does not exist (any more)."""


class StudioRejected(StudioError):
    """Label Studio understood the request and will not have it."""


@dataclass(frozen=True)
class ProjectInfo:
    """A project's own settings, as far as the loop needs them. `tasks`: how many it holds."""

    id: str
    title: str
    config: str
    model_version: str
    sampling: str
    tasks: int


@dataclass(frozen=True)
class SeenAnnotation:
    """One annotation as Label Studio holds it; `result` is its JSON untouched, readable or not."""

    id: int
    task: int
    result: object
    author: int | None
    created_at: datetime
    updated_at: datetime
    lead_time: float | None = None
    ground_truth: bool = False
    cancelled: bool = False
    parent_prediction: int | None = None
    editor: int | None = None
    """Who saved it last; Label Studio notes that itself, while an author can be claimed."""

    @property
    def content(self) -> str:
        """Hex SHA-256 of what a human decided.

        The parent is not part of it: Label Studio clears it when old predictions are removed.
        """
        decided = [self.result, self.author, self.ground_truth, self.cancelled]
        return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class SeenPrediction:
    """One prediction as Label Studio holds it."""

    id: int
    task: int
    version: str
    created_at: datetime
    score: float | None
    result: object


@dataclass(frozen=True)
class TaskState:
    """Everything about one task at one moment."""

    task: Task
    updated_at: datetime
    annotations: tuple[SeenAnnotation, ...] = ()
    predictions: tuple[SeenPrediction, ...] = ()


@dataclass(frozen=True)
class NewPrediction:
    """One prediction on its way to Label Studio; `result` is already in wire form."""

    task: int
    result: Sequence[Mapping[str, Any]]
    score: float
    version: str


@dataclass(frozen=True)
class NewTask:
    """A task on its way to Label Studio, with the answer it is filled in with."""

    data: Mapping[str, Any]
    result: Sequence[Mapping[str, Any]]
    version: str


@dataclass(frozen=True)
class BackendInfo:
    """An ML backend as a project has it connected."""

    id: int
    url: str
    title: str
    version: str
    connected: bool


@dataclass(frozen=True)
class WebhookInfo:
    """A webhook of one project; `headers` go along with each call, a secret of ours among them."""

    id: int
    url: str
    actions: tuple[str, ...]
    active: bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class StudioLike(Protocol):
    """What sync asks of Label Studio; every method raises StudioError and its kinds only."""

    def server_time(self) -> datetime | None: ...

    def project(self, project: str) -> ProjectInfo: ...

    def changed_tasks(self, project: str, since: datetime | None) -> Iterator[TaskState]: ...

    def task_ids(self, project: str) -> set[int]: ...

    def tasks_with_version(self, project: str, version: str, first: int = 0) -> set[int]: ...

    def import_predictions(self, project: str, predictions: Sequence[NewPrediction]) -> int: ...

    def delete_predictions(self, project: str, version: str) -> None: ...

    def set_model_version(self, project: str, version: str) -> None: ...

    def set_sampling(self, project: str, sampling: str = UNCERTAINTY) -> None: ...

    def backends(self, project: str) -> list[BackendInfo]: ...

    def connect_backend(  # nosec B107  # empty is none
        self, project: str, url: str, title: str, user: str = "", password: str = ""
    ) -> BackendInfo: ...

    def rename_backend(  # nosec B107  # empty is none
        self, project: str, backend: int, url: str, title: str, user: str = "", password: str = ""
    ) -> BackendInfo: ...

    def disconnect_backend(self, backend: int) -> None: ...

    def webhooks(self, project: str) -> list[WebhookInfo]: ...

    def add_webhook(
        self, project: str, url: str, actions: Sequence[str], headers: Mapping[str, str]
    ) -> WebhookInfo: ...

    def remove_webhook(self, webhook: int) -> None: ...

    def find_project(self, description: str) -> str | None: ...

    def make_project(self, title: str, description: str, config: str, guide: str) -> str: ...

    def import_tasks(self, project: str, tasks: Sequence[NewTask]) -> None: ...

    def people(self) -> Mapping[int, str]: ...

    def delete_project(self, project: str) -> None: ...

    def delete_task(self, task: int) -> None: ...

    def delete_annotation(self, annotation: int) -> None: ...

    def tabs(self, project: str) -> list[TabInfo]: ...

    def make_tab(
        self,
        project: str,
        title: str,
        mark: str = "",
        filters: Filters | None = None,
        ordering: Sequence[str] = (),
    ) -> int: ...

    def fill_tab(self, project: str, tab: TabInfo, filters: Filters) -> None: ...

    def close(self) -> None: ...
