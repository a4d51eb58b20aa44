"""Public data sets as examples, from the folder beside the project; none of it is kept here.

ANNOTUNE_SHARED names the folder that holds `data/` (default: ../shared beside the checkout).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from benchmarks.report import SHARED
from label_config.controls import Schema
from label_config.schema import read_schema
from label_config.values import Choice, Example, Region, Side, Span


@dataclass(frozen=True)
class Split:
    """Rows to draw from, rows to judge on, and how many train rows were dropped as test rows."""

    name: str
    train: tuple[Mapping[str, Any], ...]
    test: tuple[Mapping[str, Any], ...]
    dropped: int
    labels: tuple[str, ...]
    spans: tuple[str, ...]

    @property
    def schema(self) -> Schema:
        """One Choices control `label` and, where rows have spans, one Labels control `spans`."""
        return read_schema(config(self.labels, self.spans))


def shared() -> Path:
    """The folder with the data; SystemExit with a clear word where there is none."""
    found = SHARED / "data"
    if not found.is_dir():
        raise SystemExit(f"no data sets at {found}; set ANNOTUNE_SHARED to the folder with data/")
    return found


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of X.jsonl, or of X.jsonl.gz where that is what there is."""
    if path.exists():
        text = path.read_text(encoding="utf-8")
    else:
        with gzip.open(f"{path}.gz", "rt", encoding="utf-8") as handle:
            text = handle.read()
    return [json.loads(line) for line in text.splitlines() if line.strip()]


@cache
def digest_of_files(name: str, files: tuple[str, ...]) -> str:
    """Eight hex digits that change with any of a set's files; read once a process."""
    found = hashlib.sha256()
    for file in files:
        plain = shared() / name / f"{file}.jsonl"
        raw = (plain if plain.exists() else Path(f"{plain}.gz")).read_bytes()
        found.update(hashlib.sha256(raw).digest())
    return found.hexdigest()[:8]


def data_digest(name: str) -> str:
    """The same of a set's train and test rows."""
    return digest_of_files(name, ("train", "test"))


def load_split(name: str, train: str = "train", tests: Sequence[str] = ("test",)) -> Split:
    """A data set, its train rows without those whose normalised text is a test row's."""
    folder = shared() / name
    judged = [row for test in tests for row in read_rows(folder / f"{test}.jsonl")]
    seen = {_norm(r["text"]) for r in judged}
    every = read_rows(folder / f"{train}.jsonl")
    kept = [r for r in every if _norm(r["text"]) not in seen]
    labels = sorted({r["label"] for r in [*every, *judged] if "label" in r})
    spans = sorted({s["label"] for r in [*every, *judged] for s in r.get("spans", ())})
    return Split(
        name, tuple(kept), tuple(judged), len(every) - len(kept), tuple(labels), tuple(spans)
    )


def draw(split: Split, n: int, seed: int) -> tuple[list[Mapping[str, Any]], list[dict[str, str]]]:
    """`n` random train rows (all of them for n = 0), and up to 1,500 other texts as the pool."""
    rows = list(split.train)
    random.Random(seed).shuffle(rows)
    taken = rows[: n or len(rows)]
    return taken, [{"text": r["text"]} for r in rows[len(taken) : len(taken) + 1500]]


def config(labels: Sequence[str], spans: Sequence[str] = ()) -> str:
    """A labelling XML for one text."""
    inside = ['<Text name="text" value="$text"/>']
    if labels:
        inside.append(_control("Choices", "Choice", "label", labels))
    if spans:
        inside.append(_control("Labels", "Label", "spans", spans))
    return f"<View>{''.join(inside)}</View>"


def _control(tag: str, child: str, name: str, labels: Sequence[str]) -> str:
    inside = "".join(f"<{child} value={quoteattr(label)}/>" for label in labels)
    return f'<{tag} name="{name}" toName="text">{inside}</{tag}>'


def as_examples(rows: Iterable[Mapping[str, Any]], side: Side) -> list[Example]:
    """Rows as examples, each a group of its own."""
    return [_example(i, row, side) for i, row in enumerate(rows)]


def _example(i: int, row: Mapping[str, Any], side: Side) -> Example:
    text = row["text"]
    answers: list[Region] = []
    if "label" in row:
        answers.append(Choice("label", "text", (row["label"],)))
    for s in row.get("spans", ()):
        a, b = s["start"], s["end"]
        answers.append(Span("spans", "text", a, b, text[a:b], (s["label"],)))
    name = f"{side}-{i:06}"
    return Example(name, i, name, side, {"text": text}, tuple(answers))


def _norm(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
