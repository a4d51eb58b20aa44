"""The values that flow through the house, in Label Studio's own words.

Every class here is frozen and checks itself: a Region with reversed offsets or a Schema with two
controls of one name cannot exist. Nothing here knows of models, HTTP or files.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from label_config.controls import InvalidValue, Label

Side = Literal["train", "holdout"]


@dataclass(frozen=True)
class Task:
    """A Label Studio task: its id, its project, its data."""

    id: int
    project: str
    data: Mapping[str, object]


@dataclass(frozen=True)
class Inputs:
    """What a model reads of one task: texts by data key (a dialogue or HTML as its plain text),
    and the labels, by control, that the task itself brings."""

    texts: Mapping[str, str]
    options: Mapping[str, tuple[Label, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """One or more labels for the whole object: Choices, Taxonomy, Rating ("3"), Pairwise ("left"
    or "right")."""

    from_name: str
    to_name: str
    labels: tuple[str, ...]
    score: float | None = None

    def __post_init__(self) -> None:
        if not self.labels:
            raise InvalidValue(
                f"a choice of {self.from_name!r} names no label; leave the region out instead"
            )
        _check_score(self.from_name, self.score)


@dataclass(frozen=True)
class Span:
    """One labelled piece of a text. Offsets are Unicode code points, end exclusive, as in
    Label Studio's editor for <Text>."""

    from_name: str
    to_name: str
    start: int
    end: int
    text: str
    labels: tuple[str, ...]
    score: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise InvalidValue(
                f"a span of {self.from_name!r} has offsets {self.start}:{self.end}; "
                "0 <= start < end is needed"
            )
        if len(self.text) != self.end - self.start:
            raise InvalidValue(
                f"a span of {self.from_name!r} covers {self.end - self.start} code points "
                f"but its text has {len(self.text)}"
            )
        if not self.labels:
            raise InvalidValue(f"a span of {self.from_name!r} names no label")
        _check_score(self.from_name, self.score)


@dataclass(frozen=True)
class Quantity:
    """The answer of a Number control."""

    from_name: str
    to_name: str
    value: float
    score: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InvalidValue(
                f"the number of {self.from_name!r} is {self.value}; it must be finite"
            )
        _check_score(self.from_name, self.score)


@dataclass(frozen=True)
class Written:
    """The answer of a TextArea control: a text, in which several submissions are lines."""

    from_name: str
    to_name: str
    text: str
    score: float | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InvalidValue(f"the text of {self.from_name!r} is empty; leave the region out")
        _check_score(self.from_name, self.score)


Region = Choice | Span | Quantity | Written


def _check_score(name: str, score: float | None) -> None:
    if score is not None and not 0.0 <= score <= 1.0:  # NaN fails both comparisons, as it should
        raise InvalidValue(
            f"a region of {name!r} has score {score}; a probability in [0, 1] is needed"
        )


def answer_key(region: Region) -> tuple[object, ...]:
    """What makes two regions the same answer: everything but score (and order of labels, and how
    the lines of a text end)."""
    if isinstance(region, Quantity):
        return (region.from_name, region.to_name, region.value)
    if isinstance(region, Written):
        lines = region.text.strip().splitlines()
        return (region.from_name, region.to_name, "\n".join(line.rstrip() for line in lines))
    labels = tuple(sorted(region.labels))
    if isinstance(region, Span):
        return (region.from_name, region.to_name, labels, region.start, region.end)
    return (region.from_name, region.to_name, labels)


BLIND = "blind"
"""The reason of a prediction that is withheld: its task is answered without one in view."""


@dataclass(frozen=True)
class Prediction:
    """One task's answer by one model version. `reason` says why it is empty, where it is; `vector`:
    its first text as an encoder sees it, little-endian float16."""

    task: int
    regions: tuple[Region, ...]
    score: float
    model_version: str
    reason: str | None = None
    vector: bytes | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_score(f"task {self.task}", self.score)
        if not self.model_version:
            raise InvalidValue(f"the prediction of task {self.task} has no model version")


@dataclass(frozen=True)
class Annotation:
    """What a human kept. `regions` hold what our schema can read; a cancelled one is a skip."""

    id: int
    task: int
    regions: tuple[Region, ...]
    author: int | None
    created_at: datetime
    updated_at: datetime
    lead_time: float | None = None
    ground_truth: bool = False
    cancelled: bool = False
    parent_prediction: int | None = None


@dataclass(frozen=True)
class Correction:
    """A prediction against the annotation made from it."""

    kept: tuple[Region, ...] = ()
    changed: tuple[tuple[Region, Region], ...] = ()
    added: tuple[Region, ...] = ()
    removed: tuple[Region, ...] = ()

    @property
    def accepted(self) -> bool:
        """True when the human submitted exactly what was shown."""
        return not (self.changed or self.added or self.removed)


@dataclass(frozen=True)
class Origin:
    """Where an example comes from; synthetic ones name their parent and maker. `weight`: what one
    counts in training beside a human row's 1, or a human one that people disagree on;
    `approved_by`: the id in Label Studio of who let a synthetic one in; `shown`: a prediction was
    in view when it was answered; `beside`: the other annotations that it was weighed against."""

    kind: Literal["human", "synthetic"] = "human"
    annotation: int | None = None
    parent: str | None = None
    transform: str | None = None
    generator: str | None = None
    prompt: str | None = None
    seed: int | None = None
    weight: float | None = None
    approved_by: int | None = None
    shown: bool | None = None
    beside: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Example:
    """One row to learn from or to be judged on: texts by data key, the right answer, its origin.

    `unasked`: by control of spans the labels that were not on offer when it was answered, so that
    no mark of them says nothing. `context`: what the expert said of the answer, for generators; no
    model reads it.
    """

    id: str
    task: int
    group: str
    side: Side
    texts: Mapping[str, str]
    answers: tuple[Region, ...]
    origin: Origin = field(default_factory=Origin)
    options: Mapping[str, tuple[Label, ...]] = field(default_factory=dict)
    unasked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    context: tuple[str, ...] = ()

    @property
    def inputs(self) -> Inputs:
        """What a model reads of it."""
        return Inputs(self.texts, self.options)


@dataclass(frozen=True)
class Snapshot:
    """A frozen training set: immutable, named by the hash of its content.

    `pool` holds texts of unlabelled, never blind tasks (for statistics of the data, never as
    labels). The holdout rows are human, answered blind, and share no group with a train row.
    """

    project: str
    config: str
    examples: tuple[Example, ...]
    pool: tuple[Mapping[str, str], ...] = ()

    def __post_init__(self) -> None:
        sides: dict[str, str] = {}
        for e in self.examples:
            if sides.setdefault(e.group, e.side) != e.side:
                raise InvalidValue(
                    f"group {e.group} of snapshot for project {self.project} is on both sides"
                )
            if e.side == "holdout" and e.origin.kind != "human":
                raise InvalidValue(
                    f"example {e.id} is synthetic but on the holdout; only human rows judge"
                )

    @property
    def train(self) -> tuple[Example, ...]:
        return tuple(e for e in self.examples if e.side == "train")

    @property
    def holdout(self) -> tuple[Example, ...]:
        return tuple(e for e in self.examples if e.side == "holdout")

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 of the canonical JSON form; two equal training sets share it."""
        from label_config.snapshot_json import snapshot_to_json

        return hashlib.sha256(snapshot_to_json(self).encode("utf-8", "surrogatepass")).hexdigest()
