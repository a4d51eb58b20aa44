"""What the benchmarks serve: configs, rows of the shared data, adapters of fixed random numbers.

An adapter's numbers do not change what it costs, so none is trained here.
"""

from __future__ import annotations

import gzip
import json
import socket
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.report import SHARED
from label_config import Schema, read_schema
from lora.adapter import Recipe
from lora.base import Base
from lora.causal.files import FORMAT, TABLE
from lora.causal.prompt import VERSION
from lora.forms import form_of
from lora.heads import Head, save_heads
from lora.store import ProjectStore
from lora.targets import lora_targets

RANK = 16
CLIP = 900  # code points: one window of any text, so that all contestants read the same


def config_of(choices: int, spans: int = 0) -> str:
    """A config with so many labels."""
    parts = ['<View><Text name="t" value="$text"/>']
    if choices:
        values = "".join(f'<Choice value="intent {i}"/>' for i in range(choices))
        parts.append(f'<Choices name="what" toName="t">{values}</Choices>')
    if spans:
        values = "".join(f'<Label value="slot {i}"/>' for i in range(spans))
        parts.append(f'<Labels name="parts" toName="t">{values}</Labels>')
    return "".join([*parts, "</View>"])


def texts_of(name: str, count: int) -> list[str]:
    """The first texts of a shared data set's train file, clipped."""
    folder = SHARED / "data" / name
    packed, plain = folder / "train.jsonl.gz", folder / "train.jsonl"
    raw = gzip.open(packed, "rt").read() if packed.exists() else plain.read_text("utf-8")
    rows = [json.loads(line)["text"] for line in raw.splitlines()]
    return [row[:CLIP] for row in rows[:count]]


def adapter_of(base: Base, seed: int, size: float = 0.1) -> dict[str, torch.Tensor]:
    """LoRA matrices of random numbers, by PEFT's names."""
    draw = torch.Generator().manual_seed(seed)
    found: dict[str, torch.Tensor] = {}
    for name in lora_targets(base.model):
        rows, columns = base.model.get_submodule(name).weight.shape
        at = f"base_model.model.{name}"
        found[f"{at}.lora_A.weight"] = torch.randn(RANK, columns, generator=draw) / columns**0.5
        found[f"{at}.lora_B.weight"] = torch.randn(rows, RANK, generator=draw) * size / RANK
    return found


def heads_of(base: Base, schema: Schema, seed: int) -> dict[str, Head]:
    """Heads of random numbers; spans are found about as often as in real texts."""
    draw = torch.Generator().manual_seed(seed)
    heads: dict[str, Head] = {}
    for c in schema.controls:
        weight, bias = form_of(c).shapes(c, base.hidden)
        spread, level = (0.3, -6.0) if c.form == "spans" else (20.0, 0.0)
        heads[c.name] = Head(
            c, spread * torch.randn(weight, generator=draw), torch.full(bias, level), True
        )
    return heads


def commit(
    project: ProjectStore,
    base: Base,
    config: str,
    seed: int,
    heads: dict[str, Head] | None = None,
    size: float = 0.1,
) -> str:
    """Write such an adapter as a version of the project and let it serve; returns its name."""
    schema = read_schema(config)
    staging = project.staging()
    save_file(adapter_of(base, seed, size), staging / "adapter_model.safetensors")
    kind = {"peft_type": "LORA", "r": RANK, "lora_alpha": 2 * RANK}
    (staging / "adapter_config.json").write_text(json.dumps(kind))
    if base.kind == "causal":
        table = {"format": FORMAT, "prompt": VERSION, "controls": {}}
        (staging / TABLE).write_text(json.dumps(table))
    else:
        save_heads(staging, heads or heads_of(base, schema, seed))
    recipe = Recipe(base.name, base.revision, f"{seed:064x}", {}, seed)
    made = project.commit(
        staging, recipe, schema=schema.digest, config=config, labels=0, parent=None, scores={}
    )
    project.move_current(project.current().version, made.version, "benchmark", "")
    return made.version


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
