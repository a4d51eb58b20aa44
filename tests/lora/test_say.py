"""A version's answers and scores, as the process that a replay asks says them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from label_config.snapshot_json import snapshot_to_json
from label_config.values import Snapshot
from lora import say
from lora.base import Base
from lora.store import ProjectStore
from tests.lora.made import CONFIG, MakeVersion, example

ROWS = Snapshot(
    "1",
    CONFIG,
    (
        example(1, "play the red song", "play", ("red", "colour")),
        example(2, "buy a blue coat", "buy", ("coat", "thing")),
        example(3, "paint the wall", "paint", side="holdout"),
    ),
)


@pytest.fixture(autouse=True)
def base(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lora.base.load_base", lambda *_, **__: tiny)


def asked(project: ProjectStore, tmp_path: Path, *more: str) -> dict[str, dict[str, object]]:
    rows, report = tmp_path / "rows.json", tmp_path / "report.json"
    rows.write_text(snapshot_to_json(ROWS))
    argv = say.command(tmp_path, project.name, rows, None, "tiny", report)[3:]
    assert say.main([*argv, *more]) == 0
    found: dict[str, dict[str, object]] = json.loads(report.read_text())
    return found


def test_the_holdout_is_judged_and_the_others_are_answered(
    project: ProjectStore, tmp_path: Path
) -> None:
    project.publish_pool([{"text": "stop"}])
    found = asked(project, tmp_path)
    assert set(found["said"]) == {"e001", "e002"}
    assert found["scores"]["controls"]["what"]["n"] == 1  # type: ignore[index]


def test_a_version_says_something_else_than_the_cold_start(
    project: ProjectStore, tmp_path: Path, make_version: MakeVersion
) -> None:
    version = make_version(3).version
    assert (
        asked(project, tmp_path)["said"] != asked(project, tmp_path, "--version", version)["said"]
    )


def test_an_encoder_says_a_vector_of_each_text(
    project: ProjectStore, tmp_path: Path, tiny: Base
) -> None:
    said = asked(project, tmp_path)["said"]
    raw = base64.b64decode(said["e001"]["vector"])  # type: ignore[index]
    assert len(raw) == 2 * tiny.hidden


def test_a_version_that_is_not_there_ends_with_2(
    project: ProjectStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(snapshot_to_json(ROWS))
    report = tmp_path / "report.json"
    argv = say.command(tmp_path, project.name, rows, "v9-00000000", "tiny", report)[3:]
    assert say.main(argv) == 2
    assert not report.exists() and "v9-00000000" in caplog.text
