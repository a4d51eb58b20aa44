"""An adapter folder is trusted only when every file is the one its manifest names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lora import adapter
from lora.adapter import MANIFEST, Manifest, Recipe, digest_files, verify
from lora.errors import BrokenAdapter

RECIPE = Recipe("tiny", "0" * 64, "a" * 64, {"steps": 60}, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    version = f"v1-{RECIPE.id[:8]}"
    made = tmp_path / version
    made.mkdir()
    (made / "heads.json").write_text("{}")
    (made / "adapter_model.safetensors").write_bytes(b"numbers")
    manifest = Manifest(
        version=version,
        number=1,
        recipe=RECIPE,
        schema="b" * 64,
        config="",
        files=digest_files(made),
        labels=3,
        parent=None,
        scores={},
        created_at="2026-01-01T00:00:00+00:00",
    )
    (made / MANIFEST).write_text(manifest.to_json())
    return made


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


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": "v2-00000000"}, "it is of version 'v2-00000000'"),
        ({"number": 2}, "is not number 2"),
        ({"recipe": {"snapshot": "0" * 63 + "\u8996"}}, "no SHA-256"),
        ({"recipe": {"snapshot": "0" * 65}}, "no SHA-256"),
        ({"scores": {"candidate": 3}}, "scores.candidate is '3'"),
        ({"scores": {"gate": []}}, "scores.gate is"),
        ({"scores": {"holdout": "12"}}, "scores.holdout is '12'"),
        ({"scores": {"cold": {"mean": "high"}}}, "scores.cold.mean is 'high'"),
        ({"scores": {"champion": {"mean": True}}}, "scores.champion.mean is 'True'"),
        ({"scores": {"human": {"mean": float("nan")}}}, "scores.human.mean is 'nan'"),
        ({"scores": {"human": {"mean": 10**400}}}, "scores.human.mean is"),
        ({"scores": {"candidate": {"controls": [1]}}}, "scores.candidate.controls is"),
        ({"scores": {"candidate": {"controls": {"intent": {"value": 1}}}}}, "no metric"),
        ({"scores": {"candidate": {"by_label": {"intent": {"labels": {"A": [1]}}}}}}, "by_label"),
        ({"scores": {"candidate": {"by_label": {"intent": {"confused": [["A"]]}}}}}, "by_label"),
    ],
)
def test_a_manifest_that_says_what_ours_never_say_is_refused(
    folder: Path, change: dict[str, Any], named: str
) -> None:
    """What fuzzing found: each came up somewhere else, as a traceback or as another version."""
    raw = json.loads((folder / MANIFEST).read_text())
    raw |= {**change, "recipe": raw["recipe"] | change.get("recipe", {})}
    (folder / MANIFEST).write_text(json.dumps(raw))
    with pytest.raises(BrokenAdapter, match=f"manifest.json cannot be read: .*{named}"):
        verify(folder)


def test_the_judges_numbers_are_kept(folder: Path) -> None:
    """All that lora/judge.py and the gate write."""
    raw = json.loads((folder / MANIFEST).read_text())
    control = {"metric": "accuracy", "value": None, "n": 0}
    table = {"labels": {"A": [1, 1, 0, 0]}, "confused": [["A", "B", 1]]}
    own = {"mean": 0.5, "controls": {"intent": control}, "by_label": {"intent": table}}
    raw["scores"] = {"candidate": own, "champion": None, "holdout": 3, "train": 9}
    raw["scores"] |= {"cold": {"mean": None, "right": {"1": {"intent": [1.0]}}}, "gate": {"p": 0.1}}
    (folder / MANIFEST).write_text(json.dumps(raw))
    assert verify(folder).scores == raw["scores"]


@pytest.mark.parametrize("named", [2, 99, 0, -1, "1", None, True])
def test_a_format_that_this_program_does_not_know_is_refused_by_name(
    folder: Path, named: object
) -> None:
    raw = json.loads((folder / MANIFEST).read_text())
    raw = {"of": "a later program"} if named == 99 else raw  # nothing else of it is known
    text = json.dumps({**raw, "format": named})
    (folder / MANIFEST).write_text(text)
    with pytest.raises(BrokenAdapter, match=f"format {named}; this program reads up to 1"):
        verify(folder)
    assert (folder / MANIFEST).read_text() == text


def test_a_manifest_of_format_1_is_read_whatever_came_after() -> None:
    """As the first release wrote it, byte for byte; never to be changed."""
    manifest = Manifest.read(Path(__file__).parent / "manifest-1" / "v3-1a2b3c4d")
    assert (manifest.version, manifest.number, manifest.labels) == ("v3-1a2b3c4d", 3, 75)
    assert manifest.recipe.base == "minilm" and manifest.scores["candidate"]["mean"] == 0.91
    assert manifest.format == adapter.FORMAT


def test_an_older_format_is_brought_up_to_date_as_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program with one format more, where `labels` was called `answers` before."""
    raw = json.loads((folder / MANIFEST).read_text())
    raw["answers"] = raw.pop("labels")
    text = json.dumps(raw)
    (folder / MANIFEST).write_text(text)
    with pytest.raises(BrokenAdapter):
        verify(folder)

    def renamed(old: dict[str, Any]) -> dict[str, Any]:
        return {**{k: v for k, v in old.items() if k != "answers"}, "labels": old["answers"]}

    monkeypatch.setattr(adapter, "UPGRADES", (renamed,))
    found = verify(folder)
    assert (found.labels, found.format) == (raw["answers"], 2)
    assert (folder / MANIFEST).read_text() == text, "a version's folder is never changed"
