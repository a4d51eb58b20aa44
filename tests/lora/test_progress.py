"""How far a training is: noted as it goes, read by anybody, and never in its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from lora import progress as module
from lora.progress import PROGRESS, Progress, read_progress

SNAPSHOT = "a" * 64


def test_stage_and_steps_are_noted(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    noted = Progress(tmp_path, SNAPSHOT)
    noted.stage("load")
    noted.stage("fit")
    noted.step(1, 120, 0.5)
    found = read_progress(tmp_path, SNAPSHOT)
    assert found and (found["stage"], found["step"], found["of"], found["loss"]) == (
        *("fit", 1, 120),
        0.5,
    )
    assert found["began"] <= found["stage_began"] <= found["at"]
    noted.stage("judge")
    assert "step" not in (read_progress(tmp_path) or {})
    assert read_progress(tmp_path, "b" * 64) is None, "it is of another training"


def test_steps_in_quick_succession_are_not_all_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OFTEN_S", 3600.0)
    noted = Progress(tmp_path, SNAPSHOT)
    noted.stage("fit")
    for step in range(1, 120):
        noted.step(step, 120)
    assert (read_progress(tmp_path) or {})["step"] == 1
    noted.step(120, 120)
    assert (read_progress(tmp_path) or {})["step"] == 120


def test_a_place_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Progress(tmp_path / "gone", SNAPSHOT).stage("fit")
    assert "the progress is not noted: No such file" in caplog.text


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_what_cannot_be_read_is_no_progress(tmp_path: Path, text: str) -> None:
    (tmp_path / PROGRESS).write_text(text)
    assert read_progress(tmp_path) is None
