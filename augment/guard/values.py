"""What the guard knows (Context), where its bars stand (Thresholds), and who judges (Judges)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Protocol

from augment.guard.habits import Openings, span_habits
from augment.guard.letters import Letters
from augment.guard.phrases import residue_in
from augment.values import Classify, Embed
from label_config.controls import InvalidValue, Schema
from label_config.values import Example, Inputs, Span

LIGHT = frozenset({"noise", "substitute"})
"""Transforms that change a few letters or names and are near their parent by design."""
RESTATING = LIGHT | {"rewrite", "inputs"}
"""Transforms that say again what the parent says, with its answers."""
LOOSEST_JACCARD, LOOSEST_COSINE = 0.8, 0.99
"""The leak filter's bars may be fitted stricter, never looser: from 0.8 on two tasks are one
group (sync/groups.py)."""


def family(transform: str) -> str:
    """The kind of a transform: the first word of its name ("noise" of "noise-typo")."""
    return re.split(r"[^a-z]", transform.strip().lower(), maxsplit=1)[0]


class Surprise(Protocol):
    """How unlikely each text is, in nats per piece of it; higher is stranger."""

    def __call__(self, texts: Sequence[str]) -> Sequence[float]: ...


class Mark(Protocol):
    """The spans that a model finds in each row."""

    def __call__(self, rows: Sequence[Inputs]) -> Sequence[tuple[Span, ...]]: ...


@dataclass(frozen=True)
class Judges:
    """Models that have not seen the source. `fold`: original's id -> its fold; `classify[i]` and
    `mark[i]` were fitted without fold i, best with the label names as further points: a label that
    a judge does not know it does not judge."""

    fold: Mapping[str, int]
    classify: Sequence[Classify] = ()
    mark: Sequence[Mark] = ()

    def __post_init__(self) -> None:
        for name, models in (("classify", self.classify), ("mark", self.mark)):
            bad = sorted({f for f in self.fold.values() if not 0 <= f < len(models)})
            if models and bad:
                raise InvalidValue(
                    f"fold(s) {bad} have no judge: `{name}` holds {len(models)}, one per fold"
                )

    def fold_of(self, original: str) -> int:
        """The original's fold; raises InvalidValue where it has none, as every judge may then
        have seen it."""
        if original not in self.fold:
            raise InvalidValue(
                f"example {original} is in no fold, so every judge may have seen it; give it one"
            )
        return self.fold[original]


@dataclass(frozen=True)
class Context:
    """What candidates are held against.

    `originals`: the human train rows; `holdout`: texts of the holdout rows, for the leak filter
    alone; `pool`: texts of unlabelled, never blind tasks. Without `surprise` a model of the
    project's own letters is used; without `embed` or `judges` what needs them is not done, and
    the funnel says so.
    """

    schema: Schema
    originals: tuple[Example, ...]
    holdout: tuple[Mapping[str, str], ...]
    pool: tuple[Mapping[str, str], ...] = ()
    surprise: Surprise | None = None
    embed: Embed | None = None
    judges: Judges | None = None

    def __post_init__(self) -> None:
        for e in self.originals:
            if e.origin.kind != "human" or e.side != "train":
                raise InvalidValue(
                    f"example {e.id} is {e.origin.kind} on the {e.side} side; the guard's "
                    "originals are human train rows"
                )
        if len(self.parents) < len(self.originals):
            raise InvalidValue("two of the guard's originals share an id; give each its own")
        folds: dict[str, int] = {}
        for e in self.originals if self.judges else ():
            fold = self.judges.fold.get(e.id) if self.judges else None
            if fold is not None and folds.setdefault(e.group, fold) != fold:
                raise InvalidValue(
                    f"group {e.group} is in folds {folds[e.group]} and {fold}; a judge would see "
                    "the near-duplicates of what it judges"
                )

    @cached_property
    def parents(self) -> Mapping[str, Example]:
        """The originals by id."""
        return {e.id: e for e in self.originals}

    @cached_property
    def own_texts(self) -> tuple[str, ...]:
        """Every distinct text of the project that may be looked at: originals, then pool."""
        rows = (*(e.texts for e in self.originals), *self.pool)
        return tuple(dict.fromkeys(t for row in rows for _, t in sorted(row.items()) if t.strip()))

    @cached_property
    def openings(self) -> Openings:
        """How the project's own texts begin."""
        return Openings.of(self.own_texts)

    @cached_property
    def residue(self) -> frozenset[int]:
        """What would be a prompt's residue elsewhere and is normal here ("[NAME]")."""
        return residue_in(self.own_texts)

    @cached_property
    def letters(self) -> Letters:
        """A model of the project's letters."""
        return Letters(self.own_texts)

    @cached_property
    def span_habits(self) -> Mapping[str, int]:
        """What people do with spans here."""
        return span_habits(self.schema, self.originals)


@dataclass(frozen=True)
class Thresholds:
    """Where the bars stand; `fit_thresholds` sets them on the project's own rows.

    The values here are those it falls back to below 20 rows. None, or infinity: no bar.
    """

    lengths: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By data key the fewest and most code points."""
    surprise: float | None = None
    """The highest surprise."""
    repeats: float = 0.5
    """The highest share of 5-letter pieces that were there before in the same text."""
    jaccard: float = 0.7
    """From this Jaccard similarity of 5-letter pieces on, two texts are near-duplicates."""
    cosine: float = 0.97
    """From this cosine on, two rows are near-duplicates: the upper edge of the drift band."""
    leak_jaccard: float = 0.7
    leak_cosine: float = 0.95
    """The same two, against the holdout."""
    nearest: float | None = None
    """The least cosine to the nearest original: the lower edge of the drift band."""
    centroid: float | None = None
    """The least cosine to the mean of the originals that carry the same label."""
    agreement: float = 0.5
    """The least probability of the claimed label, as a share of the likeliest one's."""
    marked: float = 0.0
    """The least F1 of a child's spans against those that an unseeing model finds."""
    rows: int = 0
    """How many originals they were fitted on."""

    def __post_init__(self) -> None:
        for name in ("repeats", "jaccard", "cosine", "agreement", "marked"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidValue(f"threshold {name} is {getattr(self, name)}; 0 to 1 is needed")
        for name in ("surprise", "nearest", "centroid"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise InvalidValue(f"threshold {name} is {value}; a number or None is needed")
        loosest = (("leak_jaccard", LOOSEST_JACCARD), ("leak_cosine", LOOSEST_COSINE))
        for name, most in loosest:
            if not 0.0 < getattr(self, name) <= most:
                raise InvalidValue(
                    f"threshold {name} is {getattr(self, name)}; above 0 and at most {most} is "
                    "needed, as the leak filter cannot be loosened"
                )

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**asdict(self), "lengths": {k: list(v) for k, v in sorted(self.lengths.items())}}
