"""Which rows may be measured, shown to a generator, or have children."""

from __future__ import annotations

from collections.abc import Iterable

from label_config.controls import InvalidValue
from label_config.values import Choice, Example, Region, Span


def originals(examples: Iterable[Example]) -> tuple[Example, ...]:
    """The human ones. Raises InvalidValue at a row of the holdout: it has no business here."""
    kept = []
    for e in examples:
        if e.side != "train":
            raise InvalidValue(
                f"example {e.id} is on the {e.side} side; profiles, prompts and plans are made of "
                "train rows alone: pass snapshot.train"
            )
        if e.origin.kind == "human":
            kept.append(e)
    return tuple(kept)


def labels_of(regions: Iterable[Region]) -> tuple[tuple[str, str], ...]:
    """The (control, label) pairs that answers name, each once, in their order."""
    named = (r for r in regions if isinstance(r, Choice | Span))
    return tuple(dict.fromkeys((r.from_name, label) for r in named for label in r.labels))
