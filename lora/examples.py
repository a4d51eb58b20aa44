"""Examples become what a fit can read: windows of pieces, and a goal for each control.

Every window of a long text is a training row of its own: it keeps the text's answers and the spans
that lie in it. A pair's row holds the first window of both texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from label_config.conditions import hidden_controls
from label_config.controls import Control, Label, Schema
from label_config.values import Choice, Example, Quantity
from lora.base import Base
from lora.forms.form import Goal
from lora.forms.spans import Mark, in_window, marks_of
from lora.windows import Pieces, Window, cut, read_pieces

TRAIN_WINDOW = 128  # pieces, special ones included; half a window at serving, a third of its time
PER_TEXT = 4  # windows of one text that are trained on
KNOWN_OPTIONS = 500  # of a control whose options come with the tasks: rows made in training


@dataclass(frozen=True)
class Row:
    """One training window. `choices`: control -> the label values, or the number, that a human
    answered (absent: not answered). `tags`: control -> the spans in it, in pieces. `offered`:
    control -> the values of the options that the task brought. `second`: a pair's right text.
    `unasked`: control of spans -> the labels nobody was asked to mark. `weight`: what it counts in
    the loss of whole-text answers, less than 1 where people disagree on them."""

    window: Window
    choices: Mapping[str, Goal] = field(default_factory=dict)
    tags: Mapping[str, tuple[Mark, ...]] = field(default_factory=dict)
    offered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    second: Window | None = None
    unasked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weight: float = 1.0

    @property
    def answered(self) -> bool:
        """Whether there is anything to learn from it; no span is an answer too."""
        return bool(self.choices or self.tags)


def rows_of_example(base: Base, schema: Schema, example: Example) -> list[Row]:
    """The training rows of an example, one text after another, then its pairs."""
    rows: list[Row] = []
    hidden = hidden_controls(schema, example.answers)  # no span there is no answer
    for key in schema.keys:
        controls = [c for c in schema.controls if c.keys == (key,)]
        text = example.texts.get(key, "")
        if not controls or not text.strip():
            continue
        pieces = read_pieces(base, text)
        choices = goals(controls, example)
        asked = [c for c in controls if c.name not in hidden and labels_asked(c, example)]
        marks = {c.name: marks_of(c, example, pieces) for c in asked}
        offered = {
            c.name: tuple(o.value for o in example.options.get(c.name, ()))
            for c in controls
            if c.options is not None
        }
        for w in train_windows(base, pieces)[:PER_TEXT]:
            tags = {n: in_window(m, w) for n, m in marks.items()}
            unasked, weight = example.unasked, own_weight(example)
            rows.append(Row(w, choices, tags, offered, unasked=unasked, weight=weight))
    pairs = [c for c in schema.controls if c.right_key is not None]
    return [*rows, *(r for c in pairs for r in _pair_rows(base, c, example))]


def labels_asked(control: Control, example: Example) -> tuple[str, ...]:
    """The labels of spans that whoever answered could mark; none of a control without spans."""
    if control.form != "spans":
        return ()
    late = example.unasked.get(control.name, ())
    return tuple(v for v in control.values if v not in late)


def train_windows(base: Base, pieces: Pieces) -> list[Window]:
    """The windows of a text at training's size."""
    return cut(base, pieces, min(TRAIN_WINDOW, base.max_tokens))


def goals(controls: Sequence[Control], example: Example) -> dict[str, Goal]:
    """What a human answered for a whole text, by control."""
    found = {c.name: goal_of(c, example) for c in controls}
    return {name: goal for name, goal in found.items() if goal is not None}


def goal_of(control: Control, example: Example) -> Goal | None:
    """One control's answer; labels the config lost are left out, None where nothing is left."""
    for region in example.answers:
        if region.from_name != control.name:
            continue
        if isinstance(region, Quantity) and control.form == "number":
            return float(region.value)
        if isinstance(region, Choice) and control.form not in {"number", "spans"}:
            kept = tuple(v for v in region.labels if control.options or v in control.values)
            return kept or None
    return None


def chosen(control: Control, example: Example) -> tuple[int, ...]:
    """The indices of the labels that a human chose."""
    goal = goal_of(control, example)
    values = goal if isinstance(goal, tuple) else ()
    return tuple(control.values.index(v) for v in values if v in control.values)


def _pair_rows(base: Base, control: Control, example: Example) -> list[Row]:
    texts = [example.texts.get(key, "") for key in control.keys]
    choices = goals([control], example)
    if not choices or not all(t.strip() for t in texts):
        return []
    left, right = (train_windows(base, read_pieces(base, t))[0] for t in texts)
    return [Row(left, choices, second=right, weight=own_weight(example))]


def with_options(control: Control, examples: Sequence[Example]) -> Control:
    """The control with the options that train rows brought as its labels, those answered most
    often first, KNOWN_OPTIONS at most. A control with labels of its own stays as it is."""
    if control.options is None:
        return control
    count: dict[str, int] = {}
    labels: dict[str, Label] = {}
    for e in examples:
        for label in e.options.get(control.name, ()):
            labels.setdefault(label.value, label)
        goal = goal_of(control, e)
        for value in goal if isinstance(goal, tuple) else ():
            count[value] = count.get(value, 0) + 1
    ordered = sorted(labels, key=lambda v: (-count.get(v, 0), v))[:KNOWN_OPTIONS]
    return replace(control, labels=tuple(labels[v] for v in ordered))


def human_first(examples: Sequence[Example]) -> list[Example]:
    """In an order that depends on content only, so that equal snapshots train equally."""
    return sorted(examples, key=lambda e: (e.origin.kind != "human", e.id))


def by_origin(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """What people answered, and what was made of it; each in an order of content only."""
    ordered = human_first(examples)
    human = [e for e in ordered if e.origin.kind == "human"]
    return human, ordered[len(human) :]


def answered_rows(base: Base, schema: Schema, examples: Sequence[Example]) -> list[Row]:
    """The training rows of examples that carry anything to learn from."""
    return [r for e in examples for r in rows_of_example(base, schema, e) if r.answered]


def own_weight(example: Example) -> float:
    """What a human row counts beside others; synthetic ones are weighed together (`weight_of`)."""
    given = example.origin.weight
    return 1.0 if given is None or example.origin.kind != "human" else given


def weight_of(synthetic: Sequence[Example], human: int) -> float:
    """What synthetic examples count together, where the human ones count 1: never more."""
    return min(1.0, sum(e.origin.weight or 0.0 for e in synthetic) / max(1, human))
