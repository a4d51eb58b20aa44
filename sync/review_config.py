"""The labelling XML of a review project: the source's controls as they are, the parent beside.

Children are plain texts, so HTML and dialogues become <Text> there; names stay, and so do typed
answers: what is read of a review is an answer under the source's config.
"""

from __future__ import annotations

from xml.etree import ElementTree as Xml  # nosec B405  # read_schema has refused entities

from label_config.admin import PREFIX
from label_config.controls import Schema

PARENT = "annotune_parent_"
"""Before a data key: the parent's text under it."""
_PLAIN = {"HyperTextLabels": "Labels", "ParagraphLabels": "Labels"}
_KEPT = {"name", "value", "granularity"}
_SIDES = (("Original", "flex:1;padding:0 1em"), ("Made of it", "flex:1;padding:0 1em"))


def review_config(config: str, schema: Schema) -> str:
    """The config of a review of children of a project that has this one, and this schema."""
    source = Xml.fromstring(config)  # noqa: S314  # nosec B314  # read_schema has refused entities already
    plain = {o.name for o in schema.objects}
    for element in source.iter():
        if element.get("name") in plain and element.get("toName") is None:
            element.tag = "Text"
            for name in [n for n in element.attrib if n not in _KEPT]:
                del element.attrib[name]
        element.tag = _PLAIN.get(str(element.tag), element.tag)
    ours = {n: v for n, v in source.attrib.items() if n.lower().startswith(PREFIX)}
    for name in ours:
        del source.attrib[name]
    root = Xml.Element("View", ours)
    Xml.SubElement(root, "Header", value="$annotune_transform", size="5")
    both = Xml.SubElement(root, "View", style="display:flex")
    left, right = (_side(both, *side) for side in _SIDES)
    for key in schema.keys:
        Xml.SubElement(left, "Text", name=f"{PARENT}{key}", value=f"${PARENT}{key}")
    right.append(source)
    return Xml.tostring(root, encoding="unicode")


def _side(both: Xml.Element, title: str, style: str) -> Xml.Element:
    side = Xml.SubElement(both, "View", style=style)
    Xml.SubElement(side, "Header", value=title, size="4")
    return side
