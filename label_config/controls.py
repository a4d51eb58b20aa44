"""What a label config asks for: objects with texts, and controls with labels, as frozen values.

Every class checks itself: a Schema with two controls of one name cannot exist.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Literal

from label_config.refusals import NEEDS_CAUSAL

ControlKind = Literal[
    "Choices",
    "Taxonomy",
    "Rating",
    "Number",
    "Pairwise",
    "Labels",
    "HyperTextLabels",
    "ParagraphLabels",
    "TextArea",
]
ObjectKind = Literal["Text", "HyperText", "Paragraphs"]
Form = Literal["one", "many", "ordinal", "number", "pair", "spans", "text"]
"""What a model has to say: one label, any of several, a place on a scale, a number, which of two
texts, labelled pieces of a text, or a text of its own. Several controls share a form; a head is
made for a form, but for "text", which only a causal base can write."""
BaseKind = Literal["encoder", "causal"]
"""What a base can say: choices, scales, numbers and spans, or these and texts."""
Role = Literal["variant", "context"]
"""What an expert's own words are for: another text with the same answer, or the reason of it."""
WITHOUT_LABELS = frozenset({"Number", "TextArea"})


class InvalidValue(ValueError):
    """A value broke its own rule; the message names the value, what came and what would do."""


@dataclass(frozen=True)
class Label:
    """One label of a control; `value` is what Label Studio stores (the alias where one is set)."""

    value: str
    shown: str
    hint: str | None = None
    path: tuple[str, ...] = ()
    """From the root to this label, itself included, where labels form a tree; else empty."""
    most: int | None = None
    """How many spans of one task may have it (maxUsages)."""

    def __post_init__(self) -> None:
        if not self.value:
            raise InvalidValue("a label has an empty value; give it a value or an alias")


@dataclass(frozen=True)
class TextObject:
    """One object tag whose text is read. `name_key`, `text_key`: of a dialogue's turns.
    `url`: the task holds an address, and the text is fetched from there. `inline`: HTML shown as
    a piece of the page, not as a document of its own (its <head> then counts)."""

    name: str
    kind: ObjectKind
    key: str
    name_key: str = "author"
    text_key: str = "text"
    url: bool = False
    inline: bool = False


@dataclass(frozen=True)
class Condition:
    """A control is shown only while `control` has one of `values` (empty: any answer) chosen;
    with `chosen` False only while it has not."""

    control: str
    values: tuple[str, ...] = ()
    chosen: bool = True


@dataclass(frozen=True)
class Admin:
    """What the admin wrote as `annotune-*` attributes on the root <View>; None: not written."""

    base: str | None = None
    target: float | None = None
    regulated: bool | None = None
    blind_share: float | None = None


@dataclass(frozen=True)
class Control:
    """One control that can be predicted: its labels, the object it points at, that object's key.

    `to_name`, `key`: of the one object; of a Pairwise, which compares two, `key` is the left one's
    and `right_key` the other's. Rating: the labels are "1" to the highest. Number: no labels, but
    bounds where the config names them; TextArea: no labels. `options`: the data key that holds the
    labels, where each task brings its own; `labels` is then empty. `nested`: Choices with
    allowNested, whose answers Label Studio stores as paths, as it always does for a Taxonomy.
    `most`: maxUsages, of each label of a span control that has none of its own, of a Taxonomy's
    paths together.
    """

    name: str
    kind: ControlKind
    to_name: str
    key: str
    labels: tuple[Label, ...] = ()
    multiple: bool = False
    required: bool = False
    right_key: str | None = None
    options: str | None = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    when: tuple[Condition, ...] = ()
    nested: bool = False
    most: int | None = None

    def __post_init__(self) -> None:
        values = self.values
        if not values and self.kind not in WITHOUT_LABELS and self.options is None:
            raise InvalidValue(f"control {self.name!r} has no labels; add at least one")
        twice = sorted({v for v in values if values.count(v) > 1})
        if twice:
            raise InvalidValue(
                f"control {self.name!r} repeats the label(s) {twice}; make each one unique"
            )

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The labels' stored values, in the order of the config."""
        return tuple(label.value for label in self.labels)

    @property
    def form(self) -> Form:
        """What a model has to say for this control."""
        if self.kind == "Rating":
            return "ordinal"
        if self.kind == "Number":
            return "number"
        if self.kind == "TextArea":
            return "text"
        if self.kind == "Pairwise":
            return "pair"
        if self.kind in {"Choices", "Taxonomy"}:
            return "many" if self.multiple else "one"
        return "spans"

    @property
    def keys(self) -> tuple[str, ...]:
        """The data keys whose texts it reads."""
        return (self.key,) if self.right_key is None else (self.key, self.right_key)


@dataclass(frozen=True)
class Note:
    """A TextArea marked `annotune-role`, in which experts write data: it is not predicted.

    variant: each text typed there is an example with its task's own answer, read from `key`, whose
    place it takes; context: what they say of an answer, for a generator. `key` of a context: "".
    """

    name: str
    role: Role
    key: str = ""


@dataclass(frozen=True)
class Unsupported:
    """A tag that is not predicted, why, and what would make it so."""

    name: str
    tag: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Schema:
    """What one project asks for. `controls` are predicted; `unsupported` are named, not guessed;
    into `notes` people write for training alone.

    `whole`: the digest of the schema that this is a part of (see `served_by`); "": it is no part.
    """

    controls: tuple[Control, ...]
    unsupported: tuple[Unsupported, ...] = ()
    objects: tuple[TextObject, ...] = ()
    admin: Admin = Admin()
    whole: str = ""
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        names = [*(c.name for c in self.controls), *(n.name for n in self.notes)]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise InvalidValue(
                f"control name(s) {twice} are used twice; Label Studio needs unique names"
            )

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 over what decides a prediction; its first eight digits name the schema.

        A part has the digest of the whole: it names the config, whichever base answers.
        """
        if self.whole:
            return self.whole
        read = [_said(c) for c in self.controls], [asdict(o) for o in self.objects]
        canonical = json.dumps(read, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def short(self) -> str:
        return self.digest[:8]

    @property
    def keys(self) -> tuple[str, ...]:
        """The distinct data keys the controls read, in order of first use."""
        return tuple(dict.fromkeys(key for c in self.controls for key in c.keys))

    def served_by(self, kind: BaseKind) -> Schema:
        """What a base of this kind predicts of it: a causal one everything, an encoder no texts."""
        texts = {c.name for c in self.controls if c.form == "text" and kind != "causal"}
        return self.without(texts, *NEEDS_CAUSAL)

    def without(self, names: Collection[str], reason: str, remedy: str) -> Schema:
        """The schema with these controls left to people, for that reason."""
        refused = [
            Unsupported(c.name, c.kind, reason, remedy) for c in self.controls if c.name in names
        ]
        if not refused:
            return self
        kept = tuple(c for c in self.controls if c.name not in names)
        keys = {key for c in kept for key in c.keys}
        return replace(
            self,
            controls=kept,
            unsupported=(*self.unsupported, *refused),
            objects=tuple(o for o in self.objects if o.key in keys),
            whole=self.digest,
        )

    def text_object(self, key: str) -> TextObject:
        """The object that shows a data key; a plain <Text> where the schema names none."""
        return next((o for o in self.objects if o.key == key), TextObject(key, "Text", key))

    def control(self, name: str) -> Control | None:
        return next((c for c in self.controls if c.name == name), None)


def _said(control: Control) -> dict[str, object]:
    """A control as the digest reads it: caps only where there are some, so that a config without
    any keeps the name it had before caps were read."""
    raw = asdict(control)
    for part in (raw, *raw["labels"]):
        if part["most"] is None:
            del part["most"]
    return raw
