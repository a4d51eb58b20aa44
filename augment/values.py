"""What flows through this room: candidates, refusals, and the functions that models come in as."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from label_config.controls import InvalidValue
from label_config.snapshot_json import region_to_dict
from label_config.values import Example, Inputs, Origin, Region

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    """A candidate: one example made of another. `parent`: that one's id; `generator` and `prompt`
    (its digest) where a model wrote it."""

    parent: str
    texts: Mapping[str, str]
    answers: tuple[Region, ...]
    transform: str
    generator: str | None = None
    prompt: str | None = None
    seed: int = 0

    @property
    def key(self) -> str:
        """16 hex digits of what it says; two candidates that say the same share it."""
        said = [self.parent, dict(self.texts), [region_to_dict(r) for r in self.answers]]
        raw = json.dumps(said, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def as_example(self, parent: Example, weight: float) -> Example:
        """The training row, in its parent's group, that counts `weight`.

        Raises InvalidValue where that is not it, is not human (children have none), or judges.
        """
        if parent.id != self.parent or parent.origin.kind != "human" or parent.side != "train":
            raise InvalidValue(
                f"a child of {self.parent} cannot come from {parent.origin.kind} example "
                f"{parent.id} on the {parent.side} side; only human train rows have children"
            )
        return Example(
            id=f"synthetic-{self.key}",
            task=parent.task,
            group=parent.group,
            side="train",
            texts=self.texts,
            answers=self.answers,
            origin=Origin(
                kind="synthetic",
                annotation=parent.origin.annotation,
                parent=parent.id,
                transform=self.transform,
                generator=self.generator,
                prompt=self.prompt,
                seed=self.seed,
                weight=weight,
            ),
            options=parent.options,
            unasked=parent.unasked,
        )


@dataclass(frozen=True)
class Refused:
    """A candidate that a filter turned down. `by`: the filter's name; `why`: what it measured."""

    made: Made
    by: str
    why: str


@dataclass(frozen=True)
class Prompt:
    """What a generator is asked. `parent`: whose child it is for; `stop`: ends the answer."""

    parent: str
    text: str
    seed: int
    stop: tuple[str, ...] = ("\n",)
    most_tokens: int = 64

    @property
    def digest(self) -> str:
        """16 hex digits of all of it: the key under which an answer is kept."""
        raw = json.dumps([self.text, self.seed, self.stop, self.most_tokens], ensure_ascii=False)
        return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Embed(Protocol):
    """Texts as unit vectors, [texts, dimensions]."""

    def __call__(self, texts: Sequence[str], /) -> Vectors: ...


class Generate(Protocol):
    """Answers in the order of the prompts; None where it failed. Keeping them is its business."""

    def __call__(self, prompts: Sequence[Prompt], /) -> Iterator[str | None]: ...


class Classify(Protocol):
    """Probabilities by control and label value, of controls that are one choice."""

    def __call__(
        self, rows: Sequence[Inputs], /
    ) -> Sequence[Mapping[str, Mapping[str, float]]]: ...
