"""An S3 server over HTTP on loopback, and stores in it, each machine with a mirror of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from lora import s3
from lora.opened import open_store
from lora.store import ProjectStore, Store
from settings import Settings, load
from tests.bucket.server import Server, environment

NUMBERS = count(1)
MADE = s3._client


@cache
def client(patience: s3.Patience) -> object:
    """One for all tests: making it is a third of a second's work, and it knows no bucket."""
    return MADE(s3.Address("any", ""), patience)


@dataclass
class Machines:
    """One store as several machines see it; of a folder all see the same."""

    address: str
    root: Path
    poll_s: float = 0.01

    def settings(self, name: str = "one") -> Settings:
        own = {"ANNOTUNE_HOME": str(self.root / name), "ANNOTUNE_STORE": self.address}
        fast = {"POLL_S": str(self.poll_s), "TIMEOUT_S": "2", "ATTEMPTS": "1", "PATIENCE_S": "0"}
        return load({**own, **{f"ANNOTUNE_S3_{k}": v for k, v in fast.items()}})

    def store(self, name: str = "one", serves: bool = False) -> Store:
        return open_store(self.settings(name), serves=serves)

    def project(self, name: str = "one") -> ProjectStore:
        return self.store(name).project("1")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server.started() as found:
        yield found


@pytest.fixture
def bucket(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machines:
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    server.start()
    monkeypatch.setattr(s3, "_client", lambda address, patience: client(patience))
    name = f"store-{next(NUMBERS)}"
    server.make_bucket(name)
    return Machines(f"s3://{name}/under/here", tmp_path)


@pytest.fixture(params=["folder", "bucket"])
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> Machines:
    """Both kinds of store: what is promised holds for each."""
    if request.param == "folder":
        return Machines(str(tmp_path / "shared"), tmp_path)
    found: Machines = request.getfixturevalue("bucket")
    return found
