"""Tasks that come after a version is shown get its prediction too, whatever is cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from settings import Backend, Settings
from sync import log_tables
from sync.log import Log
from sync.pull import pull
from sync.push import push, retire
from sync.studio_values import NewPrediction, StudioDown
from sync.terms import read_terms
from tests.sync.fake_studio import FakeStudio
from tests.sync.stub_backend import StubBackend, stub_backend

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="intent" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>'
)
V1 = "v1-11111111"


@pytest.fixture
def backend() -> Iterator[StubBackend]:
    with stub_backend() as made:
        made.version = V1
        yield made


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(f"sqlite:///{tmp_path / 'log.db'}")
    made.connect("1", "fake")
    yield made
    made.close()


def renew(backend: StubBackend, log: Log, studio: FakeStudio) -> None:
    pull(studio, log, "1", 0.2)
    settings = Settings(backend=Backend(url=backend.url, password="pw"))
    push(log, studio, "1", read_terms(settings, CONFIG), V1)


@pytest.mark.parametrize("stored", [True, False])
def test_an_import_that_failed_for_a_shown_version_is_made_up_for(
    backend: StubBackend, log: Log, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    studio = FakeStudio(CONFIG)
    studio.connect_backend("1", backend.url, V1)
    studio.add_task("oak fig elm ash bay")
    renew(backend, log, studio)
    studio.add_task("sky sea sun fog dew")
    whole = studio.import_predictions

    def fails(project: str, predictions: Sequence[NewPrediction]) -> int:
        if stored:
            whole(project, predictions)
        raise StudioDown("no answer in time")

    monkeypatch.setattr(studio, "import_predictions", fails)
    with pytest.raises(StudioDown):
        renew(backend, log, studio)
    monkeypatch.setattr(studio, "import_predictions", whole)
    renew(backend, log, studio)
    assert [len(s.predictions) for s in studio.tasks.values()] == [1, 1]


def test_old_predictions_stay_while_people_answer(
    backend: StubBackend, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = FakeStudio(CONFIG)
    studio.connect_backend("1", backend.url, "cold-00000000")
    task = studio.add_task("oak fig elm ash bay")
    pull(studio, log, "1", 0.2)
    settings = Settings(backend=Backend(url=backend.url, password="pw"))
    for version in ("cold-00000000", V1):
        backend.version = version
        push(log, studio, "1", read_terms(settings, CONFIG), version)
    studio.annotate(task, [])
    pull(studio, log, "1", 0.2)
    long_ago = timedelta(seconds=90)
    monkeypatch.setattr(log_tables, "now", lambda: datetime.now(timezone.utc) + long_ago)
    busy = {"lock_s": 60.0, "quiet_s": 120.0}
    assert retire(log, studio, "1", **busy) == [], "somebody answered 90 s ago"
    assert retire(log, studio, "1", lock_s=60.0, quiet_s=30.0) == ["cold-00000000"]
