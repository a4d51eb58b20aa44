"""Whatever comes in, a route gives one valid answer per task or one clear refusal."""

from __future__ import annotations

import base64
import logging
import threading
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from label_config import read_schema
from lora.errors import NotReady, Overloaded
from ml_backend.app import create_app
from settings import Backend
from tests.ml_backend.fakes import XML, DownJobs, FirstLabelLive, ListedJobs, said

SECRET = "0123456789abcdef0123456789abcdef01234567"
PRIVATE = "Mrs Example owes 12 pounds"


def task(number: object, text: object) -> dict[str, object]:
    return {"id": number, "data": {"text": text}}


def body(*tasks: object, config: object = XML) -> dict[str, object]:
    return {"project": "7.1795331829", "label_config": config, "tasks": list(tasks)}


def predict(client: FlaskClient, *tasks: object, config: object = XML) -> list[dict[str, Any]]:
    answer = client.post("/predict", json=body(*tasks, config=config))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    results: list[dict[str, Any]] = said(answer)["results"]
    return results


ODD_TASKS: list[object] = [
    None,
    3,
    "a task",
    [],
    {},
    {"id": 4},
    {"id": 5, "data": None},
    {"id": 6, "data": [1]},
    {"id": "six", "data": {"text": "words"}},
    {"id": True, "data": {"text": "words"}},
    task(7, None),
    task(8, ""),
    task(9, " \n\t"),
    task(10, {"deep": [{"er": 1}]}),
    task(11, ["a", "b"]),
    task(12, True),
    {"id": 13, "data": {"other": "words"}},
    task(14, 5),
    task(15, 1e400),
    task(16, "a \ud800 lone half"),
    task(17, "\x00\x01"),
    task(18, "e\u0301\U0001f468\u200d\U0001f469\u200d\U0001f467 family"),
    task(19, "line one\r\nline two"),
    task(20, "word " * 200_000),
    {"id": 2**70, "data": {"text": "words"}},
]


def test_odd_tasks_get_one_valid_prediction_each_in_order(client: FlaskClient) -> None:
    marked = [part for odd in ODD_TASKS for part in (odd, task(1, "Alice came"))]
    results = predict(client, *marked)
    assert len(results) == len(marked)
    interface = LabelInterface(XML)
    for item in results:
        assert interface.validate_prediction(item, return_errors=True) == []
        assert item["model_version"] == "v1-0a1b2c3d" and 0 <= item["score"] <= 1
    spans = [r["value"]["text"] for item in results[1::2] for r in item["result"][1:]]
    assert spans == ["Alice"] * len(ODD_TASKS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(tasks=st.lists(JSON | st.fixed_dictionaries({"id": JSON, "data": JSON}), max_size=5))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_in_the_task_list_is_answered(client: FlaskClient, tasks: list[object]) -> None:
    assert len(predict(client, *tasks)) == len(tasks)


@pytest.mark.parametrize(
    "config",
    [
        "<View/>",
        '<View><Image name="i" value="$i"/><Choices name="c" toName="i"><Choice value="a"/>'
        "</Choices></View>",
        "<View>",
        "",
        "not xml",
        '<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>',
        "<View>" * 3000,
    ],
)
def test_a_config_that_cannot_be_served_gets_empty_answers(
    client: FlaskClient, live: FirstLabelLive, config: str
) -> None:
    live.raises = NotReady("the model is still loading")  # and needs no model
    results = predict(client, task(1, "words"), None, config=config)
    empty = {"result": [], "score": 0.5, "model_version": "v1-0a1b2c3d"}
    assert results == [empty, empty]
    setup = client.post("/setup", json={"project": "7.1", "schema": config})
    assert setup.json == {"model_version": "v1-0a1b2c3d"}


def test_no_tasks_get_no_predictions(client: FlaskClient) -> None:
    answer = client.post("/predict", json=body())
    assert said(answer) == {"results": [], "model_version": "v1-0a1b2c3d"}


def interactive(raw: dict[str, Any], *drawn: dict[str, Any], config: str = XML) -> dict[str, Any]:
    context = {"result": list(drawn)}
    return {**body(raw, config=config), "params": {"login": None, "context": context}}


def person(start: int, end: int, label: str = "PER") -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label]}
    return {"from_name": "ner", "to_name": "text", "type": "labels", "id": "x", "value": value}


def test_a_span_just_drawn_is_suggested_on_its_other_mentions_and_nothing_else_is(
    client: FlaskClient,
) -> None:
    call = interactive(task(1, "Then Alice met Bob. Alice left."), person(5, 10))
    (only,) = said(client.post("/predict", json=call))["results"]
    (region,) = only["result"]  # neither the mood nor the first word, which the model would say
    assert (region["from_name"], region["type"]) == ("ner", "labels")
    assert region["value"] == {"start": 20, "end": 25, "text": "Alice", "labels": ["PER"]}


def test_a_mention_that_the_model_sees_too_has_its_probability(client: FlaskClient) -> None:
    call = interactive(task(1, "Alice met Bob. Alice left."), person(15, 20))
    (only,) = said(client.post("/predict", json=call))["results"]
    (region,) = only["result"]
    assert (region["value"]["start"], region["score"]) == (0, 0.8)


def test_a_label_added_a_minute_ago_is_suggested_as_any_other(client: FlaskClient) -> None:
    config = XML.replace('<Label value="ORG"/>', '<Label value="ORG"/><Label value="Ship"/>')
    call = interactive(
        task(1, "At sea: the Ada. The Ada sank."), person(12, 15, "Ship"), config=config
    )
    (only,) = said(client.post("/predict", json=call))["results"]
    assert [r["value"]["labels"] for r in only["result"]] == [["Ship"]]


def test_on_a_blind_task_nothing_is_suggested(client: FlaskClient, live: FirstLabelLive) -> None:
    live.blind = {1}
    call = interactive(task(1, "Then Alice met Bob. Alice left."), person(5, 10))
    (only,) = said(client.post("/predict", json=call))["results"]
    assert only["result"] == []


def test_a_suggestion_that_was_taken_away_does_not_come_back(client: FlaskClient) -> None:
    text = "Then Alice met Bob. Alice left. Alice!"
    first = said(client.post("/predict", json=interactive(task(1, text), person(5, 10))))
    assert [r["value"]["start"] for r in first["results"][0]["result"]] == [20, 32]
    left = interactive(task(1, text), person(5, 10), person(32, 37))  # 20 is gone
    assert said(client.post("/predict", json=left))["results"][0]["result"] == []
    other = interactive(task(2, text), person(5, 10))  # another task is another matter
    assert len(said(client.post("/predict", json=other))["results"][0]["result"]) == 2


def test_a_suggestion_has_an_id_that_no_region_of_the_task_has(client: FlaskClient) -> None:
    """The editor writes over the region whose id a suggestion has."""
    raw = task(1, "Ann met Bob. Ann left. Bob stayed. Ann!")
    calls = [body(raw), interactive(raw, person(0, 3)), interactive(raw, person(8, 11))]
    answers = [said(client.post("/predict", json=call))["results"][0]["result"] for call in calls]
    ids = [region["id"] for answer in answers for region in answer]
    assert len(ids) == len(set(ids)) == 5


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "the body is empty"),
        (b"{", "1 bytes that are not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[1]", "a JSON a list"),
        (b"null", "absent or null"),
        (b"[" * 100_000, "nests too deeply"),
        (b'{"tasks": {}, "project": "1.1"}', "tasks is an object"),
        (b'{"project": "1.1"}', "tasks is absent"),
        (b'{"tasks": [], "project": "../../etc"}', "is no id"),
        (b'{"tasks": [], "project": "1\\n"}', "is no id"),
        (b'{"tasks": [], "project": null}', "project is absent"),
        (b'{"tasks": [], "project": true}', "project is a boolean"),
        (b'{"tasks": [], "project": "1.1", "label_config": 5}', "label_config is a number"),
        (b'{"tasks": [], "project": "1.1", "label_config": null}', "/setup was not called"),
        (b'{"tasks": [' + b"9" * 5000 + b"]}", "not JSON"),
        (b'{"project": "1.1", "tasks": [' + b"0," * 50_000 + b"0]}", "at most 50000"),
    ],
)
def test_a_malformed_body_is_refused_by_name(client: FlaskClient, raw: bytes, says: str) -> None:
    answer = client.post("/predict", data=raw, content_type="application/json")
    assert answer.status_code in (400, 413)
    assert says in said(answer)["error"] and said(answer)["request_id"]


def test_json_must_be_announced_so_that_no_web_page_can_post_it(client: FlaskClient) -> None:
    answer = client.post("/webhook", data=b'{"action": "START_TRAINING"}')
    assert (answer.status_code, "application/json" in said(answer)["error"]) == (400, True)


def test_a_missing_config_is_the_one_setup_last_said(
    client: FlaskClient, live: FirstLabelLive
) -> None:
    call = body(task(1, "Alice"))
    del call["label_config"]
    assert client.post("/predict", json=call).status_code == 400
    client.post("/setup", json={"project": "7.1795331829", "schema": "<View/>"})
    client.post("/setup", json={"project": "7.1795331829", "schema": XML})
    client.post("/setup", json={"project": "8.1", "schema": "<View/>"})
    assert client.post("/predict", json=call).status_code == 200
    assert live.asked[-1][:2] == ("7", read_schema(XML))


def test_setup_refuses_what_names_no_schema(client: FlaskClient) -> None:
    for schema in (None, 3, ["<View/>"]):
        answer = client.post("/setup", json={"project": "1.1", "schema": schema})
        assert (answer.status_code, "schema" in said(answer)["error"]) == (400, True)


def test_vectors_are_said_to_who_asks_for_them(client: FlaskClient, live: FirstLabelLive) -> None:
    live.vector = b"\x00\x3c\x00\x00"
    live.blind = {2}
    two = body(task(1, "a"), task(2, "b"))
    assert all("vector" not in one for one in said(client.post("/predict", json=two))["results"])
    told = client.post("/predict", json=two, headers={"X-Annotune-Vectors": "1"})
    first, blind = said(told)["results"]
    assert base64.b64decode(first["vector"]) == live.vector and "vector" not in blind


def test_bulk_is_said_by_a_header_or_by_many_tasks(
    client: FlaskClient, live: FirstLabelLive
) -> None:
    few, many = body(task(1, "a")), body(*[task(i, "a") for i in range(17)])
    client.post("/predict", json=few)
    client.post("/predict", json=few, headers={"X-Annotune-Priority": "bulk"})
    client.post("/predict", json=many)
    assert [bulk for *_, bulk in live.asked] == [False, True, True]


@pytest.mark.parametrize("error", [NotReady("still loading", 7), Overloaded("the lane is full", 7)])
def test_a_model_that_cannot_answer_now_says_when(
    client: FlaskClient, live: FirstLabelLive, error: NotReady
) -> None:
    live.raises = error
    answer = client.post("/predict", json=body(task(1, "a")))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert str(error) in said(answer)["error"]
    refused = said(client.get("/health"))["refused"]
    assert (refused["requests"], refused["last"]) == (1, str(error))


def test_a_body_over_the_limit_is_refused(live: FirstLabelLive, jobs: ListedJobs) -> None:
    client = create_app(Backend(max_body=1000), live, jobs, list).test_client()
    answer = client.post("/predict", json=body(task(1, "a" * 1000)))
    assert (answer.status_code, bool(said(answer)["error"])) == (413, True)


def test_unknown_routes_and_methods_are_refused_in_json(client: FlaskClient) -> None:
    assert client.get("/train").status_code == 404 and said(client.get("/train"))["error"]
    wrong = client.get("/predict")
    assert (wrong.status_code, "POST" in wrong.headers["Allow"]) == (405, True)
    assert said(wrong)["request_id"] == wrong.headers["X-Request-Id"]


def test_the_root_says_only_that_the_process_lives(client: FlaskClient) -> None:
    assert client.get("/").json == {"name": "annotune ml backend", "status": "UP"}


def test_redis_down_is_a_503_that_says_so(live: FirstLabelLive) -> None:
    client = create_app(Backend(), live, DownJobs(), list).test_client()
    answer = client.post("/webhook", json={"action": "START_TRAINING", "project": {"id": 7}})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert "Redis does not answer" in said(answer)["error"]


@pytest.mark.parametrize("call", [{}, {"action": 5}, {"action": "START_TRAINING"}])
def test_a_webhook_without_its_parts_is_refused(
    client: FlaskClient, jobs: ListedJobs, call: dict[str, object]
) -> None:
    assert client.post("/webhook", json=call).status_code == 400
    assert jobs.asked == []


def test_a_failure_inside_shows_no_traceback_to_the_client(
    client: FlaskClient, live: FirstLabelLive, caplog: pytest.LogCaptureFixture
) -> None:
    live.raises = RuntimeError(f"could not read {PRIVATE}")
    answer = client.post("/predict", json=body(task(1, PRIVATE)))
    assert answer.status_code == 500
    assert set(said(answer)) == {"error", "request_id"}
    assert "Traceback" not in answer.text and PRIVATE not in answer.text
    assert said(answer)["request_id"] in caplog.text
    assert "RuntimeError" in caplog.text and "fakes.py" in caplog.text
    assert PRIVATE not in caplog.text


def test_logs_hold_no_token_no_text_and_no_password(
    live: FirstLabelLive, jobs: ListedJobs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    app = create_app(Backend(password="hunter2"), live, jobs, list)
    client, auth = app.test_client(), ("annotune", "hunter2")
    call = {"project": "7.1", "schema": XML, "access_token": SECRET, "hostname": "http://ls"}
    client.post("/setup", json=call, auth=auth)
    client.post("/setup", json={**call, "schema": "<View"}, auth=auth)
    client.post("/predict", json=body(task(1, PRIVATE), {"id": PRIVATE}), auth=auth)
    client.post("/predict", data=PRIVATE, content_type="application/json", auth=auth)
    client.get(f"/{SECRET}", auth=auth)
    client.post("/predict", json=body(task(1, PRIVATE)), auth=("annotune", "guess"))
    assert "POST setup -> 200" in caplog.text
    for secret in (SECRET, PRIVATE, "hunter2", "guess"):
        assert secret not in caplog.text
    assert SECRET not in repr(app.__dict__)


def test_no_response_mixes_versions_while_the_model_flips(
    client: FlaskClient, live: FirstLabelLive
) -> None:
    stop, seen, mixed = threading.Event(), set(), []

    def flip() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            live.now = f"v{n}-0a1b2c3d"
            time.sleep(0)

    def hammer() -> None:
        mine = client.application.test_client()
        for _ in range(15):
            answer = mine.post("/predict", json=body(*[task(i, "Alice came") for i in range(5)]))
            if answer.status_code == 503:
                continue
            versions = {r["model_version"] for r in said(answer)["results"]}
            versions.add(said(answer)["model_version"])
            seen.update(versions)
            mixed.extend([versions] if len(versions) != 1 else [])

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    flipper = threading.Thread(target=flip)
    for thread in (flipper, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    flipper.join()
    assert mixed == [] and len(seen) > 1
