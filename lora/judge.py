"""Candidate, champion and cold start on the same holdout, in the same run, by the serving code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from label_config.controls import Control, Schema
from label_config.values import Example, Inputs, Region
from lora.answer import Answer, answer
from lora.base import Base
from lora.ece import Said, calibration_error
from lora.errors import BrokenAdapter
from lora.evaluate import Ranges, evaluate, right, right_by_label
from lora.labelled import by_label
from lora.loaded import Loaded, open_folder, open_version, ready
from lora.looks import LABELLED
from lora.network import Network, Tree
from lora.networks import network_of
from lora.weights import pick_mode

CHUNK = 16  # rows of one batch, as at serving
JUDGE_S = 600.0  # of one decoded answer: a busy trainer must not cut what a server would not


def judge_all(
    base: Base,
    schema: Schema,
    holdout: Sequence[Example],
    *,
    candidate: Path,
    champion: Path | None,
    notes: list[str],
    champion_base: Base | None = None,
    beside: Path | None = None,
    pool: Sequence[Mapping[str, str]] = (),
    serve: str = "auto",
    dtype: str = "auto",
    ranges: Ranges | None = None,
) -> dict[str, Any]:
    """Scores of all by name; a champion that cannot be loaded is None, and noted.

    The candidate is read back from its files, so what is judged is what would serve.
    `champion_base`: where the champion sits on another base; `beside`: the version that learned
    from the human rows alone, judged as `human` where the candidate had synthetic ones too; `pool`:
    what the cold start that serves knows of the project's texts; `serve`, `dtype`: how the server
    computes, as in settings.Backend; `ranges`: of the Numbers' train answers, for all errors.
    """
    network = network_of(base, pick_mode(base, serve, dtype))
    opened = open_folder(network, candidate, "candidate", schema.digest)
    scores: dict[str, Any] = {
        "candidate": judge(network, ready(network, opened, schema), holdout, ranges),
        "champion": None,
        "cold": judge(network, ready(network, None, schema, pool), holdout, ranges),
    }
    if champion is not None:
        below = champion_base or base
        other = network_of(below, pick_mode(below, serve, dtype)) if champion_base else network
        try:
            loaded = ready(other, open_version(other, champion), schema)
            scores["champion"] = judge(other, loaded, holdout, ranges, schema)
        except BrokenAdapter as error:
            notes.append(f"the champion could not be judged: {error}")
    if beside is not None:
        if beside == champion and champion_base is None and scores["champion"]:
            scores["human"] = scores["champion"]
        else:
            try:
                loaded = ready(network, open_version(network, beside), schema)
                scores["human"] = judge(network, loaded, holdout, ranges, schema)
            except BrokenAdapter as error:
                notes.append(f"the human-only version could not be judged: {error}")
    return scores


def judge(
    network: Tree,
    loaded: Loaded,
    holdout: Sequence[Example],
    ranges: Ranges | None = None,
    schema: Schema | None = None,
) -> dict[str, Any]:
    """One contestant's scores, and `right`: each row's marks, in an order all contestants share;
    `labels`: the same of each label of choices and spans that LABELLED rows have at least;
    `by_label`: what becomes of each label, for people; `ece`: what the probabilities of controls
    with one label are worth.

    `schema`: what is judged, where that is more than the contestant's base can answer.
    """
    schema = schema or loaded.schema
    rows = sorted(holdout, key=lambda e: e.id)
    got = answers_of(network, loaded, rows)
    unasked = [e.unasked for e in rows]
    scores = evaluate(schema, [e.answers for e in rows], got, ranges, unasked)
    marks = {
        e.id: right(schema, e.answers, regions, ranges, e.unasked)
        for e, regions in zip(rows, got, strict=True)
    }
    found = {**scores.to_dict(), "right": marks}
    extras = {"labels": _labels(schema, rows, got), "ece": _ece(schema, rows, got)}
    extras["by_label"] = by_label(schema, [e.answers for e in rows], got, unasked)
    return found | {name: extra for name, extra in extras.items() if extra}


def answers_of(network: Tree, loaded: Loaded, rows: Sequence[Example]) -> list[tuple[Region, ...]]:
    """What a contestant answers to each row, in batches as at serving."""
    answers = answering(network)
    return [
        a.regions
        for i in range(0, len(rows), CHUNK)
        for a in answers(loaded, [e.inputs for e in rows[i : i + CHUNK]])
    ]


def _ece(
    schema: Schema, rows: Sequence[Example], got: Sequence[tuple[Region, ...]]
) -> dict[str, dict[str, Any]]:
    """By control of one label what its probabilities are worth."""
    groups = {e.id: e.group for e in rows}
    made: dict[str, dict[str, Any]] = {}
    for c in (c for c in schema.controls if c.form == "one"):
        if found := calibration_error(said_of(schema, c, rows, got), groups):
            made[c.name] = found.to_dict()
    return made


def said_of(
    schema: Schema, control: Control, rows: Sequence[Example], got: Sequence[tuple[Region, ...]]
) -> Said:
    """How sure a control of one label was of each answered row, and whether it was right; no label
    is a wrong answer."""
    said: dict[str, tuple[float, float]] = {}
    for e, regions in zip(rows, got, strict=True):
        mark = right(schema, e.answers, regions).get(control.name)
        if mark is not None:
            own = [r.score or 0.0 for r in regions if r.from_name == control.name]
            said[e.id] = max(own, default=0.0), mark[0]
    return said


def _labels(
    schema: Schema, rows: Sequence[Example], got: Sequence[tuple[Region, ...]]
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """By control, label and row [true, false, missed]."""
    made: dict[str, dict[str, dict[str, list[float]]]] = {}
    for e, regions in zip(rows, got, strict=True):
        for control, labels in right_by_label(schema, e.answers, regions, e.unasked).items():
            for label, counts in labels.items():
                made.setdefault(control, {}).setdefault(label, {})[e.id] = counts
    often = {
        control: {
            label: found
            for label, found in labels.items()
            if sum(true + missed > 0 for true, _, missed in found.values()) >= LABELLED
        }
        for control, labels in made.items()
    }
    return {control: labels for control, labels in often.items() if labels}


def answering(network: Tree) -> Callable[[Loaded, Sequence[Inputs]], list[Answer]]:
    if isinstance(network, Network):
        return partial(answer, network)
    from lora.causal.answer import Answerer, Limits  # here: an encoder's trainer needs none of it
    from lora.causal.network import CausalNetwork

    assert isinstance(network, CausalNetwork)  # nosec B101  # for mypy and the reader
    return Answerer(network, Limits(seconds=JUDGE_S)).answer
