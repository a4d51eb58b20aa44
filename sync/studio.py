"""Label Studio itself, behind the narrow seam of `sync/studio_values.py`.

The one importer of the SDK's client. Measured against Label Studio 1.23.2 and SDK 2.1.2: task
lists are read as plain JSON (the SDK's models of them are unchecked unions and cost a second per
500 tasks), everything else through the SDK's own methods. The SDK refreshes personal access tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import count
from typing import Any, TypeVar

import httpx
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from sync.deadline import timely_client
from sync.studio_erase import Erasing
from sync.studio_read import BEGINNING, read_backend, read_date, read_task_state, read_webhook
from sync.studio_tabs import Tabbing
from sync.studio_values import (
    UNCERTAINTY,
    BackendInfo,
    NewPrediction,
    NewTask,
    NoSuchProject,
    ProjectInfo,
    StudioDown,
    StudioRefused,
    StudioRejected,
    TaskState,
    WebhookInfo,
)

T = TypeVar("T")
RETRIES = 2
IDS = 5000  # ids asked for at once: 2,000 took 0.7 s
CUT = 500  # characters Label Studio keeps of a list in its task table
TITLE = 50  # characters of a title


class Studio(Erasing, Tabbing):
    """One Label Studio, reached with one token of either kind (personal access JWT, or legacy)."""

    def __init__(self, url: str, token: str, timeout_s: float = 30.0, page: int = 500) -> None:
        self.page = page
        # built on first use: the SDK raises over an expired token already in its constructor
        self._make: Callable[[], Any] = lambda: LabelStudio(
            base_url=url.rstrip("/"),
            api_key=token,
            httpx_client=timely_client(timeout_s),
            max_retries=RETRIES,
        )
        self._made: Any = None
        self._clock: datetime | None = None

    @property
    def _sdk(self) -> Any:
        if self._made is None:
            self._made = self._make()
        return self._made

    def close(self) -> None:
        """Give the connections back."""
        if self._made is not None:
            self._made._client_wrapper.httpx_client.httpx_client.close()

    def server_time(self) -> datetime | None:
        """Label Studio's own time when it last answered; None where it does not say."""
        return self._clock

    # ---- projects

    def project(self, project: str) -> ProjectInfo:
        """The project's settings. Raises NoSuchProject."""
        p = _asked(lambda: self._json("GET", f"api/projects/{_number(project)}", PROJECT_FIELDS))
        return ProjectInfo(
            id=str(p["id"]),
            title=p.get("title") or "",
            config=p.get("label_config") or "",
            model_version=p.get("model_version") or "",
            sampling=p.get("sampling") or "",
            tasks=int(p.get("task_number") or 0),
        )

    def set_model_version(self, project: str, version: str) -> None:
        """Name the version whose predictions are shown and ordered by.

        Raises StudioRejected when it is neither a backend's title nor a version with predictions.
        """
        _asked(lambda: self._sdk.projects.update(_number(project), model_version=version))

    def set_sampling(self, project: str, sampling: str = UNCERTAINTY) -> None:
        """Order the label stream; lowest score first works here though the UI does not offer it.

        Label Studio keeps to it while the organisation has one member, and is random with several.
        """
        _asked(lambda: self._sdk.projects.update(_number(project), sampling=sampling))

    # ---- tasks

    def changed_tasks(self, project: str, since: datetime | None) -> Iterator[TaskState]:
        """Tasks whose `updated_at` is `since` or later, oldest change first, in their state now.

        By key, not by page: a task that changes meanwhile moves to the end and comes again, none
        is jumped over. More equal timestamps than a page holds are read by id.
        """
        at, seen = since or BEGINNING, set[tuple[int, datetime]]()
        while True:
            states = self._tasks(project, [_updated("greater_or_equal", at)], "tasks:updated_at")
            full = len(states) == self.page
            last = states[-1].updated_at if states else at
            if full and last == at:  # a whole page of one moment: no timestamp leads on
                states = list(self._at_one_moment(project, at))
            for state in states:
                if (state.task.id, state.updated_at) not in seen:
                    yield state
            if not full:
                return
            seen = {(s.task.id, s.updated_at) for s in states}
            at = last if last > at else _next_moment(at)

    def _at_one_moment(self, project: str, at: datetime) -> Iterator[TaskState]:
        after = 0
        while True:
            filters = [_updated("equal", at), _id_after(after)]
            states = self._tasks(project, filters, "tasks:id")
            yield from states
            if len(states) < self.page:
                return
            after = states[-1].task.id

    def _tasks(self, project: str, filters: list[Any], order: str) -> list[TaskState]:
        rows = self._list(project, filters, order, page_size=self.page, fields="all")
        return [read_task_state(raw, project) for raw in rows]

    def task_ids(self, project: str) -> set[int]:
        """The ids of all tasks (about 0.35 ms each): what is missing was deleted."""
        return {row["id"] for row in self._rows_by_id(project, [], include="id")}

    def tasks_with_version(self, project: str, version: str, first: int = 0) -> set[int]:
        """The ids, from `first` on, of the tasks that hold a prediction of exactly this version.

        Label Studio finds versions that contain the name, and lists a task's versions in 500
        characters; where that list is cut off, a longer name counts as this one.
        """
        name = "filter:tasks:predictions_model_versions"
        contains = {"filter": name, "operator": "contains", "type": "String", "value": version}
        include = "id,predictions_model_versions"
        rows = self._rows_by_id(project, [contains], include, after=first - 1 if first else 0)
        found = {row["id"]: row.get("predictions_model_versions") or "" for row in rows}
        return {
            task
            for task, listed in found.items()
            if len(listed) >= CUT or version in listed.replace(" ", "").split(",")
        }

    def _rows_by_id(
        self, project: str, filters: list[Any], include: str, after: int = 0
    ) -> Iterator[dict[str, Any]]:
        while True:
            rows = self._list(
                project, [*filters, _id_after(after)], "tasks:id", page_size=IDS, include=include
            )
            yield from rows
            if len(rows) < IDS:
                return
            after = rows[-1]["id"]

    def _list(
        self, project: str, filters: list[Any], order: str, **params: object
    ) -> list[dict[str, Any]]:
        query = {"filters": {"conjunction": "and", "items": filters}, "ordering": [order]}
        asked = {"project": _number(project), "query": json.dumps(query), **params}
        body = _asked(lambda: self._json("GET", "api/tasks/", asked))
        return list(body["tasks"])

    # ---- predictions

    def import_predictions(self, project: str, predictions: Sequence[NewPrediction]) -> int:
        """Store predictions in bulk, return how many; never retried, as doubles are not refused.

        Raises StudioRejected when a task is gone: Label Studio then keeps none of that call.
        """
        wire = [
            {"task": p.task, "result": list(p.result), "score": p.score, "model_version": p.version}
            for p in predictions
        ]
        path = f"api/projects/{_number(project)}/import/predictions"
        body = _asked(lambda: self._json("POST", path, body=wire, retries=0))
        return int(body["created"])

    def delete_predictions(self, project: str, version: str) -> None:
        """Remove one version's predictions.

        Label Studio then also clears the project's model version, be it this one or not, whenever
        that names a backend: set it again right after.
        """
        path = f"api/projects/{_number(project)}/model-versions/"
        _asked(lambda: self._json("DELETE", path, body={"model_version": version}))

    # ---- backends

    def backends(self, project: str) -> list[BackendInfo]:
        """The project's ML backends; Label Studio asks each one's health and set-up for this."""
        found = _asked(lambda: self._sdk.ml.list(project=_number(project)))
        return [read_backend(b) for b in found]

    def connect_backend(  # nosec B107  # empty is none
        self, project: str, url: str, title: str, user: str = "", password: str = ""
    ) -> BackendInfo:
        """Connect a backend, interactive where annotators want it. Label Studio also registers a
        webhook `<url>/webhook`: remove it."""
        options = {"max_retries": 0}
        auth = {**_auth(user, password), "is_interactive": True}
        return read_backend(
            _asked(
                lambda: self._sdk.ml.create(
                    project=_number(project), url=url, title=title, request_options=options, **auth
                ),
                show=True,
            )
        )

    def rename_backend(  # nosec B107  # empty is none
        self, project: str, backend: int, url: str, title: str, user: str = "", password: str = ""
    ) -> BackendInfo:
        """Give a backend another title; url, project and auth go along or Label Studio fails."""
        auth = _auth(user, password)
        return read_backend(
            _asked(
                lambda: self._sdk.ml.update(
                    backend, project=_number(project), url=url, title=title, **auth
                ),
                show=True,
            )
        )

    def disconnect_backend(self, backend: int) -> None:
        """Take a backend away; the webhook that came with it stays behind."""
        _asked(lambda: self._sdk.ml.delete(backend))

    # ---- webhooks

    def webhooks(self, project: str) -> list[WebhookInfo]:
        """The project's webhooks, whoever registered them."""
        found = _asked(lambda: self._sdk.webhooks.list(project=project))
        return [read_webhook(w) for w in found]

    def add_webhook(
        self, project: str, url: str, actions: Sequence[str], headers: Mapping[str, str]
    ) -> WebhookInfo:
        """Register a webhook for some actions; the headers are sent along verbatim."""
        made = _asked(
            lambda: self._sdk.webhooks.create(
                project=_number(project),
                url=url,
                actions=list(actions),
                headers=dict(headers),
                send_for_all_actions=False,
                send_payload=True,
                request_options={"max_retries": 0},
            ),
            show=True,
        )
        return read_webhook(made)

    def remove_webhook(self, webhook: int) -> None:
        with suppress(NoSuchProject):  # somebody was quicker
            _asked(lambda: self._sdk.webhooks.delete(webhook))

    # ---- projects of our own

    def find_project(self, description: str) -> str | None:
        """The oldest project that has this description, if any."""
        for page in count(1):
            asked = {"include": "id,description", "page": page, "page_size": 100, "ordering": "id"}
            body = _asked(partial(self._json, "GET", "api/projects/", asked))
            for p in body["results"]:
                if p.get("description") == description:
                    return str(p["id"])
            if not body.get("next"):
                return None
        raise AssertionError("pages do not end")

    def make_project(self, title: str, description: str, config: str, guide: str) -> str:
        """A new project whose tasks open filled in; its id. Never retried."""
        body: dict[str, Any] = {
            "title": title[:TITLE],
            "description": description,
            "label_config": config,
        }
        body |= {"expert_instruction": guide, "show_instruction": True}
        body |= {"show_collab_predictions": True, "skip_queue": "IGNORE_SKIPPED"}
        made = _asked(lambda: self._json("POST", "api/projects/", body=body, retries=0))
        return str(made["id"])

    def import_tasks(self, project: str, tasks: Sequence[NewTask]) -> None:
        """Add tasks; never retried, as doubles are not refused."""
        wire = [
            {
                "data": dict(t.data),
                "predictions": [{"result": list(t.result), "model_version": t.version}],
            }
            for t in tasks
        ]
        path = f"api/projects/{_number(project)}/import"
        _asked(lambda: self._json("POST", path, body=wire, retries=0))

    def people(self) -> Mapping[int, str]:
        """Who works there: ids and e-mail addresses."""
        found = _asked(lambda: self._json("GET", "api/users/"))
        return {int(u["id"]): str(u.get("email") or "") for u in found}

    # ---- the wire

    def _json(
        self,
        method: str,
        path: str,
        params: Mapping[str, object] | None = None,
        body: object = None,
        retries: int = RETRIES,
    ) -> Any:
        """One request through the SDK's own transport (tokens, retries), its JSON as it came."""
        response = self._sdk._client_wrapper.httpx_client.request(
            path,
            method=method,
            params=dict(params or {}),
            json=body,
            request_options={"max_retries": retries},
        )
        self._clock = read_date(response.headers.get("date"))
        if response.status_code >= 400:
            raise ApiError(status_code=response.status_code, body=None)
        return None if response.status_code == 204 else response.json()

    def _answered(self, method: str, path: str, params: Any = None, body: object = None) -> Any:
        retries = RETRIES if method in ("GET", "DELETE") else 0  # doubles are not refused
        return _asked(lambda: self._json(method, path, params, body, retries))


PROJECT_FIELDS = {"include": "id,title,label_config,model_version,sampling,task_number"}


def _number(project: str) -> int:
    if not project.isdecimal():
        raise NoSuchProject(f"project {project!r} is no Label Studio project id (a whole number)")
    return int(project)


def _asked(call: Callable[[], T], show: bool = False) -> T:
    """Run one call, translate its errors; `show`: a refusal holds no task text, so quote it."""
    try:
        return call()
    except ApiError as error:
        status, said = error.status_code or 0, f": {str(error.body)[:500]}" if show else ""
        if status in (401, 403):
            raise StudioRefused(f"Label Studio refuses the token (HTTP {status}){said}") from error
        if status == 404:
            raise NoSuchProject("Label Studio knows no such project (HTTP 404)") from error
        if status in (408, 429) or status >= 500 or not status:
            raise StudioDown(f"Label Studio cannot answer (HTTP {status})") from error
        raise StudioRejected(f"Label Studio rejects the request (HTTP {status}){said}") from error
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise StudioDown(f"Label Studio does not answer ({type(error).__name__})") from error


def _updated(operator: str, at: datetime) -> dict[str, str]:
    # any other form of the time makes Label Studio answer 500
    value = at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    name = "filter:tasks:updated_at"
    return {"filter": name, "operator": operator, "type": "Datetime", "value": value}


def _id_after(task: int) -> dict[str, object]:
    return {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": task}


def _next_moment(at: datetime) -> datetime:
    return at + timedelta(microseconds=1)  # Label Studio keeps microseconds


def _auth(user: str, password: str) -> dict[str, str]:
    if not password:
        return {"auth_method": "NONE"}
    return {"auth_method": "BASIC_AUTH", "basic_auth_user": user, "basic_auth_pass": password}
