"""What the tests marked `real` share: one Label Studio and one Redis for the whole session."""

import os
from collections.abc import Iterator

import pytest

from demo.api import StudioApi
from demo.house import House, run_annotune
from demo.redis_server import RedisServer, start_redis
from demo.studio import Studio, start_studio


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A real Label Studio with an empty database; `.url`, `.token`, `.account` (both tokens)."""
    running = start_studio(tmp_path_factory.mktemp("label-studio"), os.environ)
    yield running
    running.process.stop()


@pytest.fixture(scope="session")
def studio_api(studio: Studio) -> Iterator[StudioApi]:
    """A client signed in to the session's Label Studio."""
    with StudioApi(studio.url, studio.token) as api:
        yield api


@pytest.fixture(scope="session")
def house(
    tmp_path_factory: pytest.TempPathFactory, studio: Studio, redis_server: RedisServer
) -> Iterator[House]:
    """Backend, sync and worker running on the session's Label Studio and Redis.

    `house.command("connect", project)` runs our own command line. Tests that kill things start
    a house of their own with `demo.house.run_annotune`.
    """
    own = {"ANNOTUNE_QUEUE_NAME": "session", "ANNOTUNE_TRAIN_EVERY": "1000"}
    folder = tmp_path_factory.mktemp("house")
    with run_annotune(folder, os.environ, studio, redis_server, own) as running:
        yield running


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis with a password; `.url` reaches it. Tests share it: use a queue of your own."""
    running = start_redis(tmp_path_factory.mktemp("redis"), os.environ)
    yield running
    running.process.stop()
