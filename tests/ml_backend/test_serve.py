"""The backend as a process: it answers from the start, serves the model, stops in good order."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lora.adapter import Recipe
from lora.store import Store
from ml_backend.serve import all_versions, main
from tests.ml_backend.fakes import CAPTURES, NO_CAPTURES, ROOT, XML, captured


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_setting_that_is_none_ends_with_2(caplog: pytest.LogCaptureFixture) -> None:
    assert main({"ANNOTUNE_BACKEND_COLOUR": "red"}) == 2
    assert "ANNOTUNE_BACKEND_COLOUR" in caplog.text


def test_without_a_password_it_does_not_start(caplog: pytest.LogCaptureFixture) -> None:
    assert main({}) == 2
    assert "ANNOTUNE_BACKEND_PASSWORD (or _PASSWORD_FILE) is not set" in caplog.text


def test_a_taken_port_ends_with_1_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        own = {"ANNOTUNE_HOME": str(tmp_path), "ANNOTUNE_BACKEND_PORT": port}
        assert main({**own, "ANNOTUNE_BACKEND_PASSWORD": "pw"}) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in caplog.text


def test_the_versions_of_all_projects_are_listed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for project in ("1", "2"):
        at = store.project(project)
        staging = at.staging()
        (staging / "heads.json").write_text("{}")
        recipe = Recipe("minilm", "r", project * 64, {}, 0)
        at.commit(
            staging, recipe, schema="s", config=XML, labels=1, parent=None, scores={"candidate": {}}
        )
    assert [v.split("-")[0] for v in all_versions(store)] == ["v1", "v1"]
    assert len(set(all_versions(store))) == 2


@contextmanager
def backend(home: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """`python -m ml_backend` on a free port, and a client with its credentials."""
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("ANNOTUNE_")}
    env |= {
        "ANNOTUNE_HOME": str(home),
        "ANNOTUNE_BACKEND_PORT": str(port),
        "ANNOTUNE_BACKEND_USER": "u",
        "ANNOTUNE_BACKEND_PASSWORD": "pw",
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "ml_backend"], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True
    )
    base = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=base, auth=("u", "pw"), trust_env=False, timeout=60) as client:
            yield process, client
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(client: httpx.Client, ready: bool) -> None:
    """Until /health answers, and says that the model is ready where that is asked for."""
    for _ in range(600):
        try:
            if client.get("/health").json()["ready"] or not ready:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the backend did not come up within a minute")


@pytest.mark.real
@pytest.mark.model
@pytest.mark.skipif(not CAPTURES.is_dir(), reason=NO_CAPTURES)
def test_the_process_serves_the_bundled_model_and_ends_with_0(tmp_path: Path) -> None:
    with backend(tmp_path) as (process, client):
        wait_for(client, ready=False)
        setup = captured("setup.json")["body"]
        version = client.post("/setup", json=setup).json()["model_version"]
        assert version.startswith("cold-")  # before any model is loaded
        wait_for(client, ready=True)

        body = captured("predict_batch_retrieve.json")["body"]
        answer = client.post("/predict", json=body).json()
        assert len(answer["results"]) == len(body["tasks"])
        assert {item["model_version"] for item in answer["results"]} == {version}
        for item in answer["results"]:
            (region,) = item["result"]  # one Choices answer; untrained Labels know nothing
            assert region["value"]["choices"][0] in ("Positive", "Negative", "Neutral")
            assert 0 < region["score"] <= 1

        odd = ["a \ud800 half", "", None, "\x00", "line\r\nline", "\U0001f468\u200d\U0001f467"]
        odd_tasks = [{"id": i, "data": {"text": text}} for i, text in enumerate(odd)]
        raw = json.dumps({**body, "tasks": odd_tasks})  # json escapes the lone half, as a peer may
        headers = {"Content-Type": "application/json"}
        assert len(client.post("/predict", content=raw, headers=headers).json()["results"]) == 6

        slow = {**body, "tasks": [{"id": i, "data": {"text": "word " * 4000}} for i in range(4)]}
        late: list[int] = []
        asking = threading.Thread(
            target=lambda: late.append(client.post("/predict", json=slow).status_code)
        )
        asking.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        asking.join()
        assert (process.returncode, late) == (0, [200])  # what was under way was answered
    assert setup["access_token"] not in log and "Alice" not in log and "Traceback" not in log
