"""What the fuzzers share: a backend, and the tiny encoder that answers in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from lora.base import Base
from tests.fuzz.serving import filled_store, open_backend, tiny_base


@pytest.fixture(scope="session")
def tiny() -> Base:
    return tiny_base()


@pytest.fixture(scope="session")
def backend(tiny: Base, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    store = filled_store(tmp_path_factory.mktemp("store"), tiny)
    with open_backend(store, tiny) as client:
        yield client
