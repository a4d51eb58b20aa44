"""docs/reference.md says what the code says."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[1] / ".ci" / "reference.py"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says(reference: ModuleType) -> None:
    written = reference.FILE.read_text(encoding="utf-8")
    assert written == reference.reference(), "docs/reference.md is old; run: make reference"


@dataclass(frozen=True)
class Half:
    """A section of settings, one of them without its sentence."""

    told: int = 1
    """What it is."""
    silent: int = 2


def test_a_setting_without_a_sentence_is_named(reference: ModuleType) -> None:
    with pytest.raises(SystemExit, match="Half: no sentence under silent"):
        reference._sentences(Half)
