"""A version made ready to serve one schema: LoRA tensors and heads, in memory, immutable.

Loading happens off the lane and tries the adapter on a private network first, so that the lane
never meets one that does not fit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from label_config.values import Schema
from lora.adapter import Manifest, verify
from lora.base import Base
from lora.errors import BrokenAdapter
from lora.heads import Embed, Head, cold_head, derive, read_heads
from lora.network import SCALE, LoraTensors, Network

LORA, LORA_CONFIG = "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True, eq=False)
class Loaded:
    """What answers one schema. Compared by identity: the lane asks `is this the active one?`"""

    version: str
    schema: Schema
    tensors: LoraTensors
    heads: Mapping[str, Head]


def cold_name(schema: Schema) -> str:
    """The version that predictions carry before the first adapter."""
    return f"cold-{schema.short}"


def served_name(version: str, trained_on: str, schema: Schema) -> str:
    """The version that predictions carry: marked when the config is not the one trained on."""
    return version if trained_on == schema.digest else f"{version}+{schema.short}"


@dataclass(frozen=True, eq=False)
class Opened:
    """An adapter's files in memory, not yet turned to a schema. `trained_on`: a schema's digest."""

    version: str
    trained_on: str
    tensors: LoraTensors
    heads: Mapping[str, Head]


def load_cold(base: Base, schema: Schema) -> Loaded:
    """What answers before the first adapter: the plain base and the labels' own texts."""
    return ready(base, None, schema)


def load_version(base: Base, folder: Path, schema: Schema) -> Loaded:
    """A complete version of the store, for `schema`; raises BrokenAdapter."""
    return ready(base, open_version(base, folder), schema)


def open_version(base: Base, folder: Path) -> Opened:
    """Read a complete version of the store; raises BrokenAdapter.

    Every file's digest, the base's revision and the tensors' shapes and values are checked.
    """
    manifest = verify(folder)
    _check_base(base, folder, manifest)
    return open_folder(base, folder, manifest.version, manifest.schema)


def open_folder(base: Base, folder: Path, version: str, trained_on: str) -> Opened:
    """Read an adapter's files without asking for a manifest (a candidate has none yet)."""
    _check_config(folder)
    try:
        tensors = load_file(folder / LORA)
    except (OSError, SafetensorError) as error:
        raise BrokenAdapter(f"{folder / LORA} cannot be read: {error}") from error
    network = Network(base)
    try:
        network.activate(folder, tensors)
    except (KeyError, ValueError) as error:
        raise BrokenAdapter(f"{folder / LORA} does not fit: {error.args[0]}") from error
    if not torch.isfinite(_embedder(network)(["probe"])).all():
        raise BrokenAdapter(f"{folder / LORA} makes the encoder answer with no finite numbers")
    return Opened(version, trained_on, tensors, read_heads(folder, base.hidden))


def ready(base: Base, opened: Opened | None, schema: Schema) -> Loaded:
    """Turn an adapter (None: the cold start) to a schema; nothing is read from disk."""
    network = Network(base)
    network.activate(opened, opened.tensors if opened else {})
    embed = _embedder(network)
    if opened is None:
        cold = {c.name: cold_head(c, embed) for c in schema.controls}
        return Loaded(cold_name(schema), schema, {}, cold)
    name = served_name(opened.version, opened.trained_on, schema)
    heads = {c.name: derive(opened.heads.get(c.name), c, embed) for c in schema.controls}
    return Loaded(name, schema, opened.tensors, heads)


def _embedder(network: Network) -> Embed:
    def embed(texts: Sequence[str]) -> torch.Tensor:
        encoded = network.encode(texts, [False] * len(texts))
        return torch.stack([e.vector for e in encoded])

    return embed


def _check_base(base: Base, folder: Path, manifest: Manifest) -> None:
    wanted = manifest.recipe.base_revision
    if wanted != base.revision:
        raise BrokenAdapter(
            f"{folder.name} was trained on base {manifest.recipe.base!r} with weights "
            f"{wanted[:12]}..., loaded is {base.name!r} with {base.revision[:12]}..."
        )


def _check_config(folder: Path) -> None:
    path = folder / LORA_CONFIG
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        kind, scale = raw["peft_type"], raw["lora_alpha"] / raw["r"]
    except (OSError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise BrokenAdapter(f"{path} cannot be read: {error}") from error
    if kind != "LORA" or scale != SCALE or raw.get("use_dora") or raw.get("use_rslora"):
        raise BrokenAdapter(
            f"{path} is {kind} with alpha / rank {scale}; plain LoRA with {SCALE} is served"
        )
