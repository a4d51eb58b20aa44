"""A causal base through the whole house: trained, judged, committed, served, exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from label_config import Example, Snapshot, Task, Written, read_schema
from lora.base import load_base
from lora.engine import LaneSettings
from lora.export import export
from lora.live import Live
from lora.loaded import open_version
from lora.networks import network_of
from lora.recipe import recipe_for
from lora.store import ProjectStore, Store
from lora.train import run
from settings import Train
from tests.lora.causal.made import causal_base
from tests.lora.made import CONFIG

WRITES = CONFIG.replace("</View>", '<TextArea name="note" toName="t"/></View>')
PROMPT = torch.tensor([[5, 9, 30, 41, 7]])


@pytest.mark.model  # trains: seconds
def test_a_snapshot_becomes_a_version_that_serves_and_leaves_the_house(
    store: Store, project: ProjectStore, examples: list[Example], tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    causal_base("llama", folder)
    rows = [replace(e, answers=(*e.answers, Written("note", "t", "a note"))) for e in examples]
    snapshot = project.put_snapshot(Snapshot("1", WRITES, tuple(rows), ()))
    settings = Train(base=str(folder), steps=6, rank=4, device="cpu")
    out = project.staging()
    report = run(store.root, "1", snapshot, out, None, settings, dtype="float32")
    assert {p.name for p in out.iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "causal.json",
        "lineage.json",
    }
    judged = report["scores"]["candidate"]["controls"]
    assert {c: s["metric"] for c, s in judged.items()} == {
        "what": "accuracy",
        "parts": "f1",
        "note": "chrf",
    }
    assert not [p for p in out.parent.iterdir() if "checkpoint" in p.name]
    recipe = recipe_for(settings.base, snapshot, settings)
    assert recipe.settings["prompt"] and report["recipe"]["settings"] == recipe.settings
    schema = read_schema(WRITES)
    made = project.commit(
        out, recipe, schema=schema.digest, config=WRITES, labels=1, parent=None, scores={}
    )
    project.move_current(None, made.version, "test", "")
    lane = LaneSettings(dtype="float32", answer_tokens=8)
    live = Live(store, load_base, str(folder), poll_s=0.05, lane=lane)
    live.start()
    try:
        found = live.predict("1", schema, [Task(1, "1", {"text": "play the red song"})])[0]
    finally:
        live.close()
    assert found.model_version == made.version
    assert {r.from_name for r in found.regions} >= {"what", "note"}

    export(project, made.version, tmp_path / "merged", merged=True)
    net = network_of(load_base(str(folder)))
    opened = open_version(net, project.adapter_folder(made.version))
    net.activate(opened, opened.tensors)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    with torch.inference_mode():
        ours, theirs = (m(input_ids=PROMPT).logits.float() for m in (net.model, plain))
    torch.testing.assert_close(ours, theirs, atol=2e-2, rtol=2e-2)
    assert (tmp_path / "merged" / "causal.json").is_file()
