"""The doctor at a real Label Studio, Redis, backend, sync and worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sync import bootstrap
from sync.doctor import base
from sync.doctor.doctor import doctor
from sync.doctor.finding import Finding
from sync.start.api import StudioApi
from sync.start.house import House
from tests.sync.house import CONFIG

pytestmark = pytest.mark.real


@pytest.fixture
def project(house: House, studio_api: StudioApi) -> Iterator[str]:
    """Connected, and its predictions pushed."""
    asked = {"title": "doctor", "label_config": CONFIG}
    number = str(studio_api.call("POST", "/api/projects/", json=asked)["id"])
    tasks = [{"data": {"text": f"sentence number {i}"}} for i in range(8)]
    studio_api.call("POST", f"/api/projects/{number}/import", json=tasks)
    house.command("connect", number)
    end = time.monotonic() + 120
    path, params = f"/api/projects/{number}/model-versions/", {"extended": "true"}
    while not studio_api.call("GET", path, params=params)["static"]:
        assert time.monotonic() < end, "nothing was pushed"
        time.sleep(0.5)
    yield number
    studio_api.call("DELETE", f"/api/projects/{number}/")


def examined(house: House, project: str, **studio: Any) -> list[Finding]:
    """What it finds of this project and of Label Studio; other tests' projects come and go."""
    settings = replace(house.settings, studio=replace(house.settings.studio, **studio))
    found = doctor(settings, bootstrap.build_jobs(settings), house.environ, project).findings
    others = ("project", "backend time", "backend load", "queue", "disk")  # of a busy test machine
    return [
        f
        for f in found
        if f.check.startswith(f"project {project} ") or not f.check.startswith(others)
    ]


def test_a_connected_project_is_well_and_each_fault_made_there_is_found(
    house: House, studio_api: StudioApi, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "base", lambda settings, environ: ())
    there = {"project": project}
    before = [studio_api.call("GET", path, params=there) for path in ("/api/ml", "/api/webhooks/")]
    found = {f.check: f for f in examined(house, project)}
    assert [f for f in found.values() if f.level == "problem"] == []
    for check in ("webhook", "backend", "webhook guard", "backend guard", "order", "scores"):
        assert found[f"project {project} {check}"].level == "ok", found
    assert found["worker"].level == "ok" and found["label studio"].level == "ok"
    assert "personal token" in found["token"].seen
    hook, backend = before[1][0], before[0][0]
    studio_api.call("PATCH", f"/api/webhooks/{hook['id']}/", json={"is_active": False})
    wrong = {"sampling": "Sequential sampling", "show_collab_predictions": False}
    studio_api.call("PATCH", f"/api/projects/{project}/", json=wrong)
    studio_api.call("DELETE", f"/api/ml/{backend['id']}")
    found = {f.check: f for f in examined(house, project) if f.level != "ok"}
    assert "switched off" in found[f"project {project} webhook"].seen
    assert found[f"project {project} order"].fix == f"annotune connect {project}"
    assert found[f"project {project} backend"].level == "problem"
    assert "not shown" in found[f"project {project} shown"].seen
    left = studio_api.call("GET", "/api/webhooks/", params=there)
    assert [h["id"] for h in left] == [hook["id"]]  # the probes made nothing
    assert studio_api.call("GET", "/api/ml", params=there) == []
    refused = {f.check: f for f in examined(house, project, token="f" * 40)}
    assert refused["token"].level == "problem" and "HTTP 401" in refused["token"].seen
