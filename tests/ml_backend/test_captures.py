"""Every recorded call of Label Studio 1.23.2 is answered or read as it must be.

What was sent to a backend is replayed against the app; what was answered by Label Studio's own API
is read with the house's words. A recording nobody names here fails the first test.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from label_studio_sdk.label_interface import LabelInterface

from label_config import Choice, Schema, Span, Written, read_schema
from label_config.wire import read_result, read_task
from ml_backend.app import create_app
from settings import Backend
from sync.studio import read_task_state
from tests.ml_backend.fakes import CAPTURES, NO_CAPTURES, FirstLabelLive, ListedJobs, captured

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason=NO_CAPTURES)

INTERACTIVE = "predict_interactive.json"
WHOLE = (
    "predict_basic_auth.json",
    "predict_batch_retrieve.json",
    "predict_on_get_task.json",
)
PREDICTS = (*WHOLE, INTERACTIVE)
SETUPS = ("setup.json", "setup_basic_auth_extra_params.json")
LISTS = ("health.json", "versions.json")
TRAIN = "train_START_TRAINING.json"
WEBHOOKS = (
    "webhook_ANNOTATIONS_CREATED.json",
    "webhook_ANNOTATIONS_DELETED.json",
    "webhook_ANNOTATIONS_DELETED_bulk.json",
    "webhook_ANNOTATION_CREATED.json",
    "webhook_ANNOTATION_CREATED_skip.json",
    "webhook_ANNOTATION_UPDATED.json",
    "webhook_PROJECT_UPDATED.json",
    "webhook_PROJECT_UPDATED_on_config_change.json",
    "webhook_TASKS_CREATED.json",
    "webhook_TASKS_DELETED.json",
    "webhook_import_with_annotations.json",
)
ANSWERS = (
    "GET_api_ml.json",
    "GET_api_task_1.json",
    "GET_api_tasks_fields_all.json",
    "GET_api_tasks_list.json",
    "export_JSON.json",
    "webhooks_info.json",
)
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def replay(client: FlaskClient, name: str, path: str | None = None) -> Any:
    """Send a recorded request as it was recorded (its Host and length are this client's own)."""
    call = captured(name)
    headers = {
        k: v
        for k, v in call["headers"].items()
        if k not in ("Host", "Content-Length", "Connection")
    }
    return client.open(
        path or call["path"], method=call["method"], headers=headers, json=call["body"]
    )


def config() -> str:
    return str(captured("setup.json")["body"]["schema"])


def schema() -> Schema:
    return read_schema(config())


def test_no_recording_is_left_out() -> None:
    named = {*PREDICTS, *SETUPS, *LISTS, TRAIN, *WEBHOOKS, *ANSWERS}
    assert {path.name for path in CAPTURES.glob("*.json")} == named


@pytest.mark.parametrize("name", SETUPS)
def test_setup_says_the_version_that_predictions_carry(client: FlaskClient, name: str) -> None:
    answer = replay(client, name)
    assert (answer.status_code, answer.json) == (200, {"model_version": "v1-0a1b2c3d"})


@pytest.mark.parametrize("name", WHOLE)
def test_predict_answers_each_task_in_order(
    client: FlaskClient, live: FirstLabelLive, name: str
) -> None:
    body = captured(name)["body"]
    results = replay(client, name).json["results"]
    texts = [task["data"]["text"] for task in body["tasks"]]
    first_words = [
        next(r["value"]["text"] for r in item["result"] if r["type"] == "labels")
        for item in results
    ]
    assert first_words == [text.split()[0] for text in texts]
    (project, _, tasks, _) = live.asked[0]
    assert project == body["project"].split(".")[0]
    assert [t.id for t in tasks] == [t["id"] for t in body["tasks"]]


def test_an_interactive_call_is_answered_with_other_mentions_of_what_was_drawn(
    client: FlaskClient,
) -> None:
    """In the recorded one "Alice" was drawn; here she comes twice, and was never predicted."""
    body = json.loads(json.dumps(captured(INTERACTIVE)["body"]))
    body["tasks"][0]["data"]["text"] += " Alice left."
    body["tasks"][0]["predictions"] = []
    (only,) = client.post("/predict", json=body).json["results"]
    assert [r["value"]["start"] for r in only["result"]] == [35]
    assert replay(client, INTERACTIVE).json["results"][0]["result"] == []


@pytest.mark.parametrize("name", PREDICTS)
def test_the_sdk_finds_every_answer_valid(client: FlaskClient, name: str) -> None:
    interface = LabelInterface(captured(name)["body"]["label_config"])
    answer = replay(client, name).json
    for item in answer["results"]:
        assert interface.validate_prediction(item, return_errors=True) == []
        assert item["model_version"] == answer["model_version"]
        ids = [region["id"] for region in item["result"]]
        assert len(set(ids)) == len(ids)


def test_setup_and_predict_name_one_version(client: FlaskClient) -> None:
    """Where they differ, Label Studio stores one more prediction each time a task is opened."""
    version = replay(client, "setup.json").json["model_version"]
    items = replay(client, "predict_on_get_task.json").json["results"]
    assert [item["model_version"] for item in items] == [version]


def test_recorded_credentials_open_a_closed_backend(live: FirstLabelLive, jobs: ListedJobs) -> None:
    closed = create_app(Backend(user="u", password="pw"), live, jobs, list).test_client()
    for name in ("predict_basic_auth.json", "setup_basic_auth_extra_params.json"):
        assert replay(closed, name).status_code == 200
    for name in ("predict_on_get_task.json", "setup.json", "health.json", "versions.json", TRAIN):
        answer = replay(closed, name)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_health_and_versions_answer_as_recorded_callers_expect(client: FlaskClient) -> None:
    health = replay(client, "health.json")
    assert (health.status_code, health.json["status"], health.json["ready"]) == (200, "UP", True)
    versions = replay(client, "versions.json")
    assert versions.json == {"versions": ["v1-0a1b2c3d", "v2-4e5f6a7b"]}


def test_the_train_button_asks_sync_and_nothing_else(client: FlaskClient, jobs: ListedJobs) -> None:
    answer = replay(client, TRAIN)
    assert (answer.status_code, answer.json) == (201, {"job": "ask-1"})
    assert jobs.asked == [("sync.jobs.ask", ("1",), "ask-1")]


@pytest.mark.parametrize("name", WEBHOOKS)
def test_other_webhooks_are_heard_and_ignored(
    client: FlaskClient, jobs: ListedJobs, name: str
) -> None:
    """Label Studio registers <url>/webhook by itself until sync deletes it; sync has its own."""
    answer = replay(client, name, "/webhook")
    assert (answer.status_code, list(answer.json)) == (200, ["ignored"])
    assert jobs.asked == []


@pytest.mark.parametrize("name", [n for n in WEBHOOKS if "ANNOTATION" in n and "DELETED" not in n])
def test_annotations_in_webhooks_read_without_loss(name: str) -> None:
    body = captured(name)["body"]
    annotations, tasks = body["annotation"], body["task"]
    if isinstance(annotations, dict):
        annotations, tasks = [annotations], [tasks]
    of_config = read_schema(body["project"]["label_config"])
    data = {task["id"]: task["data"] for task in tasks}
    for annotation in annotations:
        assert STAMP.fullmatch(annotation["updated_at"])
        read = read_result(of_config, data[annotation["task"]], annotation["result"])
        assert read.dropped == ()
        assert bool(read.regions) == bool(annotation["result"])


@pytest.mark.parametrize("name", [n for n in WEBHOOKS if "DELETED" in n])
def test_deletions_name_ids_only(name: str) -> None:
    body = captured(name)["body"]
    things = body["tasks"] if "TASKS" in body["action"] else body["annotations"]
    assert things and all(list(thing) == ["id"] for thing in things)


def test_a_skip_is_a_cancelled_annotation() -> None:
    body = captured("webhook_ANNOTATION_CREATED_skip.json")["body"]
    assert (body["action"], body["annotation"]["was_cancelled"]) == ("ANNOTATION_CREATED", True)


def test_imported_annotations_come_without_a_word_of_their_own() -> None:
    body = captured("webhook_import_with_annotations.json")["body"]
    assert body["action"] == "TASKS_CREATED" and "annotation" not in body
    assert body["tasks"][0]["total_annotations"] == 1


def test_a_task_of_the_api_reads_with_its_predictions() -> None:
    raw = captured("GET_api_task_1.json")
    task = read_task(raw, "1")
    assert not isinstance(task, str)
    for prediction in raw["predictions"]:
        read = read_result(schema(), task.data, prediction["result"])
        assert read.dropped == ()
        assert read.regions == (
            Choice("sentiment", "text", ("Positive",)),
            Span("ner", "text", 0, 5, "Alice", ("PER",), 0.7),
            Written("sum", "text", "a summary"),
        )


def test_listed_tasks_carry_what_the_cursor_needs() -> None:
    for name in ("GET_api_tasks_fields_all.json", "GET_api_tasks_list.json"):
        for task in captured(name)["tasks"]:
            assert STAMP.fullmatch(task["updated_at"]) and not isinstance(read_task(task, "1"), str)


@pytest.mark.parametrize("name", ["GET_api_tasks_fields_all.json", "export_JSON.json"])
def test_annotations_of_the_api_read_without_loss(name: str) -> None:
    answer = captured(name)
    rows = answer["tasks"] if isinstance(answer, dict) else answer
    seen = 0
    for row in rows:
        state = read_task_state(row, "11")
        assert f"{state.updated_at:%Y-%m-%dT%H:%M:%S.%fZ}" == row["updated_at"]
        assert [a.id for a in state.annotations] == [a["id"] for a in row["annotations"]]
        for annotation in state.annotations:
            read = read_result(schema(), state.task.data, annotation.result)
            assert read.dropped == () and [r.labels for r in read.regions] == [("Positive",)]
            seen += 1
    assert seen


def test_the_backend_object_and_the_webhook_actions_are_as_sync_uses_them() -> None:
    (backend,) = captured("GET_api_ml.json")
    assert {"id", "url", "title", "model_version", "auth_method", "state"} <= set(backend)
    wanted = {"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"}
    assert {*wanted, "ANNOTATIONS_DELETED", "TASKS_DELETED"} <= set(captured("webhooks_info.json"))
