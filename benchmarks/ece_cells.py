"""One cell of `ece.py`: fit, calibrate as a training does, ask by the serving code, and compare."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.data import Split, as_examples, draw, load_split
from label_config.controls import Schema
from label_config.values import Example
from lora.base import Base
from lora.ece import calibration_error, luck
from lora.fit import Fitted, fit, write_adapter
from lora.judge import answers_of, said_of
from lora.loaded import open_folder, ready
from lora.network import Network
from lora.outfold import cooled, fold_models
from settings import Train

CONTROL = "label"


@dataclass(frozen=True)
class Rows:
    """What all cells of a set and seed share. `fitted` is not calibrated."""

    name: str
    seed: int
    schema: Schema
    train: Sequence[Example]
    pool: Sequence[Mapping[str, str]]
    asked: Sequence[Example]
    fitted: Fitted

    @classmethod
    def of(
        cls, base: Base, name: str, tests: Sequence[str], seed: int, answers: int, asked: int
    ) -> Rows:
        return cls.from_split(base, load_split(name, tests=tests), seed, answers, asked)

    @classmethod
    def from_split(cls, base: Base, split: Split, seed: int, answers: int, asked: int) -> Rows:
        """The test rows asked are the same for all seeds."""
        taken, pool = draw(split, answers, seed)
        train = as_examples(taken, "train")
        test = list(split.test)
        random.Random(f"{split.name}:asked").shuffle(test)
        holdout = as_examples(test[:asked], "holdout")
        made = fit(base, split.schema, train, pool, Train(seed=seed))
        return cls(split.name, seed, split.schema, train, pool, holdout, made)


def measure(base: Base, rows: Rows, folds: int) -> dict[str, Any]:
    """The error with its interval, what of it luck alone leaves, accuracy and temperature."""
    settings = Train(seed=rows.seed, folds=folds)
    fitted, warmth = rows.fitted, dict[str, float]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "served"
        folder.mkdir()
        if folds:
            given = base, rows.schema, rows.train, rows.pool, settings, folder
            with fold_models(*given) as models:
                fitted, warmth = cooled(base, rows.schema, fitted, models)
        write_adapter(folder, fitted)
        network = Network(base)
        loaded = ready(network, open_folder(base, folder, "ece", rows.schema.digest), rows.schema)
        got = answers_of(network, loaded, rows.asked)
    control = rows.schema.control(CONTROL)
    assert control is not None
    said = said_of(rows.schema, control, rows.asked, got)
    error = calibration_error(said, {e.id: e.group for e in rows.asked})
    assert error is not None, f"{rows.name} has rows"
    return {
        "ece": round(error.value, 4),
        "low": round(error.low, 4),
        "high": round(error.high, 4),
        "luck": {k: round(v, 4) for k, v in luck(said).items()},
        "n": error.n,
        "accuracy": round(sum(right for _, right in said.values()) / error.n, 4),
        "sure": round(sum(chance for chance, _ in said.values()) / error.n, 4),
        "temperature": round(warmth.get(CONTROL, 1.0), 3),
    }
