"""The real WSGI server: quick routes stay quick while predictions wait, refusals are JSON."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

import listening
from jobs import Jobs
from ml_backend.app import create_app
from ml_backend.ports import JobsLike
from ml_backend.wsgi import make_server
from settings import Backend
from tests.ml_backend.fakes import XML, FirstLabelLive, ListedJobs
from tests.served import served

CALL = {"project": "7.1", "label_config": XML, "tasks": [{"id": 1, "data": {"text": "Alice"}}]}


@contextmanager
def serving(
    live: FirstLabelLive, jobs: JobsLike | None = None, **changes: Any
) -> Iterator[httpx.Client]:
    """A client of a running server on a free port."""
    settings = Backend(port=0, threads=2, **changes)
    server = make_server(create_app(settings, live, jobs or ListedJobs(), list), settings)
    with served(server) as url, httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
        yield client


@contextmanager
def all_slots_waiting(client: httpx.Client, live: FirstLabelLive) -> Iterator[list[httpx.Response]]:
    """Two predictions (all slots) wait in the model; they are answered on leaving."""
    live.gate, url = threading.Event(), client.base_url.join("/predict")
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.post(url, json=CALL, trust_env=False, timeout=10))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert live.inside.acquire(timeout=5)
    try:
        yield answers
    finally:
        live.gate.set()
        for thread in threads:
            thread.join()


def test_quick_routes_answer_within_100_ms_while_every_prediction_waits() -> None:
    live = FirstLabelLive()
    with serving(live) as client:
        client.get("/")  # the connection is open, as Label Studio's is
        with all_slots_waiting(client, live) as answers:
            for method, path, call in [
                ("POST", "/setup", {"project": "7.1", "schema": XML}),
                ("POST", "/webhook", {"action": "START_TRAINING", "project": {"id": 7}}),
                ("GET", "/health", None),
                ("GET", "/versions", None),
            ]:
                began = time.monotonic()
                answer = client.request(method, path, json=call)
                assert answer.is_success and time.monotonic() - began < 0.1, path
            refused = client.post("/predict", json=CALL)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
            assert answers == []
        assert [a.status_code for a in answers] == [200, 200]


def test_a_body_over_the_limit_is_refused_in_json_before_it_is_sent() -> None:
    with serving(FirstLabelLive(), max_body=1000) as client:
        line = http.client.HTTPConnection("127.0.0.1", client.base_url.port or 0)
        line.putrequest("POST", "/predict")
        line.putheader("Content-Type", "application/json")
        line.putheader("Content-Length", "1000000000")
        line.endheaders()
        answer = line.getresponse()
        assert answer.status == 413
        assert "Entity Too Large" in json.loads(answer.read())["error"]
        line.close()
        exact = json.dumps(CALL).encode()
        padded = exact + b" " * (1000 - len(exact))
        headers = {"Content-Type": "application/json"}
        assert client.post("/predict", content=padded, headers=headers).status_code == 200
        over = client.post("/predict", content=padded + b" ", headers=headers)
        assert (over.status_code, "error" in over.json()) == (413, True)


def raw(client: httpx.Client, *headers: str) -> tuple[int, dict[str, str]]:
    """What comes back on the headers alone; the body is never sent."""
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=10) as line:
        lines = ["POST /predict HTTP/1.1", "Host: x", *headers, "", ""]
        line.sendall("\r\n".join(lines).encode())
        with closing(http.client.HTTPResponse(line)) as answer:
            answer.begin()
            return answer.status, json.loads(answer.read())


LARGE = f"Content-Length: {listening.SMALL + 1}"


@pytest.mark.parametrize(
    "headers", [[LARGE], [LARGE, "Expect: 100-continue"], ["Transfer-Encoding: chunked"]]
)
def test_a_stranger_is_refused_before_a_large_body_is_read(headers: list[str]) -> None:
    with serving(FirstLabelLive(), user="u", password="pw") as client:
        status, told = raw(client, *headers, "Authorization: Basic dTp3cm9uZw==")
        assert (status, "needs credentials" in told["error"]) == (401, True)
        status, told = raw(client, "Content-Length: 2", "Connection: close", "", "{}")
        assert (status, told["error"]) == (401, "wrong or missing credentials")
        known = {**CALL, "padding": "x" * (2 * listening.SMALL)}
        assert client.post("/predict", json=known, auth=("u", "pw")).status_code == 200


def test_a_request_that_comes_drop_by_drop_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "WHOLE_S", 0.2)
    with serving(FirstLabelLive()) as client:
        line = socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=10)
        line.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\n")
        line.setblocking(False)
        ended = False
        for _ in range(100):
            time.sleep(0.05)
            try:
                line.sendall(b"X-A: b\r\n")
                ended = line.recv(1) == b""
            except BlockingIOError:
                continue
            except OSError:
                ended = True
            if ended:
                break
        assert ended
        line.close()
        assert client.get("/").status_code == 200


def test_a_queue_that_hangs_is_a_503_within_half_a_second() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        jobs = Jobs(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0")
        with serving(FirstLabelLive(), jobs) as client:
            client.get("/")
            call, took = {"action": "START_TRAINING", "project": {"id": 7}}, []
            for _ in range(2):  # a busy machine may delay one
                began = time.monotonic()
                answer = client.post("/webhook", json=call)
                took.append(time.monotonic() - began)
            assert min(took) < 0.5
            assert (answer.status_code, "Redis" in answer.json()["error"]) == (503, True)
