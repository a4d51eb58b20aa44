"""Heads: what turns an encoded text into the answer of one control, one head per control.

What a head consists of is its form's business (lora/forms/). A head is never changed; a config that
differs from the one trained on gets a derived head. This file is also their form on disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from label_config.controls import Condition, Control, Label
from lora.errors import BrokenAdapter
from lora.forms import form_of
from lora.forms.choice import NEAR, SHARPNESS
from lora.forms.form import NEVER, Embed, Head
from lora.forms.number import FACTS
from lora.shapes import misfit

__all__ = ["NEAR", "SHARPNESS", "NEVER", "Embed", "Head", "cold_head", "derive", "read_heads"]
__all__ += ["rows_of", "save_heads"]

TENSORS, TABLE = "heads.safetensors", "heads.json"
UNREADABLE = (
    OSError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    RecursionError,
    OverflowError,  # a number of hundreds of digits
)
FORMAT = 2
"""2: one softmax per span label, and forms beyond Choices and Labels. 1 was another reading of the
same shapes, so it is refused and not guessed at."""


def rows_of(control: Control, hidden: int = 0) -> int:
    """How many rows the control's head has in its weight."""
    return form_of(control).shapes(control, hidden)[0][0]


def cold_head(control: Control, embed: Embed, pool: torch.Tensor | None = None) -> Head:
    """The head before any answer: choices by likeness to the label's text, the rest silent.

    `pool`: the vectors [texts, hidden] of unlabelled texts, where there are any.
    """
    return form_of(control).cold(control, embed, pool)


def derive(
    head: Head | None, control: Control, embed: Embed, pool: torch.Tensor | None = None
) -> Head:
    """A head for `control` out of one trained on an older config of it.

    Rows follow their label's value. A label not seen in training gets the row of its text if it is
    a choice, and predicts nothing if it is a span. Another kind of control starts cold.
    """
    old = head.control if head else None
    same = old and (old.kind, old.form) == (control.kind, control.form)
    if head is None or not same or not head.trained:
        return cold_head(control, embed, pool)
    return form_of(control).derive(head, control, embed, pool)


def save_heads(folder: Path, heads: Mapping[str, Head]) -> None:
    """Write the heads beside an adapter's own files."""
    tensors: dict[str, torch.Tensor] = {}
    table: list[dict[str, Any]] = []
    for i, head in enumerate(heads.values()):
        tensors[f"{i}.weight"] = head.weight.detach().cpu().float().contiguous()
        tensors[f"{i}.bias"] = head.bias.detach().cpu().float().contiguous()
        facts = {"control": asdict(head.control), "trained": head.trained}
        table.append({**facts, "facts": dict(head.facts)})
    save_file(tensors, folder / TENSORS)
    text = json.dumps({"format": FORMAT, "heads": table}, indent=1, ensure_ascii=False)
    (folder / TABLE).write_text(text, encoding="utf-8")


def read_heads(folder: Path, hidden: int) -> dict[str, Head]:
    """The heads of a version folder by control name; raises BrokenAdapter."""
    path = folder / TABLE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise BrokenAdapter(
                f"{path} has format {raw['format']}; this program reads {FORMAT}; train again"
            )
        tensors = load_file(folder / TENSORS)
        heads = [
            Head(
                _control(entry["control"]),
                tensors[f"{i}.weight"],
                tensors[f"{i}.bias"],
                bool(entry["trained"]),
                {str(k): float(v) for k, v in entry["facts"].items()},
            )
            for i, entry in enumerate(raw["heads"])
        ]
    except (*UNREADABLE, SafetensorError) as error:
        raise BrokenAdapter(f"the heads in {folder} cannot be read: {error}") from error
    for head in heads:
        _check(path, head, hidden)
    return {head.control.name: head for head in heads}


def _control(raw: Mapping[str, Any]) -> Control:
    labels = tuple(Label(**{**b, "path": tuple(b["path"])}) for b in raw["labels"])
    when = tuple(Condition(**{**w, "values": tuple(w["values"])}) for w in raw["when"])
    made = Control(**{**raw, "labels": labels, "when": when})
    if odd := misfit(made):
        raise TypeError(f"a control has {odd}")
    return made


def _check(path: Path, head: Head, hidden: int) -> None:
    name = head.control.name
    came = (tuple(head.weight.shape), tuple(head.bias.shape))
    wanted = form_of(head.control).shapes(head.control, hidden)
    if came != wanted:
        raise BrokenAdapter(f"{path}: head {name!r} is {came}, should be {wanted}")
    if not (torch.isfinite(head.weight).all() and torch.isfinite(head.bias).all()):
        raise BrokenAdapter(f"{path}: head {name!r} holds numbers that are not finite")
    if head.control.form == "number" and head.trained and not head.facts.keys() >= set(FACTS):
        raise BrokenAdapter(f"{path}: head {name!r} lacks some of {FACTS}")
