"""Candidate, champion and cold start on the same holdout, in the same run, by the serving code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from label_config.values import Example, Schema
from lora.answer import answer
from lora.base import Base
from lora.errors import BrokenAdapter
from lora.evaluate import evaluate, right
from lora.loaded import Loaded, load_cold, load_version, open_folder, ready
from lora.network import Network

CHUNK = 16  # rows of one batch, as at serving


def judge_all(
    base: Base,
    schema: Schema,
    holdout: Sequence[Example],
    *,
    candidate: Path,
    champion: Path | None,
    notes: list[str],
) -> dict[str, Any]:
    """Scores of all three by name; a champion that cannot be loaded is None, and noted.

    The candidate is read back from its files, so what is judged is what would serve.
    """
    network = Network(base)
    opened = open_folder(base, candidate, "candidate", schema.digest)
    scores: dict[str, Any] = {
        "candidate": judge(network, ready(base, opened, schema), holdout),
        "champion": None,
        "cold": judge(network, load_cold(base, schema), holdout),
    }
    if champion is not None:
        try:
            scores["champion"] = judge(network, load_version(base, champion, schema), holdout)
        except BrokenAdapter as error:
            notes.append(f"the champion could not be judged: {error}")
    return scores


def judge(network: Network, loaded: Loaded, holdout: Sequence[Example]) -> dict[str, Any]:
    """One contestant's scores, and `right`: each row's marks, in an order all contestants share."""
    rows = sorted(holdout, key=lambda e: e.id)
    got = [
        a.regions
        for i in range(0, len(rows), CHUNK)
        for a in answer(network, loaded, [e.texts for e in rows[i : i + CHUNK]])
    ]
    scores = evaluate(loaded.schema, [e.answers for e in rows], got)
    marks = {
        e.id: right(loaded.schema, e.answers, regions) for e, regions in zip(rows, got, strict=True)
    }
    return {**scores.to_dict(), "right": marks}
