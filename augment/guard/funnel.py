"""What became of the candidates: how many each filter met and refused, with a few of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from augment.guard.values import Thresholds, family
from augment.values import Made, Refused

SAMPLES = 3  # shown of each kind
SHOWN = 500  # code points shown of a text


@dataclass(frozen=True)
class Sample:
    """A candidate as people see it; `why`: what the filter measured, "" of one that is kept."""

    key: str
    parent: str
    transform: str
    texts: Mapping[str, str]
    why: str = ""


@dataclass(frozen=True)
class Step:
    """One filter: how many came to it, how many it refused, some of these. `state`: "on", "off"
    where it was switched off, or what it would have needed."""

    name: str
    came: int
    refused: int
    state: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Funnel:
    """The way through the filters, in their order. `by_transform`: kind of transform -> how many
    were made, kept, and refused by which filter."""

    made: int
    steps: tuple[Step, ...]
    kept: int
    experts_first: int
    samples: tuple[Sample, ...]
    by_transform: Mapping[str, Mapping[str, int]]
    thresholds: Thresholds

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it; equal funnels give equal bytes."""
        return {
            **asdict(self),
            "steps": [{**asdict(s), "samples": [_shown(x) for x in s.samples]} for s in self.steps],
            "samples": [_shown(s) for s in self.samples],
            "by_transform": {k: dict(v) for k, v in sorted(self.by_transform.items())},
            "thresholds": self.thresholds.to_dict(),
        }


def _shown(sample: Sample) -> dict[str, Any]:
    return {**asdict(sample), "texts": dict(sorted(sample.texts.items()))}


def sample_of(made: Made, why: str = "") -> Sample:
    """A candidate to show."""
    texts = {key: text[:SHOWN] for key, text in made.texts.items()}
    return Sample(made.key, made.parent, made.transform, texts, why)


def counted(
    made: Sequence[Made], kept: Sequence[Made], refused: Sequence[Refused]
) -> dict[str, dict[str, int]]:
    """By kind of transform: made, kept, refused by each filter that refused some."""
    counts: dict[str, Counter[str]] = {}
    for name, children in (("made", made), ("kept", kept)):
        for m in children:
            counts.setdefault(family(m.transform), Counter(made=0, kept=0))[name] += 1
    for r in refused:
        counts[family(r.made.transform)][r.by] += 1
    return {name: dict(sorted(count.items())) for name, count in counts.items()}
