"""The real model server on a tiny encoder, behind the real routes; each project has a version."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from label_config import read_schema
from lora.adapter import Recipe
from lora.base import Base
from lora.engine import LaneSettings
from lora.live import Live
from lora.store import ProjectStore, Store
from ml_backend.app import create_app
from settings import Backend
from tests.fuzz.samples import SAMPLES
from tests.lora.conftest import tiny
from tests.lora.made import write_files
from tests.ml_backend.fakes import ListedJobs

__all__ = ["tiny"]  # a fixture of that room


@pytest.fixture(scope="session")
def store(tiny: Base, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Project n + 1 is served by a version for the n-th sample, of random numbers: it says all
    that can be said."""
    made = Store(tmp_path_factory.mktemp("store"))
    for n, sample in enumerate(SAMPLES):
        committed(made.project(str(n + 1)), tiny, sample.config, seed=n)
    return made


def committed(project: ProjectStore, tiny: Base, config: str, seed: int) -> str:
    """Commit and promote a version of random numbers; its name."""
    folder, schema = project.staging(), read_schema(config)
    write_files(folder, tiny, schema.served_by("encoder"), seed)
    recipe = Recipe(tiny.name, tiny.revision, f"{seed:064x}", {"rank": 4}, seed)
    own = {"schema": schema.digest, "config": config, "scores": {}}
    version = project.commit(folder, recipe, labels=9, parent=None, **own).version
    project.move_current(None, version, by="gate", why="for the fuzzers")
    return version


@pytest.fixture(scope="session")
def backend(tiny: Base, store: Store) -> Iterator[FlaskClient]:
    """The backend's routes over that store."""
    live = Live(store, lambda _: tiny, tiny.name, poll_s=0.01, lane=LaneSettings(256))
    live.start()
    app = create_app(Backend(max_body=2_000_000), live, ListedJobs(), list)
    client = app.test_client()
    until = time.monotonic() + 60
    while not client.get("/health").json["ready"]:  # type: ignore[index]
        assert time.monotonic() < until, "the tiny base did not load within a minute"
        time.sleep(0.01)
    yield client
    live.close()
