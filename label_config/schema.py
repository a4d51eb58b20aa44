"""A project's labelling XML, read once into a Schema.

Label Studio SDK's LabelInterface parses and checks the XML; this file decides, tag by tag, what
can be predicted and says why for the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.control_tags import ControlTag
from label_studio_sdk.label_interface.object_tags import ObjectTag

from label_config.values import Control, InvalidValue, Label, Schema, Unsupported

PREDICTED = {"Choices", "Labels"}
MAX_CONFIG = 1_000_000  # characters; Label Studio's own editor gives up far below


class InvalidConfig(InvalidValue):
    """The labelling XML cannot be read at all; nothing of it is served."""


@dataclass(frozen=True)
class _Shape:
    """Control names by what LabelInterface does not tell: where they stand, what they hold."""

    nested: frozenset[str]
    conditional: frozenset[str]
    unclear: frozenset[str]


def read_schema(config: str) -> Schema:
    """The Schema of one labelling XML.

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
        controls = list(interface.controls)
        objects = {o.name: o for o in interface.objects}
        shape = _shape(interface)
    except Exception as error:  # the SDK raises bare Exceptions of many kinds from here
        raise InvalidConfig(f"the label config cannot be read: {_first_line(error)}") from error
    predicted: list[Control] = []
    refused: list[Unsupported] = []
    for tag in controls:
        verdict = _read_control(tag, objects, shape)
        (predicted if isinstance(verdict, Control) else refused).append(verdict)  # type: ignore[arg-type]
    return Schema(tuple(predicted), tuple(refused))


def _read_control(
    tag: ControlTag, objects: dict[str, ObjectTag], shape: _Shape
) -> Control | Unsupported:
    def refuse(reason: str, remedy: str) -> Unsupported:
        return Unsupported(tag.name or "", tag.tag, reason, remedy)

    attr = {k.lower(): v for k, v in tag.attr.items()}
    if tag.tag not in PREDICTED:
        return refuse(
            f"<{tag.tag}> is not predicted", "use Choices or Labels, or leave it to people"
        )
    if len(tag.to_name or []) != 1:
        return refuse("it points at several objects", "point it at one <Text>")
    target = objects.get(tag.to_name[0])
    if target is None:
        return refuse(f'toName="{tag.to_name[0]}" names no object', "name an existing <Text>")
    if target.tag != "Text":
        return refuse(f"it labels a <{target.tag}>", "use a <Text> object")
    if (target.attr.get("valueType") or "text").lower() != "text":
        return refuse(
            "its text is fetched from a URL", 'store the text in the task and drop valueType="url"'
        )
    key = target.attr.get("value") or ""
    if not key.startswith("$"):
        return refuse("its <Text> shows a fixed text", 'give the <Text> a value="$key"')
    if not re.fullmatch(r"\$\w[\w-]*", key):
        return refuse(f"its <Text> shows {key!r}, no single key", 'give the <Text> a value="$key"')
    if tag.dynamic_value or attr.get("value", "").startswith("$"):
        return refuse("its labels come from each task", "list the labels in the config")
    if attr.get("perregion", "").lower() == "true":
        return refuse("perRegion asks for an answer for each span", "drop perRegion")
    if attr.get("visiblewhen") or tag.name in shape.conditional:
        return refuse("visibleWhen hides it under a condition", "drop visibleWhen")
    if tag.name in shape.nested:
        return refuse("its choices are nested", "list the choices on one level")
    if tag.name in shape.unclear:
        return refuse("two of its labels are the same, or one is empty", "name each label once")
    labels = tuple(_label(value, info.attr) for value, info in (tag.labels_attrs or {}).items())
    if not labels:
        return refuse("it lists no labels", "add <Choice> or <Label> children")
    return Control(
        name=tag.name or "",
        kind="Choices" if tag.tag == "Choices" else "Labels",
        to_name=tag.to_name[0],
        key=key[1:],
        labels=labels,
        multiple=tag.tag == "Choices" and attr.get("choice", "single").lower() == "multiple",
        required=attr.get("required", "").lower() == "true",
    )


def _label(value: str, attr: dict[str, str]) -> Label:
    return Label(value=value, shown=attr.get("value") or value, hint=attr.get("hint") or None)


def _shape(interface: LabelInterface) -> _Shape:
    _, _, _, tree = interface.parse(interface.config)
    nested: set[str] = set()
    conditional: set[str] = set()
    unclear: set[str] = set()
    for tag in tree.iter():
        name = str(tag.attrib.get("name"))
        labels = [child for child in tag if child.tag in {"Choice", "Label"}]
        if tag.find("Choice//Choice") is not None:
            nested.add(name)
        values = [child.attrib.get("alias") or child.attrib.get("value") for child in labels]
        if len(set(values)) < len(values) or not all(values):
            unclear.add(name)
        if any(k.lower() == "visiblewhen" for k in tag.attrib):
            conditional |= {str(t.attrib["name"]) for t in tag.iter() if "name" in t.attrib}
    return _Shape(frozenset(nested), frozenset(conditional), frozenset(unclear))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
