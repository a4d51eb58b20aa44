"""An adapter folder is trusted only when every file is the one its manifest names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lora.adapter import MANIFEST, Manifest, Recipe, digest_files, verify
from lora.errors import BrokenAdapter

RECIPE = Recipe("tiny", "0" * 64, "a" * 64, {"steps": 60}, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "heads.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"numbers")
    manifest = Manifest(
        version=f"v1-{RECIPE.id[:8]}",
        number=1,
        recipe=RECIPE,
        schema="b" * 64,
        config="",
        files=digest_files(tmp_path),
        labels=3,
        parent=None,
        scores={},
        created_at="2026-01-01T00:00:00+00:00",
    )
    (tmp_path / MANIFEST).write_text(manifest.to_json())
    return tmp_path


def test_a_complete_folder_is_trusted(folder: Path) -> None:
    assert verify(folder).recipe == RECIPE


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"snapshot": "c" * 64}, {"base_revision": "d" * 64}, {"settings": {}}]
)
def test_each_part_of_the_recipe_is_part_of_its_id(change: dict[str, object]) -> None:
    assert replace(RECIPE, **change).id != RECIPE.id  # type: ignore[arg-type]


def test_a_cut_file_is_noticed(folder: Path) -> None:
    (folder / "adapter_model.safetensors").write_bytes(b"numb")
    with pytest.raises(BrokenAdapter, match="adapter_model.safetensors should have SHA-256"):
        verify(folder)


def test_a_missing_file_is_noticed(folder: Path) -> None:
    (folder / "heads.json").unlink()
    with pytest.raises(BrokenAdapter, match="found nothing"):
        verify(folder)


def test_a_file_that_nobody_named_is_noticed(folder: Path) -> None:
    (folder / "more.json").write_text("{}")
    with pytest.raises(BrokenAdapter, match="does not name"):
        verify(folder)


def test_nothing_executable_and_no_link_belongs_in_an_adapter(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(b"")
    with pytest.raises(BrokenAdapter, match="does not belong"):
        verify(folder)
    (folder / "model.pkl").unlink()
    (folder / "link.json").symlink_to("/etc/hostname")
    with pytest.raises(BrokenAdapter, match="does not belong"):
        verify(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"recipe": {}}'])
def test_an_unreadable_manifest_is_no_manifest(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(BrokenAdapter, match="cannot be read"):
        verify(folder)


def test_a_later_format_is_refused(folder: Path) -> None:
    raw = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**raw, "format": 2}))
    with pytest.raises(BrokenAdapter, match="format 2; this program reads 1"):
        verify(folder)
