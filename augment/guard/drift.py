"""Drift: a child stays among the project's texts, and near those that carry its label.

The band's upper edge is the near-duplicates' cosine (near.py); its lower edge is here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augment.guard.values import Context, Thresholds
from augment.guard.vectors import cosines, row_vectors, unit
from augment.values import Made, Vectors
from label_config.controls import Schema
from label_config.values import Choice, Region

Class = tuple[str, str]


def drift(made: Sequence[Made], context: Context, thresholds: Thresholds) -> list[str | None]:
    """Why a child lies further from the originals, or from its label's, than they do."""
    if context.embed is None or not made:
        return [None] * len(made)
    own = row_vectors(context.embed, [m.texts for m in made])
    people = row_vectors(context.embed, [e.texts for e in context.originals])
    near = np.concatenate([block.max(axis=1) for _, block in cosines(own, people)])
    sums = class_sums(people, [classes(context.schema, e.answers) for e in context.originals])
    out: list[str | None] = []
    for i, m in enumerate(made):
        close = closest(own[i], classes(context.schema, m.answers), sums)
        if thresholds.nearest is not None and near[i] < thresholds.nearest:
            low = f"{thresholds.nearest:.3f} is the least"
            out.append(f"its cosine to the nearest original is {near[i]:.3f}; {low}")
        elif thresholds.centroid is not None and close < thresholds.centroid:
            low = f"{thresholds.centroid:.3f} is the least"
            out.append(f"its cosine to its label's originals is {close:.3f}; {low}")
        else:
            out.append(None)
    return out


def classes(schema: Schema, answers: Sequence[Region]) -> list[list[Class]]:
    """The labels an example carries, by control; only of controls that are about what it says as
    a whole (one label, or many), not of scales and pairs."""
    return [
        [(r.from_name, value) for value in r.labels]
        for r in answers
        if isinstance(r, Choice)
        and (control := schema.control(r.from_name)) is not None
        and control.form in {"one", "many"}
    ]


def class_sums(vectors: Vectors, labels: Sequence[list[list[Class]]]) -> dict[Class, Vectors]:
    """By label the sum of its rows' vectors."""
    sums: dict[Class, Vectors] = {}
    for vector, row in zip(vectors, labels, strict=True):
        for name in (c for control in row for c in control):
            sums[name] = sums[name] + vector if name in sums else vector.copy()
    return sums


def closest(
    vector: Vectors, labels: list[list[Class]], sums: dict[Class, Vectors], itself: bool = False
) -> float:
    """Its cosine to the mean of its label's rows: of the control where it is least, for the label
    where it is most; 1 where no row carries one. `itself`: its vector is in the sums, and is
    taken out."""
    out = 1.0
    for control in labels:
        known = [sums[c] - vector if itself else sums[c] for c in control if c in sums]
        means = unit(np.stack(known)) if known else np.zeros((0, len(vector)), np.float32)
        means = means[np.linalg.norm(means, axis=1) > 0.5]
        if len(means):
            out = min(out, float((means @ vector).max()))
    return out
