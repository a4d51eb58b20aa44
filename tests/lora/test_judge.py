"""The contestants are judged alike, whatever base the champion sits on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from label_config import Example
from label_config.controls import Control, Schema
from label_config.values import Quantity
from lora.base import Base
from lora.judge import judge_all
from lora.store import ProjectStore
from tests.lora.made import MakeVersion, write_files

NUMBER = Control("n", "Number", "t", "text")


@pytest.fixture
def candidate(tiny: Base, schema: Schema, tmp_path: Path) -> Path:
    folder = tmp_path / "candidate"
    folder.mkdir()
    write_files(folder, tiny, schema, 5)
    return folder


def test_a_champion_on_another_base_is_judged_on_that_one(
    tiny: Base,
    schema: Schema,
    examples: list[Example],
    candidate: Path,
    make_version: MakeVersion,
    project: ProjectStore,
) -> None:
    other = replace(tiny, name="other", revision="1" * 64)
    version = make_version(5, base=other).version
    notes: list[str] = []

    def champion(base: Base | None) -> object:
        return judge_all(
            tiny,
            schema,
            examples,
            candidate=candidate,
            champion=project.adapter_folder(version),
            notes=notes,
            champion_base=base,
        )["champion"]

    assert champion(other) is not None and notes == []
    assert champion(None) is None
    assert "champion could not be judged" in notes[0] and "trained on base" in notes[0]


def test_the_version_without_synthetic_rows_is_judged_beside(
    tiny: Base,
    schema: Schema,
    examples: list[Example],
    candidate: Path,
    make_version: MakeVersion,
    project: ProjectStore,
) -> None:
    folders = [project.adapter_folder(make_version(seed).version) for seed in (5, 6)]

    def judged(champion: Path | None, beside: Path | None) -> dict[str, Any]:
        how: dict[str, Any] = {"candidate": candidate, "champion": champion, "beside": beside}
        return judge_all(tiny, schema, examples, **how, notes=[])

    assert "human" not in judged(folders[0], None)
    both = judged(folders[0], folders[1])
    assert both["human"] == judged(folders[1], None)["champion"] != both["champion"]
    same = judged(folders[0], folders[0])
    assert same["human"] == same["champion"]


def test_the_pool_reaches_the_cold_start(
    tiny: Base, schema: Schema, examples: list[Example], candidate: Path
) -> None:
    def cold(pool: list[dict[str, str]]) -> object:
        judged = judge_all(
            tiny, schema, examples, candidate=candidate, champion=None, notes=[], pool=pool
        )
        return judged["cold"]["right"]

    assert cold([{"text": "play the song"}] * 3) != cold([])


def test_numbers_are_judged_in_the_range_of_the_train_answers(
    tiny: Base, tmp_path: Path, examples: list[Example]
) -> None:
    schema = Schema((NUMBER,))
    write_files(tmp_path, tiny, schema, 1)
    rows = [replace(e, answers=(Quantity("n", "t", 1e6),)) for e in examples]

    def score(width: float) -> dict[str, Any]:
        how: dict[str, Any] = {"candidate": tmp_path, "champion": None, "notes": []}
        return judge_all(tiny, schema, rows, **how, ranges={"n": width})["candidate"]

    wide, narrow = score(1e7), score(1e3)
    assert wide["controls"]["n"]["metric"] == "closeness"
    assert wide["mean"] > 0.8 and narrow["mean"] == 0.0
    assert all(marks["n"][0] > 0.8 for marks in wide["right"].values())
