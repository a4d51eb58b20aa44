"""What is exported is read by plain PEFT and plain transformers, and computes the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModel, AutoTokenizer

from label_config import Example
from label_config.controls import Schema
from lora.adapter import Manifest, Recipe
from lora.base import Base, load_base
from lora.errors import BrokenAdapter
from lora.export import NotExported, export
from lora.fit import fit, write_adapter
from lora.heads import read_heads
from lora.loaded import open_version
from lora.network import Network
from lora.store import ProjectStore
from settings import Train
from tests.lora.made import CONFIG

TEXTS = ["play the red song", "buy a coat please"]


@pytest.fixture
def base(tiny_folder: Path) -> Base:
    return load_base(str(tiny_folder))


@pytest.fixture
def version(base: Base, project: ProjectStore, schema: Schema, examples: list[Example]) -> Manifest:
    staging = project.staging()
    rows = [e for e in examples if e.side == "train"]
    write_adapter(staging, fit(base, schema, rows, [], Train(steps=3, rank=4)))
    (staging / "README.md").write_text("# a card\n")
    recipe = Recipe(base.name, base.revision, "a" * 64, {}, 0)
    return project.commit(
        staging, recipe, schema=schema.digest, config=CONFIG, labels=1, parent=None, scores={}
    )


def served(base: Base, project: ProjectStore, version: Manifest) -> list[torch.Tensor]:
    network = Network(base)
    opened = open_version(network, project.adapter_folder(version.version))
    network.activate(opened, opened.tensors)
    return [t for e in network.encode(TEXTS) if (t := e.tokens) is not None]


@pytest.mark.model
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
@pytest.mark.parametrize("merged", [False, True])
def test_an_export_computes_what_was_served(
    base: Base, project: ProjectStore, version: Manifest, tmp_path: Path, merged: bool
) -> None:
    out = tmp_path / "out"
    export(project, version.version, out, merged)
    if merged:
        model = AutoModel.from_pretrained(out)
        tokenizer = AutoTokenizer.from_pretrained(out)
    else:
        plain = AutoModel.from_pretrained(base.name)
        model = PeftModel.from_pretrained(plain, out)
        tokenizer = AutoTokenizer.from_pretrained(base.name)
    model.eval()
    for text, want in zip(TEXTS, served(base, project, version), strict=True):
        with torch.inference_mode():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        assert torch.allclose(states[1:-1], want, atol=1e-4)
    assert read_heads(out, base.hidden).keys() == {"what", "parts"}
    assert (out / "README.md").read_text() == "# a card\n"
    assert (out / "adapter_model.safetensors").exists() != merged
    config = json.loads((out / ("config.json" if merged else "adapter_config.json")).read_text())
    assert config["model_type" if merged else "peft_type"] == ("bert" if merged else "LORA")


@pytest.mark.model
def test_nothing_is_written_over_and_nothing_broken_leaves(
    project: ProjectStore, version: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(NotExported, match="not an empty folder"):
        export(project, version.version, tmp_path / "full")
    (project.adapter_folder(version.version) / "heads.json").write_text("{}")
    with pytest.raises(BrokenAdapter):
        export(project, version.version, tmp_path / "out", merged=True)
    assert not (tmp_path / "out").exists()
