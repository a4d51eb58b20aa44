"""The app over fakes, as most tests of this room want it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from ml_backend.app import create_app
from settings import Backend
from tests.ml_backend.fakes import FirstLabelLive, ListedJobs


@pytest.fixture
def live() -> FirstLabelLive:
    return FirstLabelLive()


@pytest.fixture
def jobs() -> ListedJobs:
    return ListedJobs()


@pytest.fixture
def client(live: FirstLabelLive, jobs: ListedJobs) -> FlaskClient:
    """A client of an app without a password, as on loopback."""
    listed = ["v1-0a1b2c3d", "v2-4e5f6a7b"]
    return create_app(Backend(), live, jobs, lambda: listed, "0.1.0").test_client()
