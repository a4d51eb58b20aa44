"""The benchmark of planted errors plants as many as it says, and counts what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import planted
from benchmarks.data import Split, as_examples
from lora.base import Base, as_base
from lora.crossfit import Embedder
from lora.recipe import Source
from tests.lora.made import tiny_model, tiny_tokenizer

WORDS = {"play": "play the song {}", "paint": "paint it red {}", "buy": "buy my boat {}"}


@pytest.fixture(scope="module")
def tiny() -> Base:
    tokenizer = tiny_tokenizer()
    source = Source("tiny", "annotune/tiny", Path("nowhere"))
    return as_base(source, "0" * 64, tokenizer, tiny_model(len(tokenizer)))


@pytest.fixture(scope="module")
def split() -> Split:
    rows = [
        {"text": text.format("a b c d e f g".split()[n % 7] * (1 + n // 7)), "label": label}
        for n in range(24)
        for label, text in WORDS.items()
    ]
    return Split("own", tuple(rows), (), 0, tuple(sorted(WORDS)), ())


@pytest.mark.parametrize("kind", planted.KINDS)
def test_a_tenth_gets_another_label(tiny: Base, split: Split, kind: str) -> None:
    examples = as_examples(split.train, "train")
    made = planted.plant(Embedder(tiny), split, examples, kind, seed=1)
    changed = [(a, b) for a, b in zip(examples, made, strict=True) if a.answers != b.answers]
    assert len(changed) == round(len(examples) / 10)
    assert all(planted.label_of(a) != planted.label_of(b) for a, b in changed)
    assert made == planted.plant(Embedder(tiny), split, examples, kind, seed=1)


def test_planted_errors_are_found_before_others(tiny: Base, split: Split) -> None:
    cell = planted.run(Embedder(tiny), split, "any", 0, rows=72)
    assert (cell["rows"], cell["planted"]) == (72, 7) and set(cell["found"]) == set(planted.ORDERS)
    assert cell["found"]["ours"] >= 0.8 > cell["found"]["random"]


def test_the_table_has_the_mean_and_the_worst() -> None:
    def cell(seed: int, ours: float) -> dict[str, Any]:
        found = {**dict.fromkeys(planted.ORDERS, 0.5), "ours": ours}
        return {"set": "snips", "kind": "any", "seed": seed, "rows": 1000, "found": found}

    (line,) = planted.summarise([cell(0, 0.9), cell(1, 0.8)])
    assert (line["ours"], line["least"], line["seeds"]) == (pytest.approx(0.85), 0.8, 2)
    assert "| **0.850** (0.800) |" in planted.as_table([line])
