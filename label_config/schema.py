"""A project's labelling XML, read once into a Schema.

Label Studio SDK's LabelInterface parses and checks the XML; this file decides, tag by tag, what
can be predicted and says why for the rest. One odd control costs only itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from label_studio_sdk.label_interface import LabelInterface

from label_config.admin import ROLE, read_admin
from label_config.conditions import ConditionProblem, follow_conditions, read_conditions
from label_config.controls import (
    WITHOUT_LABELS,
    Control,
    ControlKind,
    InvalidValue,
    Label,
    Note,
    Schema,
    TextObject,
    Unsupported,
)
from label_config.labels import LabelProblem, flat_labels, rating_labels, tree_labels
from label_config.notes import NoteProblem, read_note
from label_config.objects import ObjectProblem, read_object
from label_config.refusals import NO_CONTROLS, REFUSED, refusal
from label_config.tree import Element, attributes
from label_config.usages import read_most

MAX_CONFIG = 1_000_000  # characters; Label Studio's own editor gives up far below
_SPANS: dict[str, tuple[str, ...]] = {  # which objects a span control works on, in the editor
    "Labels": ("Text", "HyperText"),
    "HyperTextLabels": ("Text", "HyperText"),
    "ParagraphLabels": ("Paragraphs",),
}
_WHOLE: tuple[ControlKind, ...] = (
    *("Choices", "Taxonomy", "Rating", "Number", "Pairwise"),
    "TextArea",
)
PREDICTED = frozenset({*_SPANS, *_WHOLE})


class InvalidConfig(InvalidValue):
    """The labelling XML cannot be read at all; nothing of it is served."""


class _Refused(ValueError):
    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True)
class _Read:
    control: Control
    objects: tuple[TextObject, ...]


def read_schema(config: str, urls: bool = False) -> Schema:
    """The Schema of one labelling XML; `urls` accepts objects whose text stands at an address.

    Raises InvalidConfig when the XML is broken, too large, or points at tags that do not exist.
    A config without a control that can be predicted is a valid, empty Schema.
    """
    if len(config) > MAX_CONFIG:
        raise InvalidConfig(
            f"the label config has {len(config)} characters; at most {MAX_CONFIG} are read"
        )
    if "<!DOCTYPE" in config or "<!ENTITY" in config:
        raise InvalidConfig("the label config declares a DOCTYPE or an entity; remove it")
    try:
        interface = LabelInterface(config)
        root: Element = interface.parse(interface.config)[3]
    except Exception as error:  # the SDK raises bare Exceptions of many kinds from here
        raise InvalidConfig(f"the label config cannot be read: {_first_line(error)}") from error
    admin, refused_admin = read_admin(root)
    named = {str(e.attrib["name"]): e for e in root.iter() if _is_object(e)}
    read: list[_Read] = []
    notes: list[Note] = []
    refused: list[Unsupported] = []
    for element in _controls(root):
        verdict = _verdict(element, named, urls)
        if isinstance(verdict, _Read):
            read.append(verdict)
        elif isinstance(verdict, Note):
            notes.append(verdict)
        else:
            refused.append(verdict)
    read, clashing = _without_clashes(read)
    controls, unmet = follow_conditions(r.control for r in read)
    refused += clashing
    refused += [
        Unsupported(
            c.name,
            c.kind,
            f"visibleWhen shows it depending on {name!r}, which is not predicted",
            f"make {name!r} a Choices or Taxonomy that can be predicted, or drop visibleWhen",
        )
        for c, name in unmet
    ]
    kept = {c.name for c in controls}
    if len(kept | {n.name for n in notes}) < len(controls) + len(notes):
        raise InvalidConfig("the label config names two controls alike; give each its own name")
    objects = dict.fromkeys(o for r in read if r.control.name in kept for o in r.objects)
    unsupported = (*refused, *refused_admin)
    return Schema(controls, unsupported, tuple(objects), admin, notes=tuple(notes))


def _is_object(element: Element) -> bool:
    attr = attributes(element) if isinstance(element.tag, str) else {}
    shows = "value" in attr or "valuelist" in attr or element.tag in {"Chat", "ReactCode"}
    return "name" in attr and "name" in element.attrib and shows and "toname" not in attr


def _controls(root: Element) -> Iterator[Element]:
    """Whatever holds answers: known controls, and anything with a name and a toName."""
    for element in root.iter():
        tag = element.tag
        if not isinstance(tag, str) or tag in NO_CONTROLS:
            continue
        if tag == "Relation":
            continue  # a child of <Relations>, which is named
        attr = attributes(element)
        if tag in PREDICTED or tag in REFUSED or ("name" in attr and "toname" in attr):
            yield element


def _verdict(element: Element, named: dict[str, Element], urls: bool) -> _Read | Note | Unsupported:
    tag, attr = str(element.tag), attributes(element)
    name = attr.get("name", "")
    try:
        if tag == "TextArea" and ROLE in attr:
            _check_whole(attr)
            read_conditions(element)
            return read_note(attr, named, urls)
        if tag == "TextArea":  # what it writes about may be no text, which says more
            for target in attr.get("toname", "").split(","):
                if target.strip() in named:
                    read_object(named[target.strip()], urls)
        if tag not in PREDICTED:
            raise _Refused(*refusal(tag))
        if not name:
            raise _Refused("it has no name", 'give it a name="..."')
        objects = tuple(_target(n, named, urls) for n in _to_names(tag, attr))
        return _Read(_control(element, tag, attr, objects), objects)
    except (_Refused, NoteProblem, ObjectProblem, LabelProblem, ConditionProblem) as problem:
        return Unsupported(name or tag, tag, problem.reason, problem.remedy)


def _check_whole(attr: dict[str, str]) -> None:
    for option, asks in (("perregion", "span"), ("peritem", "item")):
        if attr.get(option, "").lower() == "true":
            written = {"perregion": "perRegion", "peritem": "perItem"}[option]
            raise _Refused(f"{written} asks for an answer for each {asks}", f"drop {written}")


def _to_names(tag: str, attr: dict[str, str]) -> list[str]:
    names = [n.strip() for n in attr.get("toname", "").split(",") if n.strip()]
    if not names:
        raise _Refused("it names no object", 'add toName="..." with the name of a text')
    if tag == "Pairwise":
        if len(names) != 2:
            raise _Refused(
                f"it compares {len(names)} objects", 'name two texts: toName="left,right"'
            )
    elif len(names) != 1:
        raise _Refused("it points at several objects", "point it at one <Text>")
    return names


def _target(name: str, named: dict[str, Element], urls: bool) -> TextObject:
    if name not in named:
        raise _Refused(f'toName="{name}" names no object', "name an existing <Text>")
    return read_object(named[name], urls)


def _control(
    element: Element, tag: str, attr: dict[str, str], objects: tuple[TextObject, ...]
) -> Control:
    """The Control of a tag of PREDICTED; raises one of the problems with reason and remedy."""
    target = objects[0]
    _check_whole(attr)
    if tag in _SPANS and target.kind not in _SPANS[tag]:
        fit = "ParagraphLabels" if target.kind == "Paragraphs" else "Labels"
        raise _Refused(f"<{tag}> cannot mark a <{target.kind}>", f"use <{fit}>")
    multiple, nested = _multiple(tag, attr), _true(attr, "allownested") and tag == "Choices"
    labels, options = _labels(element, tag, attr, nested)
    low, high, step = _bounds(attr) if tag == "Number" else (None, None, None)
    return Control(
        name=attr["name"],
        kind=tag,  # type: ignore[arg-type]
        to_name=target.name,
        key=target.key,
        labels=labels,
        multiple=multiple,
        required=_true(attr, "required"),
        right_key=objects[1].key if tag == "Pairwise" else None,
        options=options,
        low=low,
        high=high,
        step=step,
        when=read_conditions(element),
        nested=nested,
        most=read_most(attr) if tag in _SPANS or tag == "Taxonomy" else None,
    )


def _true(attr: dict[str, str], name: str) -> bool:
    return attr.get(name, "").lower() == "true"


def _multiple(tag: str, attr: dict[str, str]) -> bool:
    if tag == "Taxonomy":  # any number of nodes may be selected unless maxUsages says one
        return read_most(attr) != 1
    return tag == "Choices" and attr.get("choice", "single").lower() == "multiple"


def _labels(
    element: Element, tag: str, attr: dict[str, str], nested: bool
) -> tuple[tuple[Label, ...], str | None]:
    """(labels of the config, data key of the labels that each task brings)."""
    if tag in WITHOUT_LABELS:
        return (), None
    if tag == "Rating":
        return rating_labels(attr.get("maxrating") or "5"), None
    if tag == "Pairwise":
        return (Label("left", "left"), Label("right", "right")), None
    if tag == "Taxonomy" and _true(attr, "labeling"):
        raise _Refused('labeling="true" makes it mark spans', "use <Labels>, or drop labeling")
    if attr.get("apiurl"):
        raise _Refused("its labels are fetched from an address", "list the labels in the config")
    value = attr.get("value", "")
    if value.startswith("$"):
        return (), _options_key(element, tag, value)
    if tag == "Taxonomy" or nested:
        # of nested Choices the editor ticks a node when all below it are: only leaves are answers
        return tree_labels(element, nested or _true(attr, "leafsonly")), None
    return flat_labels(element, "Choice" if tag == "Choices" else "Label"), None


def _options_key(element: Element, tag: str, value: str) -> str:
    if tag in _SPANS:
        raise _Refused("its labels come from each task", "list the labels in the config")
    if not re.fullmatch(r"\$\w[\w-]*", value):
        raise _Refused(f"its labels stand at {value!r}, no single key", 'use value="$key"')
    if next((c for c in element.iter() if c.tag == "Choice"), None) is not None:
        raise _Refused("its labels come from the config and from each task", "keep one of the two")
    return value[1:]


def _bounds(attr: dict[str, str]) -> tuple[float | None, float | None, float | None]:
    def number(name: str) -> float | None:
        text = attr.get(name, "").strip()
        if text and not re.fullmatch(r"[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})", text):
            raise _Refused(f"{name}={text!r} is no number", f"write a number into {name}")
        return float(text) if text else None

    low, high, step = number("min"), number("max"), number("step")
    if low is not None and high is not None and low >= high:
        raise _Refused(f"min={low:g} is not below max={high:g}", "make min smaller than max")
    return low, high, step if step and step > 0 else None


def _without_clashes(read: list[_Read]) -> tuple[list[_Read], list[Unsupported]]:
    """Controls whose data key is shown by one kind of object only, and the others refused.

    Where only a control that asks for a text shows it otherwise, that one yields: what an encoder
    predicts does not depend on what it cannot.
    """
    answered = [r for r in read if r.control.form != "text"]
    mixed = _mixed_keys(answered)
    clashing = {r.control.name: mixed & set(r.control.keys) for r in answered}
    kept = [r for r in answered if not clashing[r.control.name]]
    for r in (r for r in read if r.control.form == "text"):
        clashing[r.control.name] = _mixed_keys([*kept, r]) | (mixed & set(r.control.keys))
        kept += [] if clashing[r.control.name] else [r]
    return [r for r in read if r in kept], [
        Unsupported(
            r.control.name,
            r.control.kind,
            f"two kinds of objects show the data key {min(clashing[r.control.name])!r}",
            "give each object a data key of its own",
        )
        for r in read
        if r not in kept
    ]


def _mixed_keys(read: list[_Read]) -> set[str]:
    """The data keys that several kinds of objects show."""
    shapes: dict[str, set[tuple[object, ...]]] = {}
    for o in (o for r in read for o in r.objects):
        shape = (o.kind, o.name_key, o.text_key, o.url, o.inline)
        shapes.setdefault(o.key, set()).add(shape)
    return {key for key, kinds in shapes.items() if len(kinds) > 1}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
