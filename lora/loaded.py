"""A version made ready to serve one schema: weights and heads, in memory, immutable.

Loading happens off the lane and tries the adapter on a private network first, so that the lane
never meets one that does not fit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from label_config.controls import Schema
from lora.adapter import Manifest, verify
from lora.base import Base
from lora.causal.calibrate import Calibration
from lora.errors import BrokenAdapter
from lora.heads import Embed, Head, cold_head, derive, read_heads
from lora.network import Network, Tree
from lora.networks import network_of
from lora.weights import SCALE, Weights, scale_of

LORA, LORA_CONFIG = "adapter_model.safetensors", "adapter_config.json"
POOL_TEXT = 600  # code points of each; a start need not read whole documents
POOL = 300  # texts of a data key that the cold start looks at

Pool = Sequence[Mapping[str, str]]
"""Texts by data key of unlabelled, never blind tasks."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """What answers one schema. Compared by identity: the lane asks `is this the active one?`

    An encoder's has `heads`; a causal base has none and `calibration`, by control.
    """

    version: str
    schema: Schema
    tensors: Weights
    heads: Mapping[str, Head]
    calibration: Mapping[str, Calibration] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of its heads; `tensors` may be shared with other schemas of the same version."""
        return _head_bytes(self.heads)


def cold_name(schema: Schema, pool: Pool = (), base: str = "") -> str:
    """The version that predictions carry before the first adapter.

    `pool`, and `base` where it is not the server's own, change the answers, so the name too.
    """
    seen = _pool_texts(schema, pool)
    if not base and not any(seen.values()):
        return f"cold-{schema.short}"
    mark = hashlib.sha256(json.dumps([seen, base], sort_keys=True).encode()).hexdigest()
    return f"cold-{schema.short}-{mark[:4]}"


def served_name(version: str, trained_on: str, schema: Schema) -> str:
    """The version that predictions carry: marked when the config is not the one trained on."""
    return version if trained_on == schema.digest else f"{version}+{schema.short}"


@dataclass(frozen=True, eq=False)
class Opened:
    """An adapter's files in memory, not yet turned to a schema. `trained_on`: a schema's digest;
    `heads`, `calibration`: as in Loaded."""

    version: str
    trained_on: str
    tensors: Weights
    heads: Mapping[str, Head]
    calibration: Mapping[str, Calibration] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return self.tensors.nbytes + _head_bytes(self.heads)


def _head_bytes(heads: Mapping[str, Head]) -> int:
    both: Iterable[torch.Tensor] = (t for h in heads.values() for t in (h.weight, h.bias))
    return sum(t.numel() * t.element_size() for t in both)


def load_cold(base: Base, schema: Schema, pool: Pool = ()) -> Loaded:
    """What answers before the first adapter: the plain base and the labels' own texts."""
    return ready(base, None, schema, pool)


def load_version(base: Base, folder: Path, schema: Schema) -> Loaded:
    """A complete version of the store, for `schema`; raises BrokenAdapter."""
    network = network_of(base)
    return ready(network, open_version(network, folder), schema)


def open_version(network: Base | Tree, folder: Path) -> Opened:
    """Read a complete version of the store; raises BrokenAdapter.

    Every file's digest, the base's revision and the tensors' shapes and values are checked.
    `network`: one of the kind that shall serve, used to try the adapter; of a Base, a plain one.
    """
    network = _network(network)
    manifest = verify(folder)
    check_base(network.base, folder, manifest)
    return open_folder(network, folder, manifest.version, manifest.schema)


def open_folder(network: Base | Tree, folder: Path, version: str, trained_on: str) -> Opened:
    """Read an adapter's files without asking for a manifest (a candidate has none yet)."""
    network = _network(network)
    scale = _read_scale(folder, network.base)
    try:
        tensors = load_file(folder / LORA)
    except (OSError, SafetensorError) as error:
        raise BrokenAdapter(f"{folder / LORA} cannot be read: {error}") from error
    try:
        weights = network.prepare(tensors, scale)
        network.activate(weights, weights)
    except (KeyError, ValueError) as error:
        raise BrokenAdapter(f"{folder / LORA} does not fit: {error.args[0]}") from error
    if not _is_finite(network):
        raise BrokenAdapter(f"{folder / LORA} makes the base answer with no finite numbers")
    if isinstance(network, Network):
        return Opened(version, trained_on, weights, read_heads(folder, network.base.hidden))
    from lora.causal.files import read_calibration  # here: it is made of what is defined here

    return Opened(version, trained_on, weights, {}, read_calibration(folder))


def ready(
    network: Base | Tree,
    opened: Opened | None,
    schema: Schema,
    pool: Pool = (),
    cold: str | None = None,
) -> Loaded:
    """Turn an adapter (None: the cold start) to a schema; nothing is read from disk.

    `pool` and the name `cold` are the cold start's: its texts show what texts of this
    project have in common and which of them are near to a label's name.
    """
    network = _network(network)
    if not isinstance(network, Network):
        from lora.causal.ready import ready_causal  # here: it is made of what is defined here

        return ready_causal(network, opened, schema, pool, cold)
    cold = cold or cold_name(schema, pool)  # of all keys, whatever an encoder reads of them
    schema = schema.served_by("encoder")
    weights = opened.tensors if opened else network.prepare({})
    network.activate(weights, weights)
    embed = _embedder(network)
    if opened is None:
        around = {k: embed(t) for k, t in _pool_texts(schema, pool).items() if t}
        heads = {c.name: cold_head(c, embed, around.get(c.key)) for c in schema.controls}
        return Loaded(cold, schema, weights, heads)
    name = served_name(opened.version, opened.trained_on, schema)
    heads = {c.name: derive(opened.heads.get(c.name), c, embed) for c in schema.controls}
    return Loaded(name, schema, weights, heads)


def _network(given: Base | Tree) -> Tree:
    return given if isinstance(given, Tree) else network_of(given)


def _is_finite(network: Tree) -> bool:
    if isinstance(network, Network):
        return bool(torch.isfinite(_embedder(network)(["probe"])).all())
    from lora.causal.ready import is_finite  # here: it is made of what is defined here

    return is_finite(network)


def _pool_texts(schema: Schema, pool: Pool) -> dict[str, list[str]]:
    """The pool's texts by data key, at most POOL of each."""
    return {k: [p[k][:POOL_TEXT] for p in pool if p.get(k, "").strip()][:POOL] for k in schema.keys}


def _embedder(network: Network) -> Embed:
    def embed(texts: Sequence[str]) -> torch.Tensor:
        encoded = network.encode(texts, [False] * len(texts))
        return torch.stack([e.vector for e in encoded])

    return embed


def check_base(base: Base, folder: Path, manifest: Manifest) -> None:
    """Raises BrokenAdapter where a version was trained on other weights."""
    wanted = manifest.recipe.base_revision
    if wanted != base.revision:
        raise BrokenAdapter(
            f"{folder.name} was trained on base {manifest.recipe.base!r} with weights "
            f"{wanted[:12]}..., loaded is {base.name!r} with {base.revision[:12]}..."
        )


def _read_scale(folder: Path, base: Base) -> float:
    """What the adapter's product is multiplied by, from its adapter_config.json."""
    path = folder / LORA_CONFIG
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        scale = scale_of(raw)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise BrokenAdapter(f"{path} cannot be served: {error}") from error
    if base.kind == "encoder" and scale != SCALE:
        raise BrokenAdapter(f"{path} has a scale of {scale:g}; an encoder's adapters have {SCALE}")
    return scale
