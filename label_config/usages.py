"""maxUsages: how often a label may be used in one task, and answers cut to that.

Label Studio has it on span controls and on their <Label>s (how many spans of a label), and on a
Taxonomy (how many of its paths): https://labelstud.io/tags/labels. Its editor stops people there;
an answer that went beyond would be one that nobody could have given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from label_config.controls import Control, Schema
from label_config.values import Choice, Region, Span


def read_most(attr: Mapping[str, str]) -> int | None:
    """The cap in a tag's attributes; None where there is none, or it is no whole number above 0
    (the editor then sets no cap either)."""
    text = attr.get("maxusages", "").strip()
    return int(text) if text.isdecimal() and len(text) < 10 and int(text) > 0 else None


def within_usages(schema: Schema, regions: Sequence[Region]) -> tuple[Region, ...]:
    """The regions less those beyond a cap, in their order: of spans the surest stay (of equally
    sure ones the first), of several choices the first."""
    capped = {c.name: c for c in schema.controls if has_cap(c)}
    if not capped:
        return tuple(regions)
    spans = [(i, r) for i, r in enumerate(regions) if isinstance(r, Span)]
    spans.sort(key=lambda item: (-(item[1].score or 0.0), item[0]))
    used: Counter[tuple[str, str]] = Counter()
    kept: dict[int, Region] = {}
    for i, span in spans:
        if labels := _still_free(capped.get(span.from_name), span, used):
            kept[i] = replace(span, labels=labels)
    for i, region in enumerate(regions):
        control = capped.get(region.from_name)
        if isinstance(region, Choice) and control is not None:
            kept[i] = replace(region, labels=region.labels[: control.most])
        elif not isinstance(region, Span):
            kept[i] = region
    return tuple(kept[i] for i in sorted(kept))


def has_cap(control: Control) -> bool:
    return control.most is not None or any(label.most is not None for label in control.labels)


def _still_free(
    control: Control | None, span: Span, used: Counter[tuple[str, str]]
) -> tuple[str, ...]:
    """The span's labels that may be used once more; they are then counted."""
    if control is None:
        return span.labels
    caps = {label.value: label.most or control.most for label in control.labels}
    free: list[str] = []
    for value in span.labels:
        cap = caps.get(value)
        if cap is None or used[span.from_name, value] < cap:
            used[span.from_name, value] += 1
            free.append(value)
    return tuple(free)
