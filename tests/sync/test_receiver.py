"""A webhook is a nudge: it needs the secret, names a project, and is answered at once."""

import http.client

import httpx
import pytest
from flask import Blueprint
from flask.testing import FlaskClient

import listening
from sync.log import LogDown
from sync.receiver import LARGEST, SECRET_HEADER, Secret, create_app
from tests.served import served


@pytest.fixture
def heard() -> list[tuple[str, bool]]:
    return []


@pytest.fixture
def client(heard: list[tuple[str, bool]]) -> FlaskClient:
    def nudge(project: str, deletions: bool) -> bool:
        heard.append((project, deletions))
        return project == "3"

    health = {"status": "UP", "projects": {"3": {}}}
    return create_app("s3cret", nudge, lambda: dict(health)).test_client()


def test_a_webhook_with_the_secret_wakes_the_loop(client: FlaskClient, heard: list) -> None:  # type: ignore[type-arg]
    body = {"action": "ANNOTATION_CREATED", "project": {"id": 3}, "annotation": {"id": 9}}
    answer = client.post("/webhook", json=body, headers={SECRET_HEADER: "s3cret"})
    assert (answer.status_code, heard) == (200, [("3", False)])


def test_deletions_ask_for_a_sweep(client: FlaskClient, heard: list) -> None:  # type: ignore[type-arg]
    for action in ("TASKS_DELETED", "ANNOTATIONS_DELETED"):
        body = {"action": action, "project": {"id": 3}}
        client.post("/webhook", json=body, headers={SECRET_HEADER: "s3cret"})
    assert heard == [("3", True), ("3", True)]


@pytest.mark.parametrize("secret", [None, "", "wrong", "s3crét"])
def test_without_the_secret_nothing_is_heard(
    client: FlaskClient,
    heard: list,  # type: ignore[type-arg]
    secret: str | None,
) -> None:
    headers = {} if secret is None else {SECRET_HEADER: secret}
    answer = client.post("/webhook", json={"project": {"id": 3}}, headers=headers)
    assert (answer.status_code, heard) == (401, [])


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"[]",
            b"{",
            b'{"project": 3}',
            b'{"project": {"id": "x"}}',
            b'{"project": {"id": true}}',
            b"\xff\xfe",
        ),
        b'{"project":' + b"[" * 200_000,
    ],
)
def test_a_body_without_a_project_is_refused_clearly(client: FlaskClient, body: bytes) -> None:
    answer = client.post(
        "/webhook",
        data=body,
        headers={SECRET_HEADER: "s3cret"},
        content_type="application/json",
    )
    assert answer.status_code == 400
    assert "project.id" in answer.json["error"]  # type: ignore[index]


def test_a_project_nobody_connected_is_said_so(client: FlaskClient) -> None:
    answer = client.post("/webhook", json={"project": {"id": 8}}, headers={SECRET_HEADER: "s3cret"})
    assert (answer.status_code, answer.json) == (200, {"status": "not a connected project"})


def test_an_action_that_is_no_word_is_heard_as_any(client: FlaskClient, heard: list) -> None:  # type: ignore[type-arg]
    body = {"action": ["TASKS_DELETED"], "project": {"id": 3}}
    answer = client.post("/webhook", json=body, headers={SECRET_HEADER: "s3cret"})
    assert (answer.status_code, heard) == (200, [("3", False)])


def test_a_probe_hears_only_whether_all_is_well(client: FlaskClient) -> None:
    assert client.get("/health").json == {"status": "UP"}
    told = client.get("/health", headers={SECRET_HEADER: "s3cret"}).json
    assert told == {"status": "UP", "projects": {"3": {}}}


def test_without_a_secret_there_is_no_receiver() -> None:
    with pytest.raises(ValueError, match="needs a secret"):
        create_app("", lambda *_: True, dict)


def test_what_fails_inside_is_said_in_json_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = " ".join(["words", "of", "a", "task"])

    def nudge(project: str, deletions: bool) -> bool:
        raise RuntimeError(text)

    client = create_app("s3cret", nudge, dict).test_client()
    body = {"project": {"id": 3}}
    answer = client.post("/webhook", json=body, headers={SECRET_HEADER: "s3cret"})
    told = answer.json or {}
    assert (answer.status_code, sorted(told)) == (500, ["error", "request_id"])
    assert told["request_id"] == answer.headers["X-Request-Id"]
    assert f"request {told['request_id']} failed: RuntimeError" in caplog.text
    assert text not in answer.text + caplog.text
    missing = client.get("/elsewhere", headers={SECRET_HEADER: "s3cret"})
    assert (missing.status_code, list(missing.json or {})) == (404, ["error"])


def test_while_the_log_does_not_answer_a_page_says_so() -> None:
    page = Blueprint("page", __name__)

    @page.get("/")
    def overview() -> str:
        raise LogDown("the log at db does not answer: it is gone")

    app = create_app("s3cret", lambda *_: True, lambda: {"status": "UP"}, page=page)
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.json) == (
        503,
        {"error": "the log at db does not answer: it is gone"},
    )


def test_a_large_webhook_is_read_where_its_headers_carry_the_secret(heard: list) -> None:  # type: ignore[type-arg]
    def nudge(project: str, deletions: bool) -> bool:
        heard.append((project, deletions))
        return True

    secret = Secret("s3cret")
    app = create_app("s3cret", nudge, lambda: {"status": "UP"})
    server = listening.make_server(
        app, "127.0.0.1", 0, threads=1, max_body=LARGEST, allows=secret.is_in
    )
    body = {"project": {"id": 3}, "padding": "x" * (3 * listening.SMALL)}
    with served(server) as url:
        fine = httpx.post(
            f"{url}/webhook", json=body, headers={SECRET_HEADER: "s3cret"}, trust_env=False
        )
        assert (fine.status_code, heard) == (200, [("3", False)])
        line = http.client.HTTPConnection("127.0.0.1", server.effective_port)
        line.putrequest("POST", "/webhook")
        line.putheader("Content-Length", str(LARGEST))
        line.putheader(SECRET_HEADER, "s3cre")
        line.endheaders()
        assert line.getresponse().status == 401 and len(heard) == 1
        line.close()
