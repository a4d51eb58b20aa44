"""The model card of an adapter, in the hub's format: YAML front matter, then words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from label_config.controls import Control, Schema
from lora.adapter import Recipe
from lora.lineage import annotation_ids, spans_of

CARD = "README.md"
OTHERS = {"champion": "parent", "human": "without synthetic rows", "cold": "cold start"}

_TEMPLATE = """---
base_model: {quoted}
base_model_relation: adapter
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
| made with | {code} |
| parent | {parent} |
| train rows | {train}, of which {synthetic} synthetic |
| blind holdout rows | {holdout} |
| unlabelled texts of the pool | {pool} |

The same base revision, snapshot, settings, seed and code give the same bytes on one kind of CPU.

## What it learned from

- annotations it was trained on: {taught}
- annotations it was judged on: {judged}
- synthetic rows: {made}

`lineage.json` names each row with its annotation and a digest of its texts and answers, keyed with
the project's secret (HMAC-SHA256, key `{key}`), and each synthetic row with its parent, maker,
prompt and seed.

## Controls

{controls}

## Scores on the blind holdout

| control | metric | candidate | {others} | n |
|---|---|---|{dashes}---|
{scores}

Nothing was fitted or chosen on the holdout. accuracy: share of rows answered exactly as the human
did. closeness: 1 - |error| / range. f1: exact-match micro F1 of (label, start, end). chrf: mean
sentence chrF of texts, from 0 to 1. {calibrated}
{ece}"""


def write_card(
    recipe: Recipe,
    upstream: str,
    schema: Schema,
    report: Mapping[str, Any],
    lineage: Mapping[str, Any],
    parent: str | None = None,
) -> str:
    """The text of README.md; only names, numbers and labels, never a text of the data. `parent`:
    the version that served when it was judged."""
    controls = [
        f"- `{c.name}` ({c.kind}{', multiple' if c.multiple else ''}): {_about(c)}"
        for c in schema.controls
    ]
    others = {k: name for k, name in OTHERS.items() if report["scores"].get(k)}
    return _TEMPLATE.format(
        quoted=json.dumps(upstream),
        upstream=upstream,
        revision=recipe.base_revision,
        snapshot=recipe.snapshot,
        settings=json.dumps(dict(recipe.settings), sort_keys=True),
        seed=recipe.seed,
        code=", ".join(f"{name} {version}" for name, version in lineage["code"].items()),
        parent=f"`{parent}`" if parent else "the cold start",
        train=report["train"],
        synthetic=len(lineage["synthetic"]),
        holdout=report["holdout"],
        pool=lineage["pool"],
        taught=spans_of(annotation_ids(lineage, "train")) or "none",
        judged=spans_of(annotation_ids(lineage, "holdout")) or "none",
        made=_made(lineage["synthetic"]),
        key=lineage["key"],
        controls="\n".join(controls),
        others=" | ".join(others.values()),
        dashes="---|" * len(others),
        scores="\n".join(_scores(report["scores"], others)),
        calibrated=_calibrated(report.get("temperatures", {})),
        ece=_ece(report["scores"]["candidate"].get("ece", {})),
    )


def _scores(scores: Mapping[str, Any], others: Mapping[str, str]) -> Iterator[str]:
    for name, own in scores["candidate"]["controls"].items():
        cells = [f"{own['value']:.3f}"]
        for other in others:
            theirs = scores[other]["controls"].get(name)
            cells.append(f"{theirs['value']:.3f}" if theirs else "-")
        yield f"| {name} | {own['metric']} | {' | '.join(cells)} | {own['n']} |"


def _made(children: Sequence[Mapping[str, Any]]) -> str:
    """Synthetic rows by maker, and how many parents they have."""
    if not children:
        return "none"
    makers = Counter((c["transform"], c["generator"], c["prompt"]) for c in children)
    parts = [
        f"{n} by {transform}" + (f" of `{who}`, prompt `{prompt}`" if who else "")
        for (transform, who, prompt), n in sorted(makers.items(), key=str)
    ]
    return f"{'; '.join(parts)}; of {len({c['parent'] for c in children})} parents"


def add_verdict(folder: Path, promote: bool, reason: str) -> None:
    """End the card of a candidate with the gate's word, which is given after it was written."""
    word = "Passed the gate" if promote else "Kept back by the gate"
    with (folder / CARD).open("a", encoding="utf-8") as card:
        card.write(f"\n## Verdict\n\n{word}: {reason.rstrip('.')}.\n")


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
