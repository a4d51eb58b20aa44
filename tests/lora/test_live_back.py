"""Going back while it serves: quarantine of what does not load, and rollbacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from label_config.controls import Schema
from lora.base import Base
from lora.engine import LocalEngine
from lora.errors import NotTaken
from lora.live import Live
from lora.store import ProjectStore, Store, write_atomic
from tests.lora.made import MakeVersion
from tests.lora.test_live import serving, until, version


@pytest.fixture
def live(store: Store, tiny: Base) -> Iterator[Live]:
    with serving(store, tiny) as live:
        yield live


def test_a_version_that_does_not_load_is_in_quarantine_until_it_does(
    live: Live, project: ProjectStore, make_version: MakeVersion, schema: Schema, monkeypatch: Any
) -> None:
    monkeypatch.setattr("lora.follow.RETRY_S", 0.05)
    good, bad = make_version(1), make_version(2)
    project.move_current(None, good.version, "gate", "")
    until(lambda: version(live, schema) == good.version)
    heads = project.adapter_folder(bad.version) / "heads.json"
    text = heads.read_text()
    project.move_current(good.version, bad.version, "gate", "")
    until(lambda: version(live, schema) == bad.version)
    project.move_current(bad.version, good.version, "anna", "", by_hand=True)
    until(lambda: version(live, schema) == good.version)
    heads.unlink()
    pointer = project.folder / "CURRENT.json"
    write_atomic(pointer, pointer.read_text().replace(good.version, bad.version))
    until(lambda: bad.version in project.quarantined())
    assert "heads.json" in project.quarantined()[bad.version]
    until(lambda: live.health()["projects"]["1"]["quarantined"] == [bad.version])
    assert version(live, schema) == good.version
    heads.write_text(text)
    until(lambda: version(live, schema) == bad.version)
    assert project.quarantined() == {}


def test_what_an_inference_server_does_not_take_is_not_in_quarantine(
    live: Live, project: ProjectStore, make_version: MakeVersion, schema: Schema, monkeypatch: Any
) -> None:
    def refuse(*_: object) -> None:
        raise NotTaken("the server is down")

    made = make_version(1)
    assert version(live, schema).startswith("cold-")
    monkeypatch.setattr(LocalEngine, "open", refuse)
    project.move_current(None, made.version, "gate", "")
    until(lambda: live.health()["projects"]["1"]["error"] == "the server is down")
    assert project.quarantined() == {}


def test_a_rollback_is_live_within_two_seconds_and_outlives_a_restart(
    store: Store, project: ProjectStore, make_version: MakeVersion, schema: Schema, tiny: Base
) -> None:
    one, two = make_version(1), make_version(2)
    for before, made in ((None, one), (one.version, two)):
        project.move_current(before, made.version, "gate", "")
    with serving(store, tiny) as live:
        assert version(live, schema) == two.version
        project.move_current(two.version, one.version, "anna", "", True, what="rolled back")
        until(lambda: version(live, schema) == one.version, seconds=2)
    with serving(Store(store.root), tiny) as anew:
        assert version(anew, schema) == one.version
