"""Versions and snapshots of a few bytes: what a store does with them does not depend on what they
say."""

from __future__ import annotations

from collections.abc import Mapping

from label_config import Choice, Example, Snapshot
from lora.adapter import Manifest, Recipe
from lora.store import ProjectStore

CONFIG = '<View><Text name="t" value="$text"/></View>'
FILES = {
    "adapter_config.json": "{}",
    "adapter_model.safetensors": "weights of {seed}",
    "README.md": "card",
}


def snapshot(*tasks: int) -> Snapshot:
    rows = tuple(
        Example(f"e{n}", n, f"g{n}", "train", {"text": f"text {n}"}, (Choice("w", "t", ("a",)),))
        for n in tasks
    )
    return Snapshot("1", CONFIG, rows)


def commit(
    project: ProjectStore, seed: int, *, of: str = "a" * 64, files: Mapping[str, str] = FILES
) -> Manifest:
    """A version of three small files."""
    staging = project.staging()
    for name, text in files.items():
        (staging / name).write_text(text.replace("{seed}", str(seed)))
    recipe = Recipe("tiny", "0" * 64, of, {}, seed)
    return project.commit(
        staging, recipe, schema="b" * 64, config=CONFIG, labels=1, parent=None, scores={}
    )
