"""The model card of an adapter, in the hub's format: YAML front matter, then words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from label_config.controls import Control, Schema
from lora.adapter import Recipe

_TEMPLATE = """---
base_model: {upstream}
library_name: peft
license: other
tags:
- lora
- annotune
---

# A LoRA adapter trained by annotune

One LoRA on `{upstream}` and one head for each control of a Label Studio project. The LoRA loads
with plain PEFT; the heads are in `heads.safetensors`, described by `heads.json`.

| what | value |
|---|---|
| base | `{upstream}` |
| base revision | SHA-256 of the weights `{revision}` |
| snapshot | `{snapshot}` |
| settings | `{settings}` |
| seed | {seed} |
| train rows | {train} |
| blind holdout rows | {holdout} |

## Controls

{controls}

## Scores on the blind holdout

| control | metric | candidate | cold start | n |
|---|---|---|---|---|
{scores}

Nothing was fitted or chosen on the holdout. accuracy: share of rows answered exactly as the human
did. closeness: 1 - |error| / range. f1: exact-match micro F1 of (label, start, end). chrf: mean
sentence chrF of texts, from 0 to 1. {calibrated}
{ece}"""


def write_card(recipe: Recipe, upstream: str, schema: Schema, report: Mapping[str, Any]) -> str:
    """The text of README.md; only names, numbers and labels, never a text of the data."""
    candidate, cold = (report["scores"][k]["controls"] for k in ("candidate", "cold"))
    rows = [
        f"| {name} | {s['metric']} | {s['value']:.3f} | {cold[name]['value']:.3f} | {s['n']} |"
        for name, s in candidate.items()
    ]
    controls = [
        f"- `{c.name}` ({c.kind}{', multiple' if c.multiple else ''}): {_about(c)}"
        for c in schema.controls
    ]
    return _TEMPLATE.format(
        upstream=upstream,
        revision=recipe.base_revision,
        snapshot=recipe.snapshot,
        settings=json.dumps(dict(recipe.settings), sort_keys=True),
        seed=recipe.seed,
        train=report["train"],
        holdout=report["holdout"],
        controls="\n".join(controls),
        scores="\n".join(rows),
        calibrated=_calibrated(report.get("temperatures", {})),
        ece=_ece(report["scores"]["candidate"].get("ece", {})),
    )


def _calibrated(temperatures: Mapping[str, float]) -> str:
    if not temperatures:
        return "The probabilities are the model's own; they are not calibrated."
    said = ", ".join(f"`{name}` {value:.2f}" for name, value in temperatures.items())
    return f"The probabilities are calibrated on out-of-fold answers (temperatures: {said})."


def _ece(found: Mapping[str, Any]) -> str:
    """What they are worth: the expected calibration error, where anything was judged on it."""
    lines = [
        f"- `{name}`: {e['value']:.3f} ({e['low']:.3f} to {e['high']:.3f}) on {e['n']} rows"
        for name, e in found.items()
    ]
    said = "How far they are from how often they are right (ECE, 15 bins, interval of 95 %; on few"
    return "\n".join(["", f"{said} rows it is too large):", "", *lines, ""]) if lines else ""


def _about(c: Control) -> str:
    if c.options is not None:
        return "labels of each task's own"
    if c.form == "text":
        return "a text"
    return "a number" if c.form == "number" else f"{len(c.labels)} labels"
