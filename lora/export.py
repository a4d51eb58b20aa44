"""A version leaves the house: as the plain PEFT folder it is, or merged into a plain model.

The merged folder is what transformers reads (AutoModel, of a causal base AutoModelForCausalLM):
base and adapter in one set of weights, the tokenizer beside it; heads stay in files of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from lora.adapter import MANIFEST, verify
from lora.base import Base, load_base
from lora.card import CARD
from lora.errors import LoraError
from lora.heads import TABLE, TENSORS
from lora.lineage import LINEAGE
from lora.loaded import open_version
from lora.networks import network_of
from lora.store import ProjectStore

CAUSAL_TABLE = "causal.json"


class NotExported(LoraError):
    """The target folder cannot take an export; the message says why."""


def export(
    project: ProjectStore,
    version: str,
    out: Path,
    merged: bool = False,
    load: Callable[[str], Base] = load_base,
) -> None:
    """Write a version of the store into the folder `out`, which must be new or empty.

    Raises NotExported, BrokenAdapter when the version is not complete or not of its base, and
    BaseUnavailable when merging needs a base that is not there.
    """
    folder = project.adapter_folder(version)
    manifest = verify(folder)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise NotExported(f"{out} exists and is not an empty folder; name a new one")
    if not merged:
        out.mkdir(parents=True, exist_ok=True)
        for name in [*manifest.files, MANIFEST]:
            shutil.copyfile(folder / name, out / name)
        return
    network = network_of(load(manifest.recipe.base))
    opened = open_version(network, folder)
    network.activate(opened, opened.tensors)
    out.mkdir(parents=True, exist_ok=True)
    network.model.save_pretrained(out)
    network.base.tokenizer.save_pretrained(out)
    for name in (TENSORS, TABLE, CAUSAL_TABLE, CARD, LINEAGE):
        if name in manifest.files:
            shutil.copyfile(folder / name, out / name)
