"""docs/api/ says what our routes take and answer: no route is missing there, none is made up, and
whatever fits it (and much that does not) is answered as it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sync import receiver
from tests.sync.house import House
from tests.sync.page.made import PASSWORD, page_house, token
from tests.test_guarded import built

API = Path(__file__).resolve().parents[1] / "docs" / "api"
FILES = {"ml_backend": "backend.yaml", "annotune.sync": "sync.yaml"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 3  # tests/fuzz/test_routes.py has more


def described(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((API / FILES[app.name]).read_text(encoding="utf-8"))
    return found


def operations(app: Flask) -> set[tuple[str, str]]:
    """(method, path) of every route, as OpenAPI writes paths; a choice of words is a path each."""
    found = set()
    for rule in app.url_map.iter_rules():
        words = re.search(r"<any\(([^)]*)\):\w+>", rule.rule)
        for word in words[1].split(", ") if words else [""]:
            path = re.sub(r"<any\([^)]*\):\w+>", word, rule.rule)
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
            found |= {(m, path) for m in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with page_house(tmp_path_factory.mktemp("api")) as opened:
        opened.world.log.connect("3", "s3cret")
        yield opened


def test_every_route_is_described_and_nothing_else_is(house: House) -> None:
    for app in built(house):
        paths = described(app)["paths"]
        told = {
            (method.upper(), path)
            for path, item in paths.items()
            for method in item
            if method != "parameters"
        }
        assert told == operations(app)


def test_what_asks_for_no_credentials_is_said_to(house: House) -> None:
    """The description of each route says 401, but of those that let everybody in."""
    for app in built(house):
        for path, item in described(app)["paths"].items():
            for method, operation in item.items():
                if method == "parameters":
                    continue
                open_ = operation.get("security", [1]) in ([], [{}, {"secret": []}])
                told = "401" in operation["responses"]
                assert told != open_ or path == "/login", (method, path)


def headers_of(app: Flask, path: str) -> dict[str, str]:
    """What opens a route: both apps' machines', or a fresh session's cookie."""
    if app.name == "ml_backend":
        return {"Authorization": "Basic dTpwdw=="}
    if path in {"/webhook", "/health", "/metrics"}:
        return {receiver.SECRET_HEADER: "s3cret"}
    client = app.test_client()
    said = client.post("/login", data={"name": "Ada Ops", "password": PASSWORD})
    assert said.status_code == 303
    return {"Cookie": said.headers["Set-Cookie"].partition(";")[0]}


@pytest.mark.parametrize(
    ("mode", "least"), [(GenerationMode.POSITIVE, 20), (GenerationMode.NEGATIVE, 4 * EXAMPLES)]
)
def test_every_call_is_answered_as_described(
    house: House, mode: GenerationMode, least: int
) -> None:
    """Calls that fit the description, and such that do not; with credentials."""
    tried = sum(
        called(app, operation, mode)
        for app in built(house)
        for operation in operations_of(app)
        if mode is GenerationMode.POSITIVE or takes_json(app, operation)
    )
    assert tried >= least


def operations_of(app: Flask) -> list[Any]:
    """What schemathesis reads out of the description."""
    schema = schemathesis.openapi.from_dict(described(app))
    schema.app = app
    return [found.ok() for found in schema.get_all_operations()]


def called(
    app: Flask, operation: Any, mode: GenerationMode, number: int = 7, examples: int = EXAMPLES
) -> int:
    """Make so many calls, drawn by a number; returns how many. An answer that is not described
    fails."""
    headers, count = headers_of(app, operation.path), 0
    form = app.test_client().get("/project/3", headers=headers) if "Cookie" in headers else None
    csrf = token(form.text) if form else ""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        nonlocal count
        count += 1
        if isinstance(case.body, dict) and "csrf" in case.body and operation.path != "/logout":
            case.body["csrf"] = csrf
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)
        assert "Traceback (most" not in answer.text

    one()
    return count


def takes_json(app: Flask, operation: Any) -> bool:
    """Whether anything can be wrong: any text is a good address, and a good form."""
    own = described(app)["paths"][operation.path][operation.method.lower()]
    return "application/json" in own.get("requestBody", {}).get("content", {})
