"""Every recorded call of Label Studio, changed: our apps answer each in JSON, never with a 5xx of
ours, never slowly, never with a traceback, and never what Label Studio could not store.

A few cases, always the same; `make fuzz` tries 50,000 of each kind. Case n alone:
`mutate.draw(what, n)`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from label_config.templates import load_template, template_names
from lora.base import Base
from lora.engine import LaneSettings
from lora.live import Live
from lora.store import Store
from ml_backend.app import create_app
from settings import Backend
from sync import receiver
from tests.fuzz.mutate import cases, draw, json_like, text, wire, xml
from tests.lora.conftest import tiny
from tests.ml_backend.fakes import CAPTURES, NO_CAPTURES, ListedJobs, captured

__all__ = ["tiny"]  # a fixture of that room
needs_captures = pytest.mark.skipif(not CAPTURES.is_dir(), reason=NO_CAPTURES)
CPU_S = 5.0  # of one request, processor time of this process: what would be a hang
EXPECTED = {200, 201, 400, 413, 415}
PATHS = {"predict": "/predict", "setup": "/setup", "train": "/webhook", "webhook": "/webhook"}


@pytest.fixture(scope="module")
def backend(tiny: Base, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The real model server on a tiny encoder, behind the real routes."""
    store = Store(tmp_path_factory.mktemp("store"))
    live = Live(store, lambda _: tiny, tiny.name, poll_s=0.01, lane=LaneSettings(256))
    live.start()
    app = create_app(Backend(max_body=2_000_000), live, ListedJobs(), list)
    client = app.test_client()
    while not client.get("/health").json["ready"]:  # type: ignore[index]
        time.sleep(0.01)
    yield client
    live.close()


def check(answer: TestResponse, began: float, case: object) -> Any:
    """What every answer must be, whatever was asked."""
    assert time.process_time() - began < CPU_S, case
    assert answer.status_code in EXPECTED, (case, answer.status_code, answer.text[:300])
    assert "Traceback" not in answer.text and 'File "' not in answer.text, case
    return json.loads(answer.data.decode("utf-8"), parse_constant=_no_number)


def _no_number(word: str) -> None:
    raise AssertionError(f"{word} is in no JSON that Label Studio reads")


def storable(said: Any, tasks: int) -> None:
    """A prediction for each task, as Label Studio's database takes it."""
    assert len(said["results"]) == tasks
    assert len({r["model_version"] for r in said["results"]} | {said["model_version"]}) == 1
    for result in said["results"]:
        assert 0 <= result["score"] <= 1 and isinstance(result["result"], list)
        raw = json.dumps(result, ensure_ascii=False)
        assert "\\u0000" not in raw, "PostgreSQL keeps no NUL"
        raw.encode("utf-8")  # nor half a character


def ask(client: FlaskClient, path: str, raw: bytes, case: object) -> Any:
    began = time.process_time()
    answer = client.post(path, data=raw, content_type="application/json")
    said = check(answer, began, case)
    if path == "/predict" and answer.status_code == 200:
        storable(said, len(json.loads(raw)["tasks"]))
    return answer.status_code


@needs_captures
def test_recorded_calls_changed(backend: FlaskClient) -> None:
    calls = {p.name: p.name.split("_")[0].removesuffix(".json") for p in CAPTURES.glob("*.json")}
    named = sorted(
        name for name, kind in calls.items() if kind in PATHS and "body" in captured(name)
    )
    assert len(named) > 15
    answered = 0
    for n in cases(120):
        rng = draw("calls", n)
        name = named[n % len(named)]
        body = json_like(rng, captured(name)["body"])
        status = ask(backend, PATHS[calls[name]], wire(rng, body), ("calls", n, name))
        answered += status in {200, 201}
    assert answered, "some are changed so little that they are answered"


@needs_captures
def test_every_recording_changed_as_a_webhook_of_sync() -> None:
    """The receiver too, with answers of the API and exports as bodies."""
    heard: list[str] = []
    health = {"status": "UP"}
    app = receiver.create_app("s3cret", lambda p, _: bool(heard.append(p)) or True, lambda: health)
    client = app.test_client()
    names = sorted(p.name for p in CAPTURES.glob("*.json"))
    for n in cases(250):
        rng = draw("receiver", n)
        recorded = captured(names[n % len(names)])
        body = recorded.get("body", recorded) if isinstance(recorded, dict) else recorded
        raw, began = wire(rng, json_like(rng, body)), time.process_time()
        headers = {receiver.SECRET_HEADER: "s3cret"}
        check(client.post("/webhook", data=raw, headers=headers), began, ("receiver", n))
    assert heard and all(p.lstrip("-").isdigit() for p in heard)


def test_label_configs_changed(backend: FlaskClient) -> None:
    templates = [load_template(name) for name in template_names()]
    answered = 0
    for n in cases(70):
        rng = draw("configs", n)
        template = templates[n % len(templates)]
        config = xml(rng, template.config)
        tasks = [{"id": i, "data": dict(t)} for i, t in enumerate(template.tasks[:2])]
        body = {"project": "1.1", "label_config": config, "tasks": tasks}
        case = ("configs", n, template.name)
        answered += ask(backend, "/predict", json.dumps(body).encode(), case) == 200
        setup = {"project": "1.1", "schema": config}
        ask(backend, "/setup", json.dumps(setup).encode(), case)
    assert answered


def test_texts_of_every_plane(backend: FlaskClient) -> None:
    templates = [load_template(name) for name in template_names()]
    for n in cases(60):
        rng = draw("texts", n)
        template = templates[n % len(templates)]
        tasks = [json_like(rng, {"id": 1, "data": dict(template.tasks[0])}) for _ in range(3)]
        for task in tasks:
            data = task.get("data") if isinstance(task, dict) else None
            for key in data if isinstance(data, dict) and rng.random() < 0.7 else ():
                data[key] = text(rng)
        body = {"project": "1.1", "label_config": template.config, "tasks": tasks}
        assert ask(backend, "/predict", json.dumps(body).encode(), ("texts", n)) == 200


def test_a_finding_would_be_seen(tmp_path: Path) -> None:
    """The checks themselves: an app that breaks each promise does not pass."""
    app = receiver.create_app("s3cret", lambda *_: 1 / 0 > 0, lambda: {"status": "UP"})
    headers = {receiver.SECRET_HEADER: "s3cret"}
    broken = app.test_client().post("/webhook", json={"project": {"id": 1}}, headers=headers)
    with pytest.raises(AssertionError):
        check(broken, time.process_time(), "a 500")
    odd = {"results": [{"result": [{"text": "\0"}], "score": 0.5, "model_version": "v"}]}
    with pytest.raises(AssertionError):
        storable({**odd, "model_version": "v"}, 1)
    with pytest.raises(UnicodeEncodeError):
        odd["results"][0]["result"] = ["\ud800"]
        storable({**odd, "model_version": "v"}, 1)
