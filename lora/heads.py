"""Heads: what turns an encoded text into the answer of one control.

Choices: one row per label. Labels: two rows per label, B and I (lora/decode.py says how they are
read). A head is never changed; a config that differs from the one trained on gets a derived head.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from label_config.names import label_text
from label_config.values import Control, Label
from lora.errors import BrokenAdapter

TENSORS, TABLE = "heads.safetensors", "heads.json"
FORMAT = 1

SHARPNESS = 20.0
"""Logit per unit of cosine at the cold start (a temperature of 0.05)."""
NEAR = 0.3
"""Cosine from which a label of a multiple choice counts as chosen at the cold start."""
NEVER = -30.0
"""Logit of a span label nobody has trained."""

Embed = Callable[[Sequence[str]], torch.Tensor]
"""Texts -> [texts, hidden], mean-pooled and L2-normalised."""


@dataclass(frozen=True)
class Head:
    """One control's rows: `weight` [rows, hidden], `bias` [rows]. `trained`: on human answers."""

    control: Control
    weight: torch.Tensor
    bias: torch.Tensor
    trained: bool

    def logits(self, vectors: torch.Tensor) -> torch.Tensor:
        """[n, hidden] -> [n, rows]."""
        return torch.nn.functional.linear(vectors, self.weight, self.bias)


def rows_of(control: Control) -> int:
    """How many rows the control's head has."""
    return len(control.labels) * (1 if control.kind == "Choices" else 2)


def cold_head(control: Control, embed: Embed) -> Head:
    """The head before any answer: Choices by likeness to the label's text, Labels silent."""
    if control.kind == "Labels":
        return _silent(control, embed(["a"]).shape[1])
    names = embed([label_text(label) for label in control.labels])
    bias = -SHARPNESS * NEAR if control.multiple else 0.0
    return Head(
        control, SHARPNESS * names, torch.full((len(names),), bias, device=names.device), False
    )


def _silent(control: Control, hidden: int) -> Head:
    rows = rows_of(control)
    return Head(control, torch.zeros(rows, hidden), torch.full((rows,), NEVER), False)


def derive(head: Head | None, control: Control, embed: Embed) -> Head:
    """A head for `control` out of one trained on an older config of it.

    Rows follow their label's value. A label not seen in training gets the row of its text if it is
    a choice, and predicts nothing if it is a span. Another kind of control starts cold.
    """
    old = head.control if head else None
    if head is None or old is None or (old.kind, old.multiple) != (control.kind, control.multiple):
        return cold_head(control, embed)
    places = {value: i for i, value in enumerate(old.values)}
    if not any(value in places for value in control.values):
        return cold_head(control, embed)
    fresh = _text_rows(head, control, embed) if control.kind == "Choices" else None
    width = 1 if control.kind == "Choices" else 2
    weight = torch.zeros(rows_of(control), head.weight.shape[1])
    bias = torch.full((rows_of(control),), NEVER)
    for i, value in enumerate(control.values):
        at = slice(i * width, (i + 1) * width)
        if value in places:
            j = places[value]
            weight[at] = head.weight[j * width : (j + 1) * width].cpu()
            bias[at] = head.bias[j * width : (j + 1) * width].cpu()
        elif fresh is not None:
            weight[at], bias[at] = fresh[0][i], fresh[1][i]
    return Head(control, weight, bias, head.trained)


def _text_rows(
    head: Head, control: Control, embed: Embed
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Rows for the labels of `control` out of their texts, on the scale of the trained rows.

    The texts' common part is taken out, since a trained head's rows carry none either.
    """
    if set(control.values) <= set(head.control.values):
        return None
    old = embed([label_text(label) for label in head.control.labels]).cpu()
    new = embed([label_text(label) for label in control.labels]).cpu()
    centre = old.mean(0) if len(old) > 1 else torch.zeros(old.shape[1])
    trained = head.weight.cpu()
    own = trained - trained.mean(0) if len(old) > 1 else trained
    scale = own.norm(dim=1).mean() / (old - centre).norm(dim=1).mean().clamp_min(1e-6)
    rows = trained.mean(0) * (len(old) > 1) + scale * (new - centre)
    level = head.bias.cpu().mean() - (rows - trained.mean(0) * (len(old) > 1)) @ centre
    return rows, level


def save_heads(folder: Path, heads: Mapping[str, Head]) -> None:
    """Write the heads beside an adapter's own files."""
    tensors: dict[str, torch.Tensor] = {}
    table: list[dict[str, Any]] = []
    for i, head in enumerate(heads.values()):
        tensors[f"{i}.weight"] = head.weight.detach().cpu().float().contiguous()
        tensors[f"{i}.bias"] = head.bias.detach().cpu().float().contiguous()
        table.append(_describe(head))
    save_file(tensors, folder / TENSORS)
    text = json.dumps({"format": FORMAT, "heads": table}, indent=1, ensure_ascii=False)
    (folder / TABLE).write_text(text, encoding="utf-8")


def _describe(head: Head) -> dict[str, Any]:
    c = head.control
    labels = [{"value": b.value, "shown": b.shown, "hint": b.hint} for b in c.labels]
    facts = {"name": c.name, "kind": c.kind, "to_name": c.to_name, "key": c.key}
    return {**facts, "multiple": c.multiple, "trained": head.trained, "labels": labels}


def read_heads(folder: Path, hidden: int) -> dict[str, Head]:
    """The heads of a version folder by control name; raises BrokenAdapter."""
    path = folder / TABLE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise BrokenAdapter(f"{path} has format {raw['format']}; this program reads {FORMAT}")
        tensors = load_file(folder / TENSORS)
        heads: dict[str, Head] = {}
        for i, entry in enumerate(raw["heads"]):
            trained = bool(entry.pop("trained"))
            labels = tuple(Label(**label) for label in entry.pop("labels"))
            control = Control(labels=labels, **entry)
            heads[control.name] = Head(
                control, tensors[f"{i}.weight"], tensors[f"{i}.bias"], trained
            )
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise BrokenAdapter(f"the heads in {folder} cannot be read: {error}") from error
    for head in heads.values():
        _check(path, head, hidden)
    return heads


def _check(path: Path, head: Head, hidden: int) -> None:
    wanted = (rows_of(head.control), hidden)
    if tuple(head.weight.shape) != wanted or tuple(head.bias.shape) != wanted[:1]:
        came = tuple(head.weight.shape)
        raise BrokenAdapter(f"{path}: head {head.control.name!r} is {came}, should be {wanted}")
    if not (torch.isfinite(head.weight).all() and torch.isfinite(head.bias).all()):
        raise BrokenAdapter(f"{path}: head {head.control.name!r} holds numbers that are not finite")
