"""Texts of every plane, and data of any shape, answered by a trained version: always a prediction
for each task, of one version, that Label Studio's check and its database take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.fuzz.held import ask
from tests.fuzz.mutate import draw, json_like, spiced
from tests.fuzz.running import fuzz
from tests.fuzz.samples import SAMPLES


def test_texts_of_every_plane(backend: FlaskClient) -> None:
    def case(number: int) -> str:
        rng = draw("texts", number)
        at = number % len(SAMPLES)
        tasks = []
        for n in range(3):
            data = dict(SAMPLES[at].data)
            data = spiced(rng, data) if rng.random() < 0.8 else json_like(rng, data)
            tasks.append({"id": n + 1, "data": data})
        # as sync and Label Studio say the project: by its id, or with the moment it was made
        project = f"{at + 1}.{number}"
        body = {"project": project, "label_config": SAMPLES[at].config, "tasks": tasks}
        status = ask(backend, "/predict", json.dumps(body).encode())
        assert status == 200
        return SAMPLES[at].name

    fuzz("texts", 64, case)


@pytest.mark.parametrize("odd", ["\0", "\ud800", "\udfff"])
@pytest.mark.parametrize("at", range(len(SAMPLES)), ids=[s.name for s in SAMPLES])
def test_what_no_database_keeps_is_not_sent(backend: FlaskClient, at: int, odd: str) -> None:
    """Each text full of it: what is said holds none, and the rest is said all the same."""

    def full(value: Any) -> Any:
        if isinstance(value, str):
            return f"{odd}play{odd} the {odd}red album{odd} {value}"
        if isinstance(value, list):
            return [full(item) for item in value]
        return {k: full(v) for k, v in value.items()} if isinstance(value, dict) else value

    tasks = [{"id": 1, "data": full(dict(SAMPLES[at].data))}]
    body = {"project": str(at + 1), "label_config": SAMPLES[at].config, "tasks": tasks}
    assert ask(backend, "/predict", json.dumps(body).encode()) == 200
