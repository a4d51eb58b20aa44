"""The profile of a project: style, labels, surface forms and confusions, as one JSON-able value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from augment.profile.confusion import (
    Confusion,
    OutOfFold,
    accuracy,
    check_known,
    confusions,
    lower_bound,
)
from augment.profile.rows import labels_of, originals
from augment.profile.style import Style, style_of
from label_config.controls import Schema
from label_config.values import Example, Span

VERSION = 1
"""Of what is measured and how: it goes into every prompt's digest."""


@dataclass(frozen=True)
class Profile:
    """What the training data of a project looks like.

    `styles`: by data key; `labels`: by control how many rows name each label, those of the config
    that none names included; `forms`: by control and label the texts that spans marked, most
    frequent first. `right` of `predicted` rows were read rightly out of fold.
    """

    rows: int
    style: Style
    styles: Mapping[str, Style] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    forms: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    confusions: tuple[Confusion, ...] = ()
    right: int = 0
    predicted: int = 0
    version: int = VERSION

    @property
    def accuracy(self) -> float | None:
        """Share of train rows read rightly out of fold; None: nothing was predicted."""
        return self.right / self.predicted if self.predicted else None

    @property
    def lower(self) -> float | None:
        """Its lower bound, one-sided 95 %."""
        return lower_bound(self.right, self.predicted) if self.predicted else None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: dicts, lists, strings and numbers."""
        return asdict(self)


def profile(
    examples: Sequence[Example],
    schema: Schema,
    out_of_fold: OutOfFold | None = None,
    pool: Sequence[Mapping[str, str]] = (),
) -> Profile:
    """Measures human train rows; raises InvalidValue at a holdout row.

    `pool`: the snapshot's unlabelled texts. They count for style, where fifty rows say little about
    spelling; labels, forms and confusions come from people's answers alone.
    """
    rows, predictions = originals(examples), out_of_fold or {}
    check_known(rows, predictions)
    texts = {
        key: [t[key] for t in (*(e.texts for e in rows), *pool) if key in t] for key in schema.keys
    }
    right, predicted = accuracy(rows, schema, predictions)
    return Profile(
        rows=len(rows),
        style=style_of(t for told in texts.values() for t in told),
        styles={key: style_of(told) for key, told in texts.items()},
        labels=_labels(rows, schema),
        forms=_forms(rows),
        confusions=confusions(rows, schema, predictions),
        right=right,
        predicted=predicted,
    )


def _labels(rows: Sequence[Example], schema: Schema) -> dict[str, dict[str, int]]:
    counts = {
        c.name: dict.fromkeys(c.values, 0)
        for c in schema.controls
        if c.values or c.options is not None
    }
    for e in rows:
        for control, label in labels_of(e.answers):
            if control in counts:
                counts[control][label] = counts[control].get(label, 0) + 1
    return counts


def _forms(rows: Sequence[Example]) -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, Counter[str]]] = {}
    for span in (r for e in rows for r in e.answers if isinstance(r, Span)):
        for label in span.labels:
            found.setdefault(span.from_name, {}).setdefault(label, Counter())[span.text] += 1
    return {
        control: {
            label: tuple(sorted(counts, key=lambda f: (-counts[f], f)))
            for label, counts in by_label.items()
        }
        for control, by_label in found.items()
    }
