"""Label Studio's seam: read from recorded answers, its failures named, and the real one asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sync.groups import Place
from sync.log import Log
from sync.pull import pull
from sync.start.api import StudioApi
from sync.start.studio import Studio as RunningStudio
from sync.studio import Studio
from sync.studio_read import read_task_state
from sync.studio_values import (
    NewPrediction,
    NoSuchProject,
    StudioDown,
    StudioError,
    StudioRefused,
    StudioRejected,
)
from tests.sync.stub_backend import StubBackend, stub_backend

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="intent" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>'
)
A = [{"from_name": "intent", "to_name": "text", "type": "choices", "value": {"choices": ["A"]}}]
# the SDK's own token refresh calls a deprecated method of pydantic
pytestmark = pytest.mark.filterwarnings("ignore:The `parse_obj` method:DeprecationWarning")
LEGACY = "0123456789abcdef0123456789abcdef01234567"


def test_a_recorded_task_list_is_read() -> None:
    path = Path(__file__).parents[3] / "shared/captures/GET_api_tasks_fields_all.json"
    if not path.exists():
        pytest.skip("the recorded answers of Label Studio lie beside the checkout, not here")
    states = [read_task_state(raw, "11") for raw in json.loads(path.read_text())["tasks"]]
    first = next(s for s in states if s.task.id == 11144)
    (annotation,) = first.annotations
    assert (annotation.id, annotation.task, annotation.author) == (5569, 11144, 1)
    assert annotation.updated_at == datetime(2026, 11, 22, 7, 29, 16, 500149, timezone.utc)
    assert first.updated_at == datetime(2026, 11, 22, 7, 29, 16, 629334, timezone.utc)
    assert annotation.result == [
        A[0] | {"from_name": "sentiment", "value": {"choices": ["Positive"]}}
    ]


@pytest.mark.parametrize(
    "odd",
    [
        {"data": None},
        {"updated_at": None},
        {"updated_at": "yesterday"},
        {"annotations": [{"id": 3, "result": "abc", "lead_time": "x", "completed_by": {"id": 9}}]},
        {"annotations": None, "predictions": [{"id": 4, "score": "high", "result": None}]},
        {"annotations": [{"id": 3, "result": [], "lead_time": 10**400}]},
        {"predictions": [{"id": 4, "result": [], "score": 10**400}]},
        {"updated_at": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_odd_rows_are_read_and_none_is_lost(odd: dict[str, Any]) -> None:
    raw = {"id": 7, "data": {"text": "t"}, "updated_at": "2026-11-22T07:29:16.5Z"} | odd
    state = read_task_state(raw, "1")
    assert state.task.id == 7
    assert len(state.annotations) == len(odd.get("annotations") or ())
    assert len(state.predictions) == len(odd.get("predictions") or ())


@pytest.fixture
def failing() -> Iterator[tuple[str, list[int]]]:
    """A server that answers every request with the status put into the list."""
    status: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<html>" if status[0] == 200 else b"{}"
            self.send_response(status[0])
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(body)

        def do_DELETE(self) -> None:
            self.send_response(status[0])
            self.send_header("Content-Length", "0")
            self.send_header("Retry-After", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", status
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, StudioRefused),
        (403, StudioRefused),
        (404, NoSuchProject),
        (400, StudioRejected),
        (200, StudioDown),  # not JSON: a proxy's page, say
    ],
)
def test_each_failure_has_its_name(
    failing: tuple[str, list[int]], status: int, error: type[StudioError]
) -> None:
    url, answer = failing
    answer.append(status)
    with closing(Studio(url, LEGACY, timeout_s=2)) as studio, pytest.raises(error) as caught:
        studio.project("1")
    assert LEGACY not in str(caught.value)


@pytest.mark.parametrize(("status", "error"), [(204, None), (404, None), (403, StudioRefused)])
def test_what_is_gone_already_is_deleted(
    failing: tuple[str, list[int]], status: int, error: type[StudioError] | None
) -> None:
    url, answer = failing
    answer.append(status)
    with closing(Studio(url, LEGACY, timeout_s=2)) as studio:
        for delete in (studio.delete_task, studio.delete_annotation):
            if error is None:
                delete(7)
            else:
                with pytest.raises(error):
                    delete(7)


def test_a_project_is_a_number() -> None:
    with pytest.raises(NoSuchProject, match="whole number"):
        Studio("http://127.0.0.1:1", LEGACY).project("../1")


class Paged(Studio):
    """The real paging over a list in memory that changes while it is read."""

    def __init__(self, rows: dict[int, datetime], page: int) -> None:
        super().__init__("http://127.0.0.1:1", LEGACY, page=page)
        self.rows = rows
        self.meanwhile: list[tuple[int, datetime]] = []

    def _list(
        self, project: str, filters: list[Any], order: str, **params: object
    ) -> list[dict[str, Any]]:
        if self.meanwhile:
            self.rows.update([self.meanwhile.pop()])
        form = "%Y-%m-%dT%H:%M:%S.%fZ"
        found = [(at.strftime(form), task) for task, at in self.rows.items()]
        for f in filters:
            if f["filter"] == "filter:tasks:id":
                found = [(at, task) for at, task in found if task > f["value"]]
            elif f["operator"] == "equal":
                found = [(at, task) for at, task in found if at == f["value"]]
            else:
                found = [(at, task) for at, task in found if at >= f["value"]]
        found.sort(key=lambda row: row[1] if order == "tasks:id" else row[0])
        return [{"id": t, "updated_at": at, "data": {}} for at, t in found[: self.page]]


T0 = datetime(2026, 11, 22, tzinfo=timezone.utc)


def test_equal_timestamps_beyond_a_page_are_all_read() -> None:
    rows = {i: T0 + timedelta(seconds=i // 10) for i in range(1, 40)}
    got = [s.task.id for s in Paged(rows, page=4).changed_tasks("1", None)]
    assert sorted(got) == sorted(rows)


def test_a_change_while_paging_is_read_once_more_and_nothing_is_jumped() -> None:
    rows = {i: T0 + timedelta(seconds=i) for i in range(1, 20)}
    studio = Paged(dict(rows), page=5)
    studio.meanwhile = [(2, T0 + timedelta(seconds=99)), (6, T0 + timedelta(seconds=98))]
    got = [(s.task.id, s.updated_at) for s in studio.changed_tasks("1", None)]
    assert {task for task, _ in got} == set(rows)
    assert (2, T0 + timedelta(seconds=99)) in got and (6, T0 + timedelta(seconds=98)) in got


# ---- the real one


@pytest.fixture
def project(studio_api: StudioApi) -> str:
    body = {"title": "seam", "label_config": CONFIG}
    number = str(studio_api.call("POST", "/api/projects", json=body)["id"])
    tasks = [{"data": {"text": f"sentence number {i}"}} for i in range(12)]
    studio_api.call("POST", f"/api/projects/{number}/import", json=tasks)
    return number


@pytest.fixture
def seam(studio: RunningStudio) -> Iterator[Studio]:
    with closing(Studio(studio.url, studio.token, page=5)) as made:
        yield made


@pytest.fixture
def backend() -> Iterator[StubBackend]:
    with stub_backend() as stub:
        yield stub


@pytest.mark.real
def test_both_kinds_of_token_work(studio: RunningStudio, project: str) -> None:
    for token in (studio.token, studio.account.legacy_token):
        with closing(Studio(studio.url, token)) as seam:
            info = seam.project(project)
            assert (info.id, info.title, info.tasks) == (project, "seam", 12)
            with pytest.raises(NoSuchProject):
                seam.project("99999")
    with closing(Studio(studio.url, "f" * 40)) as seam, pytest.raises(StudioRefused):
        seam.project(project)


@pytest.mark.real
def test_changes_are_heard_and_deletions_too(
    seam: Studio, studio_api: StudioApi, project: str, tmp_path: Path
) -> None:
    log = Log(f"sqlite:///{tmp_path / 'log.db'}")
    log.connect(project, "seam")
    assert pull(seam, log, project, 0.2).added.tasks == 12
    ids = sorted(log.sides(project))
    posted = [
        studio_api.call("POST", f"/api/tasks/{task}/annotations/", json={"result": A})
        for task in ids[:7]
    ]
    skip = {"result": [], "was_cancelled": True}
    studio_api.call("POST", f"/api/tasks/{ids[7]}/annotations/", json=skip)
    found = pull(seam, log, project, 0.2).added
    assert (found.answers, found.skips) == (7, 1)
    edit = {"result": [A[0] | {"value": {"choices": ["B"]}}]}
    studio_api.call("PATCH", f"/api/annotations/{posted[0]['id']}", json=edit)
    studio_api.call("DELETE", f"/api/annotations/{posted[1]['id']}")
    found = pull(seam, log, project, 0.2).added
    assert (found.edits, found.deletions) == (1, 1)
    studio_api.call("DELETE", f"/api/tasks/{ids[2]}")
    assert pull(seam, log, project, 0.2).deleted_tasks == 1
    assert not pull(seam, log, project, 0.2).any
    held = {a.id: a.result for s in seam.changed_tasks(project, None) for a in s.annotations}
    kept = {a.id: a.result for a in log.current_annotations(project)}
    cancelled = held.keys() - kept.keys()
    assert len(kept) == 5 and kept == {i: r for i, r in held.items() if i in kept}
    assert len(cancelled) == 1
    log.close()


@pytest.mark.real
def test_one_moment_for_many_tasks_is_read_to_its_end(
    seam: Studio, studio_api: StudioApi, project: str
) -> None:
    seen = list(seam.changed_tasks(project, None))
    assert {s.task.id for s in seen} == seam.task_ids(project)
    # a bulk action gives all tasks one timestamp; a page holds five
    seam.import_predictions(
        project, [NewPrediction(s.task.id, A, 0.5, "v1-aaaaaaaa") for s in seen]
    )
    path = f"/api/dm/actions?id=predictions_to_annotations&project={project}"
    everything = {"selectedItems": {"all": True, "excluded": []}}
    studio_api.call("POST", path, json=everything | {"model_version": "v1-aaaaaaaa"})
    since = max(s.updated_at for s in seen)
    after = [s for s in seam.changed_tasks(project, since) if s.annotations]
    assert {s.task.id for s in after} == seam.task_ids(project)


@pytest.mark.real
def test_predictions_versions_and_their_removal(seam: Studio, project: str) -> None:
    tasks = sorted(seam.task_ids(project))
    short, long = "v1-aaaaaaaa", "v1-aaaaaaaa+bbbbbbbb"
    made = [NewPrediction(task, A, 0.25, short) for task in tasks[:4]]
    assert seam.import_predictions(project, made) == 4
    assert seam.import_predictions(project, [replace(p, version=long) for p in made[2:]]) == 2
    assert seam.tasks_with_version(project, short) == set(tasks[:4])
    assert seam.tasks_with_version(project, long) == set(tasks[2:4])
    with pytest.raises(StudioRejected) as refusal:
        seam.import_predictions(project, [made[0], replace(made[0], task=999_999)])
    assert "sentence" not in str(refusal.value)
    assert len(seam.tasks_with_version(project, short)) == 4  # nothing of a refused call is kept
    (state,) = [s for s in seam.changed_tasks(project, None) if s.task.id == tasks[0]]
    (prediction,) = state.predictions
    assert (prediction.version, prediction.score, prediction.result) == (short, 0.25, A)
    seam.set_model_version(project, short)
    assert seam.project(project).model_version == short
    with pytest.raises(StudioRejected):
        seam.set_model_version(project, "v9-unknown")
    seam.delete_predictions(project, long)
    assert seam.tasks_with_version(project, long) == set()
    assert seam.project(project).model_version == short


@pytest.mark.real
def test_backends_and_webhooks(seam: Studio, project: str, backend: StubBackend) -> None:
    made = seam.connect_backend(project, backend.url, "cold-00000000", "annotune", "s3cret")
    assert made.title == "cold-00000000"
    assert seam.project(project).model_version == "cold-00000000"
    own = [h for h in seam.webhooks(project) if h.url == f"{backend.url}/webhook"]
    assert len(own) == 1  # Label Studio registered it by itself
    renamed = seam.rename_backend(
        project, made.id, backend.url, "v1-aaaaaaaa", "annotune", "s3cret"
    )
    assert renamed.title == "v1-aaaaaaaa"
    (known,) = seam.backends(project)
    assert known.connected and known.version == backend.version and known.id == made.id
    assert len(seam.webhooks(project)) == 1  # a renaming registers none
    seam.set_model_version(project, "v1-aaaaaaaa")
    hook = seam.add_webhook(
        project,
        "http://127.0.0.1:9/webhook",
        ["ANNOTATION_CREATED", "TASKS_DELETED"],
        {"X-Annotune-Secret": "s3cret"},
    )
    assert set(hook.actions) == {"ANNOTATION_CREATED", "TASKS_DELETED"}
    for h in seam.webhooks(project) * 2:  # what is gone already is no error
        seam.remove_webhook(h.id)
    assert seam.webhooks(project) == []
    seam.disconnect_backend(made.id)
    assert seam.backends(project) == []
    seam.set_sampling(project)
    assert seam.project(project).sampling == "Uncertainty sampling"


@pytest.mark.real
def test_tasks_annotations_and_projects_are_deleted(
    seam: Studio, studio_api: StudioApi, project: str
) -> None:
    first, second = sorted(seam.task_ids(project))[:2]
    body = {"result": A, "lead_time": 0.1}
    posted = studio_api.call("POST", f"/api/tasks/{first}/annotations/", json=body)
    for _ in range(2):  # what is gone already is no error
        seam.delete_annotation(posted["id"])
        seam.delete_task(second)
    states = {s.task.id: s for s in seam.changed_tasks(project, None)}
    assert first in states and not states[first].annotations and second not in states
    for _ in range(2):
        seam.delete_project(project)
    with pytest.raises(NoSuchProject):
        seam.project(project)


@pytest.mark.real
def test_without_a_backend_behind_the_url_nothing_is_connected(seam: Studio, project: str) -> None:
    with pytest.raises(StudioRejected, match="health check failed"):
        seam.connect_backend(project, "http://127.0.0.1:9", "cold-00000000")


@pytest.mark.real
def test_a_deleted_project_keeps_its_log(
    seam: Studio, studio_api: StudioApi, project: str, tmp_path: Path
) -> None:
    log = Log(f"sqlite:///{tmp_path / 'log.db'}")
    log.connect(project, "seam")
    pull(seam, log, project, 0.2)
    studio_api.call("DELETE", f"/api/projects/{project}/")
    with pytest.raises(NoSuchProject):
        pull(seam, log, project, 0.2)
    assert len(log.sides(project)) == 12
    assert all(isinstance(task.place, Place) for task in log.tasks(project))
    log.close()
