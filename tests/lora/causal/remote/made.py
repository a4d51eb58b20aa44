"""Versions of a store for tests of servers, and a config with every kind of control."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from label_config.controls import Schema
from lora.adapter import MANIFEST, Manifest, Recipe, digest_files
from lora.base import Base
from lora.causal.files import FORMAT, TABLE
from lora.causal.prompt import VERSION
from tests.lora.causal.made import write_causal

CONFIG = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="what" toName="t"><Choice value="play"/><Choice value="buy"/>'
    '<Choice value="paint"/></Choices><Rating name="stars" toName="t" maxRating="3"/>'
    '<Labels name="parts" toName="t"><Label value="thing"/><Label value="colour"/></Labels>'
    '<Choices name="any" toName="t" choice="multiple"><Choice value="red"/><Choice value="blue"/>'
    '</Choices><Number name="n" toName="t"/><TextArea name="note" toName="t"/></View>'
)


def version(
    root: Path, base: Base, schema: Schema, n: int, heat: Mapping[str, float] | None = None
) -> Path:
    """A complete version of a store, of random numbers; its base is `base`."""
    made = f"v{n}-0000000{n}"
    folder = root / "projects" / "1" / "adapters" / made
    folder.mkdir(parents=True)
    write_causal(folder, base, n)
    controls = {name: {"temperature": t} for name, t in (heat or {}).items()}
    table = {"format": FORMAT, "prompt": VERSION, "controls": controls}
    (folder / TABLE).write_text(json.dumps(table))
    recipe = Recipe(base.name, base.revision, "0" * 64, {}, 0)
    files = digest_files(folder)
    manifest = Manifest(made, n, recipe, schema.digest, "", files, 0, None, {}, "now")
    (folder / MANIFEST).write_text(manifest.to_json())
    return folder
