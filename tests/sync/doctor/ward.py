"""All that a doctor looks at, and well: tests plant one fault each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from settings import Settings
from settings import Studio as StudioAt
from sync.doctor import ask, base, place
from sync.doctor import backend as backend_check
from sync.doctor import studio as studio_check
from sync.doctor.doctor import doctor
from sync.doctor.finding import Finding
from sync.release import own_release
from tests.sync.doctor.neighbours import (
    PERSONAL,
    SECRET,
    ReceiverServer,
    SeenJobs,
    StudioServer,
    serving,
)
from tests.sync.stub_backend import StubBackend, stub_backend

_look = place.packages


@cache
def packages() -> tuple[Finding, ...]:
    """Of this environment, which does not change between tests."""
    return tuple(_look())


@dataclass
class Ward:
    """Everything a doctor looks at, well until something is planted."""

    settings: Settings
    studio: StudioServer
    sync: ReceiverServer
    backend: StubBackend
    jobs: SeenJobs
    environ: dict[str, str]

    def findings(self) -> list[Finding]:
        found = doctor(self.settings, self.jobs, self.environ, "1")  # type: ignore[arg-type]
        return list(found.findings)

    def set(self, section: str, **values: object) -> None:
        part = replace(getattr(self.settings, section), **values)
        self.settings = replace(self.settings, **{section: part})


@contextmanager
def open_ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    """A connected project, all well. The base is not loaded, nobody waits for a busy machine."""
    told = {"kind": "encoder", "revision": "a" * 64, "seconds": 1.0}
    told |= {"gpu": {"why": "torch is a CPU build"}, "bitsandbytes": "bitsandbytes 0.50.2"}
    monkeypatch.setattr(base, "base", lambda settings, environ: base.tell(settings, told))
    monkeypatch.setenv("ANNOTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(place, "packages", packages)
    monkeypatch.setattr(ask, "TIMEOUT_S", 60.0)
    monkeypatch.setattr(studio_check, "SLOW_S", 600.0)
    monkeypatch.setattr(backend_check, "GIVES_UP_S", {"health": 600.0, "setup": 600.0})
    monkeypatch.setattr(place, "LITTLE", 1)  # the test machine's own disk is not what is tried
    monkeypatch.setattr(place, "LOW", 2)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    studio, sync = StudioServer(), ReceiverServer()
    with (
        serving(studio, "Authorization"),
        serving(sync, "X-Annotune-Secret"),
        stub_backend() as backend,
    ):
        backend.health = {"projects": {}, "version": own_release(), "ready": True}
        backend.health |= {"base": {"name": "minilm"}, "refused": {"why": {}}}
        studio.connect(backend.url, sync.url)
        plain = Settings(home=home)
        settings = replace(
            plain,
            studio=StudioAt(url=studio.url, token=PERSONAL),
            backend=replace(plain.backend, url=backend.url, password="pw-of-twelve-signs"),
            sync=replace(plain.sync, url=sync.url, secret=SECRET),
        )
        yield Ward(settings, studio, sync, backend, SeenJobs(), {})
