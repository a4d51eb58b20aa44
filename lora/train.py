"""`python -m lora.train`: one snapshot becomes one candidate, judged, in a process of its own.

The worker starts it and may kill it at any moment: whatever lies in --out without a manifest is
debris. The last line of its work is the report beside --out. Model libraries are imported inside
`run`, so that a process that only wants `recipe_for` stays light.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_config.controls import InvalidValue, Schema
from label_config.schema import read_schema
from label_config.values import Example, Written
from lora.errors import LoraError
from lora.opened import store_at
from lora.progress import Progress
from lora.recipe import kind_of, recipe_for
from lora.store import write_atomic
from settings import Train

if TYPE_CHECKING:
    from lora.base import Base

__all__ = ["main", "recipe_for", "report_path", "run"]

log = logging.getLogger(__name__)


def report_path(out: Path) -> Path:
    """Where the report of a candidate folder is written: beside it, never in it."""
    return out.parent / f"{out.name}.report.json"


def run(
    store: Path,
    project: str,
    snapshot_hash: str,
    out: Path,
    champion: str | None,
    settings: Train,
    *,
    beside: str | None = None,
    serve: str = "auto",
    dtype: str = "auto",
    quantize: str = "",
) -> dict[str, Any]:
    """Train, write the candidate into `out`, judge it, write and return the report.

    `beside`: the version of the same human rows without synthetic ones, judged in the same run.
    `serve`, `dtype`, `quantize`: how the server computes (settings.Backend), so that what is judged
    is what serves. Of several processes that train together those that only help return {}.
    Raises LoraError, InvalidValue (the config) or ValueError (nothing to learn from).
    """
    with ExitStack() as kept:
        how: dict[str, Any] = {"beside": beside, "serve": serve, "dtype": dtype}
        how["quantize"] = quantize
        return _run(kept, store, project, snapshot_hash, out, champion, settings, **how)


def _run(
    kept: ExitStack,
    store: Path,
    project: str,
    snapshot_hash: str,
    out: Path,
    champion: str | None,
    settings: Train,
    *,
    beside: str | None,
    serve: str,
    dtype: str,
    quantize: str,
) -> dict[str, Any]:
    """`kept`: what lasts until the report is written."""
    clock = Clock()
    from lora.base import load_base, pick_device
    from lora.card import CARD, write_card
    from lora.evaluate import ranges_of
    from lora.fit import fit, write_adapter
    from lora.judge import judge_all
    from lora.lineage import lineage_of, project_key, write_lineage
    from lora.looks import FEW_BLIND
    from lora.outfold import cooled, fold_models, fresh_rows, judge_since
    from lora.peak import peak_mb

    clock.lap("imports")
    place = store_at(store).project(project)
    progress = Progress(place.folder, snapshot_hash)
    progress.stage("load")
    snapshot = place.snapshot(snapshot_hash)
    whole = read_schema(snapshot.config, urls=True)  # the texts are in the snapshot
    device = pick_device(settings.device)
    recipe = recipe_for(settings.base, snapshot_hash, settings)
    causal = kind_of(settings.base) == "causal"
    if causal:
        from lora.causal.train import make_causal, tokens_of_a_pass

        tokens = tokens_of_a_pass(settings, device)
    where: dict[str, Any] = {"threads": settings.threads, "device": device}
    base = load_base(settings.base, **where, quantize=settings.quantize if causal else "")
    clock.lap("load")
    schema = whole.served_by(base.kind)
    train, holdout = (predictable(schema, rows) for rows in (snapshot.train, snapshot.holdout))
    rows = schema, train, snapshot.pool, settings
    warmth: dict[str, float] = {}
    progress.stage("fit")
    if causal:
        made = make_causal(base, *rows, out, recipe_id=recipe.id, tokens=tokens, tell=progress.step)
        if made is None:
            return {}
        notes, folds = made, []
    else:
        fitted = fit(base, *rows, after=progress.step)
        out.mkdir(parents=True, exist_ok=True)
        folds = kept.enter_context(fold_models(base, *rows, out)) if settings.folds else []
        fitted, warmth = cooled(base, schema, fitted, folds)
        write_adapter(out, fitted)
        notes = list(fitted.notes)
    clock.lap("fit")
    progress.stage("judge")
    if causal and base.quantize != quantize:
        base = load_base(settings.base, **where, quantize=quantize)
    best = place.adapter_folder(champion) if champion else None
    try:
        below = _other_base(best, base, settings) if best else None
    except LoraError as error:
        notes.append(f"the champion could not be judged: {error}")
        best = below = None
    how: dict[str, Any] = {"champion": best, "champion_base": below, "notes": notes}
    how |= {"pool": place.pool()}
    how |= {"serve": serve, "dtype": dtype, "ranges": ranges_of(schema, [e.answers for e in train])}
    other = place.adapter_folder(beside) if beside else None
    scores = judge_all(base, schema, holdout, candidate=out, beside=other, **how)
    clock.lap("judge")
    report: dict[str, Any] = {
        "recipe": asdict(recipe),
        "labels": _humans([*train, *holdout]),
        "scores": scores,
        "train": len(train),
        "synthetic": len(train) - _humans(train),
        "holdout": len(holdout),
        "seconds": clock.laps,
        "memory_mb": peak_mb(device),
        "notes": notes,
        "temperatures": warmth,
    }
    if best and scores["champion"] and folds and len(holdout) < FEW_BLIND:
        fresh = fresh_rows(place, best, train)

        def judge(folder: Path, some: Sequence[Example]) -> dict[str, Any]:
            return judge_all(base, schema, some, candidate=folder, **how)

        report["since"] = judge_since(folds, fresh, judge)
        clock.lap("folds")
    if "human" in scores:
        report["gain"] = gain(scores["candidate"], scores["human"], holdout, _humans(train))
    lineage = lineage_of(snapshot, snapshot_hash, project_key(place))
    write_lineage(out, lineage)
    card = write_card(recipe, base.upstream, schema, report, lineage, champion)
    (out / CARD).write_text(card, encoding="utf-8")
    write_atomic(report_path(out), json.dumps(report, sort_keys=True, ensure_ascii=False))
    return report


def _other_base(champion: Path, base: Base, settings: Train) -> Base | None:
    """The champion's own base, where it is another than the candidate's; raises LoraError."""
    from lora.adapter import verify
    from lora.base import load_base

    recipe = verify(champion).recipe
    if recipe.base_revision == base.revision:
        return None
    device = base.model.device.type
    return load_base(recipe.base, threads=settings.threads, device=device)


def predictable(schema: Schema, examples: Sequence[Example]) -> list[Example]:
    """The rows without the texts that people wrote where the schema asks for none, and without
    rows that say nothing else: a snapshot may have been frozen for another kind of base."""
    asked = {c.name for c in schema.controls if c.form == "text"}
    rows: list[Example] = []
    for e in examples:
        kept = tuple(r for r in e.answers if not isinstance(r, Written) or r.from_name in asked)
        if kept or not e.answers:
            rows.append(e if kept == e.answers else replace(e, answers=kept))
    return rows


def gain(
    made: Mapping[str, Any], human: Mapping[str, Any], rows: Sequence[Example], answers: int
) -> dict[str, float] | None:
    """What synthetic rows brought: the mean score with less that without, on the same rows, and its
    standard error; None where nothing was judged on both."""
    from lora.paired import difference

    metrics = {name: str(c["metric"]) for name, c in made["controls"].items() if c["n"]}
    groups = {e.id: e.group for e in rows}
    told = difference([made["right"]], [human["right"]], metrics, groups)
    if told is None:
        return None
    error = (told.high - told.low) / (2 * 1.96)
    return {"answers": answers, "difference": told.value, "error": error}


def _humans(examples: Sequence[Example]) -> int:
    return sum(e.origin.kind == "human" for e in examples)


class Clock:
    """Seconds of each stage, for the report."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 2)
        self._last = now


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lora.train", description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="root folder of the store")
    parser.add_argument("--project", required=True, help="the project's id")
    parser.add_argument("--snapshot", required=True, help="hash of the snapshot to train on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the candidate's files")
    parser.add_argument("--champion", help="version to judge beside the candidate")
    parser.add_argument("--beside", help="version of the same human rows without synthetic ones")
    parser.add_argument("--serve", default="auto", help="settings.Backend.serve")
    parser.add_argument("--dtype", default="auto", help="settings.Backend.dtype")
    parser.add_argument("--quantize", default="", help="settings.Backend.quantize")
    parser.add_argument("--settings", default="{}", help="settings.Train as JSON")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0: report written. 2: this snapshot cannot be trained on, as the last line says."""
    given = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = _settings(json.loads(given.settings))
        report = run(
            given.store,
            given.project,
            given.snapshot,
            given.out,
            given.champion,
            settings,
            beside=given.beside,
            serve=given.serve,
            dtype=given.dtype,
            quantize=given.quantize,
        )
    except (LoraError, InvalidValue, ValueError, FileNotFoundError) as error:
        log.error("%s", error)
        return 2
    if not report:
        return 0
    mean = report["scores"]["candidate"]["mean"]
    log.info("trained on %d rows in %s: %.3f", report["train"], report["seconds"], mean)
    return 0


def _settings(raw: Mapping[str, Any]) -> Train:
    try:
        return Train(**raw)
    except TypeError as error:
        raise ValueError(f"--settings are not settings.Train: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
