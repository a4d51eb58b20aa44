"""A version is loaded whole and right, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from label_config import read_schema
from label_config.controls import Schema
from lora.adapter import MANIFEST, digest_files
from lora.base import Base
from lora.errors import BrokenAdapter
from lora.loaded import load_cold, load_version
from lora.store import ProjectStore
from tests.lora.made import CONFIG, MakeVersion


@pytest.fixture
def folder(project: ProjectStore, make_version: MakeVersion) -> Path:
    return project.adapter_folder(make_version(1).version)


def resign(folder: Path, **recipe: str) -> None:
    """Write the manifest anew, so that only what the test broke is broken."""
    raw = json.loads((folder / MANIFEST).read_text())
    raw["files"] = digest_files(folder)
    raw["recipe"] |= recipe
    (folder / MANIFEST).write_text(json.dumps(raw))


def test_the_cold_start_is_named_after_the_schema(tiny: Base, schema: Schema) -> None:
    assert load_cold(tiny, schema).version == f"cold-{schema.short}"


def test_a_version_carries_its_own_name(tiny: Base, schema: Schema, folder: Path) -> None:
    assert load_version(tiny, folder, schema).version == folder.name


def test_under_another_config_the_name_says_so(tiny: Base, folder: Path) -> None:
    wider = read_schema(CONFIG.replace('<Choice value="buy"/>', '<Choice value="sell"/>'))
    loaded = load_version(tiny, folder, wider)
    assert loaded.version == f"{folder.name}+{wider.short}"
    assert loaded.heads["what"].control.values == ("play", "sell", "paint")


def test_a_folder_is_never_changed_by_loading_it(tiny: Base, folder: Path) -> None:
    before = digest_files(folder)
    load_version(tiny, folder, read_schema(CONFIG.replace("colour", "shade")))
    assert digest_files(folder) == before


def test_an_adapter_of_another_base_is_refused(tiny: Base, schema: Schema, folder: Path) -> None:
    resign(folder, base_revision="f" * 64)
    with pytest.raises(BrokenAdapter, match="trained on base"):
        load_version(tiny, folder, schema)


def cut_rank(tensors: dict[str, torch.Tensor]) -> None:
    name = next(n for n in tensors if "lora_A" in n)
    tensors[name] = tensors[name][:-1].contiguous()


def lose_half(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[next(n for n in tensors if "lora_B" in n)]


def poison(tensors: dict[str, torch.Tensor]) -> None:
    tensors[next(n for n in tensors if "lora_B" in n)].fill_(float("nan"))


@pytest.mark.parametrize("damage", [cut_rank, lose_half, poison])
def test_tensors_that_do_not_fit_are_refused(
    tiny: Base, schema: Schema, folder: Path, damage: Callable[[dict[str, torch.Tensor]], None]
) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    damage(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")
    resign(folder)
    with pytest.raises(BrokenAdapter, match="does not fit|no finite numbers"):
        load_version(tiny, folder, schema)


@pytest.mark.parametrize(
    "config", ["", "{}", '{"peft_type": "IA3", "r": 4, "lora_alpha": 8}',
               '{"peft_type": "LORA", "r": 4, "lora_alpha": 4}', "[" * 100_000,
               '{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "modules_to_save": ["pooler"]}',
               '{"peft_type": "LORA", "r": 4, "lora_alpha": 1%s}' % ("0" * 400),
               '{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "megatron_core": "os"}',
               '{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "auto_mapping": {"parent_library":'
               ' "os"}}']
)  # fmt: skip
def test_another_kind_of_adapter_is_refused(
    tiny: Base, schema: Schema, folder: Path, config: str
) -> None:
    (folder / "adapter_config.json").write_text(config)
    resign(folder)
    with pytest.raises(BrokenAdapter, match="adapter_config.json"):
        load_version(tiny, folder, schema)


def test_a_half_written_folder_is_refused(tiny: Base, schema: Schema, folder: Path) -> None:
    (folder / "heads.safetensors").unlink()
    with pytest.raises(BrokenAdapter, match="found nothing"):
        load_version(tiny, folder, schema)
