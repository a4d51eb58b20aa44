"""The contestants are judged alike, whatever base the champion sits on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from label_config import Example
from label_config.controls import Control, Schema
from label_config.values import Quantity
from lora.base import Base
from lora.judge import judge_all, ranges_of
from lora.store import ProjectStore
from tests.lora.made import MakeVersion, heads_of, write_files

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
    scores = judge_all(tiny, schema, rows, candidate=tmp_path, champion=None, notes=[])
    assert scores["candidate"]["controls"]["n"]["metric"] == "closeness"
    assert 0.0 <= scores["candidate"]["mean"] <= 1.0


def test_only_trained_numbers_have_a_range(tiny: Base, schema: Schema) -> None:
    head = heads_of(tiny, Schema((NUMBER,)), 0)["n"]
    wide = replace(head, facts={**head.facts, "low": -1.0, "high": 4.0})
    assert ranges_of({"n": wide, **heads_of(tiny, schema, 0)}) == {"n": 5.0}
    assert ranges_of({"n": replace(wide, trained=False)}) == {}
