"""A recipe names all that decides an adapter, and needs no model to be asked."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lora.errors import BaseUnavailable
from lora.recipe import BUNDLED, find_source, recipe_for
from settings import Train

SNAPSHOT = "a" * 64


@pytest.mark.parametrize("change", [{"seed": 1}, {"steps": 61}, {"rank": 8}, {"device": "cuda"}])
def test_what_decides_the_numbers_decides_the_recipe(change: dict[str, object]) -> None:
    changed = replace(Train(), **change)  # type: ignore[arg-type]
    assert recipe_for("minilm", SNAPSHOT, changed).id != recipe_for("minilm", SNAPSHOT, Train()).id


def test_when_and_how_fast_to_train_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(Train(), every=7, least=3, age_s=1.0, threads=4)
    assert recipe_for("minilm", SNAPSHOT, changed) == recipe_for("minilm", SNAPSHOT, Train())


def test_another_snapshot_is_another_recipe() -> None:
    one, two = (recipe_for("minilm", s * 64, Train()).id for s in "ab")
    assert one != two


def test_a_bundled_base_is_known_by_its_pin() -> None:
    assert recipe_for("minilm", SNAPSHOT, Train()).base_revision == BUNDLED["minilm"].sha256


def test_a_folder_is_known_by_its_weights(tiny_folder: Path) -> None:
    source = find_source(str(tiny_folder))
    assert len(source.revision()) == 64 and source.pinned is None


@pytest.mark.parametrize("name", ["gpt-17", "", "/nowhere"])
def test_an_unknown_base_is_refused_with_what_would_do(name: str) -> None:
    with pytest.raises(BaseUnavailable, match="neither bundled"):
        find_source(name)


@pytest.mark.model  # a fresh interpreter: seconds, on a busy machine
def test_asking_for_a_recipe_loads_no_model_library() -> None:
    code = (
        "import sys; import lora.train\n"
        "lora.train.recipe_for('minilm', 'a' * 64, lora.train.Train())\n"
        "print(sorted({'torch', 'transformers', 'peft', 'sklearn'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert said.stdout.strip() == "[]", said.stderr
