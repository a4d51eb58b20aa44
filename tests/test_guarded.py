"""What strangers are told: no route without credentials, and no secret in anything that is kept."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from ml_backend.app import create_app as create_backend
from settings import Backend, Settings, load
from sync import receiver
from sync.backend_client import BackendClient, BackendDown
from sync.children import trainer
from sync.page.views import make_page
from sync.status import status
from sync.studio import Studio
from sync.studio_values import StudioError
from sync.up import commands
from tests.ml_backend.fakes import FirstLabelLive, ListedJobs
from tests.sync.house import House, open_house
from tests.sync.page.made import PASSWORD, page_house

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("label_config", "augment", "lora", "ml_backend", "sync", "demo")
OPEN = {("ml_backend", "/"), ("annotune.sync", "/health")}
"""What a probe without credentials may ask: is it alive."""
DEEDS = re.compile(r"<any\(([^)]*)\):\w+>")
STRANGERS = (
    {},
    {"Authorization": "Basic dTp4"},
    {"Authorization": "Bearer s3cre"},
    {receiver.SECRET_HEADER: "s3cre"},
    {"Cookie": "annotune_9091=s3cret; session=s3cret"},
)
DOORSTEP = {("annotune.sync", "/login"), ("annotune.sync", "/static/path:filename")}
"""What a browser without a session may load: the sign-in form, and files alike for all."""


@pytest.fixture
def apps(tmp_path: Path) -> Iterator[list[Flask]]:
    """Every Flask app of ours, closed."""
    with page_house(tmp_path) as house:
        house.world.log.connect("3", "s3cret")
        yield built(house)


def built(house: House) -> list[Flask]:
    backend = create_backend(
        Backend(user="u", password="pw"), FirstLabelLive(), ListedJobs(), lambda: ["v1-0a1b2c3d"]
    )
    told = {"status": "UP", "projects": {"3": {"problem": "s3cret"}}}
    page = make_page(house.world, lambda: dict(told))
    sync = receiver.create_app("s3cret", lambda *_: True, lambda: dict(told), page=page)
    return [backend, sync]


def routes(apps: list[Flask]) -> Iterator[tuple[str, FlaskClient, str, str]]:
    for app in apps:
        for rule in app.url_map.iter_rules():
            words = DEEDS.search(rule.rule)
            for word in words[1].split(", ") if words else [""]:
                path = DEEDS.sub(word, rule.rule).replace("<project>", "3")
                path = path.replace("<", "").replace(">", "")
                for method in (rule.methods or set()) - {"OPTIONS"}:
                    yield app.name, app.test_client(), method, path


def test_no_route_answers_without_credentials_but_the_probes(apps: list[Flask]) -> None:
    """It walks the URL maps: a new route cannot forget to ask."""
    seen = 0
    for name, client, method, path in routes(apps):
        if (name, path) in OPEN | DOORSTEP and method in {"GET", "HEAD"}:
            continue
        for given in STRANGERS:
            answer = client.open(path, method=method, headers=given, json={"project": {"id": 3}})
            assert answer.status_code == 401, (name, method, path, given)
            seen += 1
    assert seen >= len(STRANGERS) * 26


def test_what_opens_one_door_opens_no_other(apps: list[Flask]) -> None:
    """The webhook's secret changes nothing on the page, nor a session the webhook, nor either
    anything without the token of the session; HEAD and GET change nothing."""
    signed = apps[1].test_client()
    assert signed.post("/login", data={"name": "Ada", "password": PASSWORD}).status_code == 303
    machine = {receiver.SECRET_HEADER: "s3cret"}
    seen = 0
    for name, client, method, path in routes(apps):
        if name != "annotune.sync" or method in {"GET", "HEAD"} or path in {"/login", "/logout"}:
            continue
        form = {"name": "Ada", "project": "3", "csrf": "x"}
        if path == "/webhook":
            assert signed.open(path, method=method, data=form).status_code == 401
        else:
            assert client.open(path, method=method, headers=machine, data=form).status_code == 401
            assert signed.open(path, method=method, data=form).status_code == 403
            assert signed.open(path, method=method, headers=machine).status_code == 403
        seen += 1
    assert seen == 4, "the webhook, and three deeds"
    for path in ("/webhook", "/predict", "/setup"):
        for given in (machine, {"Authorization": "Bearer pw"}, {"Authorization": "Basic cHc="}):
            answer = apps[0].test_client().post(path, headers=given, json={"action": "x"})
            assert answer.status_code == 401, (path, given)


def test_the_doorstep_of_the_page_says_nothing_of_any_project(apps: list[Flask]) -> None:
    client = apps[1].test_client()
    for path in ("/login", "/static/page.css", "/static/../door.py", "/static/x"):
        with client.get(path) as said:
            assert said.status_code in {200, 404} and "s3cret" not in said.text
    assert client.post("/login", data={"password": "s3cret", "name": "x"}).status_code == 401
    assert client.get("/", headers={receiver.SECRET_HEADER: "s3cret"}).status_code == 401


def test_the_probes_change_nothing_and_name_nothing(apps: list[Flask]) -> None:
    for app in apps:
        (path,) = [path for name, path in OPEN if name == app.name]
        client = app.test_client()
        said = client.get(path)
        assert said.status_code == 200 and set(said.json or {}) <= {"status", "name"}
        assert client.post(path).status_code in {401, 405}


def test_no_app_of_ours_is_left_out() -> None:
    """Whoever builds another one has to put it into `apps`."""
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
            made = [
                c for c in calls if getattr(c.func, "id", getattr(c.func, "attr", "")) == "Flask"
            ]
            found += [str(path.relative_to(ROOT))] * len(made)
    assert found == ["ml_backend/app.py", "sync/receiver.py"]


CANARY = "c4nary-of-a-secret-0123456789"


def secret_fields(settings: Any, at: str = "ANNOTUNE") -> Iterator[str]:
    for f in fields(settings):
        value = getattr(settings, f.name)
        name = f"{at}_{f.name}".upper()
        if is_dataclass(value):
            yield from secret_fields(value, name)
        elif not f.repr:
            yield name


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """Every secret setting with a canary in it."""
    found = dict.fromkeys(secret_fields(Settings()), CANARY)
    found["ANNOTUNE_QUEUE_URL"] = f"redis://:{CANARY}@127.0.0.1:1/0"
    found["ANNOTUNE_SYNC_LOG"] = f"postgresql://ann:{CANARY}@127.0.0.1:1/log"
    return {**found, "ANNOTUNE_HOME": str(tmp_path)}


def test_every_setting_that_sounds_secret_is_kept_out_of_reprs() -> None:
    words = ("token", "password", "secret", "key")
    for section in (getattr(Settings(), f.name) for f in fields(Settings)):
        for f in fields(section) if is_dataclass(section) else ():
            assert not (f.repr and f.name.endswith(words)), f.name
    wanted = {"STUDIO_TOKEN", "SYNC_SECRET", "SYNC_LOG", "QUEUE_URL", "BACKEND_PASSWORD"}
    wanted |= {"BACKEND_ENGINE_KEY", "AUGMENT_GENERATOR_KEY", "PAGE_PASSWORD"}
    assert set(secret_fields(Settings())) == {f"ANNOTUNE_{name}" for name in wanted}


def test_no_secret_is_in_a_process_list_or_a_repr(secrets: dict[str, str], tmp_path: Path) -> None:
    settings = load(secrets)
    seen = [repr(settings), *(str(c.argv) for c in commands(settings, secrets))]
    seen += trainer(settings, tmp_path, "1", "a" * 64, tmp_path, None)
    assert len(seen) > 10 and CANARY not in " ".join(seen)


def test_no_secret_is_in_an_error(secrets: dict[str, str]) -> None:
    settings = load(secrets)
    own = replace(settings.backend, url="http://127.0.0.1:1")
    with pytest.raises(BackendDown) as down:
        BackendClient(own.url, own.user, own.password).version("1", "<View/>")
    studio = Studio("http://127.0.0.1:1", settings.studio.token, timeout_s=1)
    with pytest.raises(StudioError) as gone:
        studio.project("1")
    studio.close()
    assert CANARY not in f"{down.value!r}{gone.value!r}"


def test_a_round_leaves_no_secret_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Connect, answer, freeze, enqueue, push: then every file, job and log line is read."""
    caplog.set_level(0)
    with open_house(tmp_path) as house:
        _one_round(house)
        written = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
        jobs, said = json.dumps(house.jobs.queued), json.dumps(status(house.world, "1"))
    assert house.jobs.queued and len(written) > 3
    everything = b"\n".join([*written, jobs.encode(), said.encode(), caplog.text.encode()])
    for secret in ("s3cret-of-the-webhook", "pw-of-the-backend"):
        assert secret.encode() not in everything
    assert "sync.jobs.train" in jobs and str(sys.executable) not in jobs


def _one_round(house: House) -> None:
    from sync.connect import connect
    from sync.loop import turn

    own = house.world.settings
    closed = replace(
        own,
        sync=replace(own.sync, secret="s3cret-of-the-webhook"),
        backend=replace(own.backend, password="pw-of-the-backend"),
    )
    client = BackendClient(own.backend.url, "annotune", "pw-of-the-backend")
    house.world = replace(house.world, settings=closed, backend=client)
    connect(house.world, "1")
    house.answer(8)
    turn(house.world, "1", sweep=True)
