"""The rows a run is made of: who is in the pool, what the right answers are, what the config asks.

A folder holds `train` and `test` as .jsonl or .jsonl.gz; a row is {"text", "label", "spans"} with
code-point offsets, `label` or `spans` may be absent.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync.start.label_config import write_config

POOL = 2000


class InvalidRows(ValueError):
    """A data folder cannot be used; the message names the file, what came and what would do."""


@dataclass(frozen=True)
class Gold:
    """One labelled piece of a text; code points, end exclusive."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Row:
    """A text with its right answer: one label (or None where rows have none) and its spans."""

    text: str
    label: str | None
    spans: tuple[Gold, ...]


@dataclass(frozen=True)
class Data:
    """What a run uses: the pool in its order of import, the test rows, the labelling config."""

    pool: tuple[Row, ...]
    test: tuple[Row, ...]
    config: str
    dropped: int

    @property
    def has_label(self) -> bool:
        return any(row.label is not None for row in self.test)

    @property
    def has_spans(self) -> bool:
        return any(row.spans for row in self.test)

    @property
    def gold(self) -> dict[str, Row]:
        """The right answer by text; the first row of a repeated text counts."""
        return {row.text: row for row in reversed(self.pool)}


def load_data(folder: Path, seed: int, pool: int = POOL) -> Data:
    """The pool (seeded train rows less those whose text is in the test file), test and config."""
    train, test = read_rows(folder, "train"), read_rows(folder, "test")
    drawn = random.Random(seed).sample(train, min(pool, len(train)))  # nosec B311  # drawn again from a seed
    tested = {normal(row.text) for row in test}
    kept = tuple(row for row in drawn if normal(row.text) not in tested)
    return Data(kept, tuple(test), config_of(train), len(drawn) - len(kept))


def read_rows(folder: Path, name: str) -> list[Row]:
    """The rows of `name`.jsonl, else `name`.jsonl.gz; raises InvalidRows."""
    plain, packed = folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"
    path = plain if plain.exists() else packed
    try:
        raw = path.read_bytes() if path == plain else gzip.decompress(path.read_bytes())
    except OSError as error:
        raise InvalidRows(f"{plain} (or .gz) cannot be read: {error.strerror or error}") from error
    lines = raw.decode("utf-8").split("\n")
    rows = [_row(path, n, json.loads(line)) for n, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise InvalidRows(f"{path} holds no rows")
    return rows


def _row(path: Path, line: int, raw: Any) -> Row:
    try:
        spans = tuple(Gold(s["start"], s["end"], s["label"]) for s in raw.get("spans") or ())
        row = Row(raw["text"], raw.get("label"), spans)
    except (AttributeError, KeyError, TypeError) as error:
        raise InvalidRows(f'{path}:{line} is no {{"text", "label", "spans"}} row') from error
    bad = [s for s in spans if not 0 <= s.start < s.end <= len(row.text)]
    if bad:
        raise InvalidRows(f"{path}:{line} has a span outside its text of {len(row.text)}: {bad[0]}")
    return row


def normal(text: str) -> str:
    """Lower case, single spaces: what counts as the same text."""
    return " ".join(text.lower().split())


def config_of(rows: Sequence[Row]) -> str:
    """The labelling config, made from the label strings alone."""
    labels = sorted({row.label for row in rows if row.label is not None})
    kinds = sorted({span.label for row in rows for span in row.spans})
    return write_config(labels, kinds)


def tasks(rows: Iterable[Row]) -> list[dict[str, dict[str, str]]]:
    """The rows as tasks to import: the text and nothing of the answer."""
    return [{"data": {"text": row.text}} for row in rows]
