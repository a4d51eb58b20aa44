"""What every answer of our apps must be, whatever was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask.testing import FlaskClient
from label_studio_sdk.label_interface import LabelInterface
from werkzeug.test import TestResponse

EXPECTED = {200, 201, 400, 413, 415}


def check(answer: TestResponse, allowed: frozenset[int] | set[int] = EXPECTED) -> Any:
    """An answer in JSON without a 5xx or a traceback; what it says."""
    assert answer.status_code in allowed, (answer.status_code, answer.text[:300])
    no_traceback(answer.text)
    return json.loads(answer.data.decode("utf-8"), parse_constant=_no_number)


def no_traceback(text: str) -> None:
    assert "Traceback (most" not in text and 'File "/' not in text, text[:300]


def _no_number(word: str) -> None:
    raise AssertionError(f"{word} is in no JSON that Label Studio reads")


def ask(
    client: FlaskClient, path: str, raw: bytes, headers: Mapping[str, str] | None = None
) -> int:
    """Post a body to a route of the backend; a prediction must be one that can be stored."""
    sent = {"Content-Type": "application/json", **(headers or {})}
    answer = client.post(path, data=raw, headers=sent)
    said = check(answer)
    if path == "/predict" and answer.status_code == 200:
        body = json.loads(raw)
        storable(said, len(body["tasks"]))
        accepted(said, body)
    return answer.status_code


def storable(said: Any, tasks: int) -> None:
    """A prediction for each task, as Label Studio's database takes it."""
    assert len(said["results"]) == tasks
    assert len({r["model_version"] for r in said["results"]} | {said["model_version"]}) == 1
    for result in said["results"]:
        assert 0 <= result["score"] <= 1 and isinstance(result["result"], list)
        raw = json.dumps(result, ensure_ascii=False)
        assert "\\u0000" not in raw, "PostgreSQL keeps no NUL"
        raw.encode("utf-8")  # nor half a character


def accepted(said: Any, body: Mapping[str, Any]) -> None:
    """What Label Studio's own check of predictions, which is the SDK's, says: nothing.

    It looks at no config that it cannot read, nor at labels that a task brings (it takes these for
    none).
    """
    config = body.get("label_config")
    answered = [r for r in said["results"] if r["result"]]
    if not answered or not isinstance(config, str):
        return
    interface = LabelInterface(config)
    for result in answered:
        faults = interface.validate_prediction(result, return_errors=True)
        assert not faults, str(faults)[:300]
