"""A Label Studio that validates predictions, and our backend on the bundled base."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from flask.testing import FlaskClient

from lora.store import Store
from ml_backend.app import create_app
from ml_backend.serve import make_live
from settings import load
from sync.start.api import StudioApi
from sync.start.studio import Studio, start_studio
from tests.gallery.strict import StrictProject
from tests.ml_backend.fakes import ListedJobs

VALIDATION = "fflag_feat_utc_210_prediction_validation_15082025"


@pytest.fixture(scope="session")
def strict_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A real Label Studio that refuses predictions it finds invalid."""
    folder = tmp_path_factory.mktemp("strict-label-studio")
    running = start_studio(folder, {**os.environ, VALIDATION: "true"})
    yield running
    running.process.stop()


@pytest.fixture(scope="session")
def strict_api(strict_studio: Studio) -> Iterator[StudioApi]:
    """A client signed in to it."""
    with StudioApi(strict_studio.url, strict_studio.token) as api:
        yield api


@pytest.fixture
def project(strict_api: StudioApi) -> Iterator[Callable[[str, dict[str, Any]], StrictProject]]:
    """Makes projects of one task, which are deleted after the test."""
    made: list[StrictProject] = []

    def make(config: str, data: dict[str, Any]) -> StrictProject:
        made.append(StrictProject(strict_api, config, data))
        return made[-1]

    yield make
    for p in made:
        strict_api.call("DELETE", f"/api/projects/{p.id}/")


@pytest.fixture(scope="session")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The real app over the real base, with an empty store: every project starts cold."""
    settings = load({"ANNOTUNE_HOME": str(tmp_path_factory.mktemp("house"))})
    live = make_live(settings, Store(settings.store))
    with closing(live):
        live.start()
        app = create_app(settings.backend, live, ListedJobs(), lambda: [], "test")
        client = app.test_client()
        until = time.monotonic() + 120
        while not client.get("/health").json["ready"]:  # type: ignore[index]
            assert time.monotonic() < until, "the base did not load within two minutes"
            time.sleep(0.1)
        yield client
