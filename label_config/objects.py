"""The object tags whose text is read, or why a control's object cannot be."""

from __future__ import annotations

import re
from typing import get_args

from label_config.controls import ObjectKind, TextObject
from label_config.tree import Element, attributes

TEXTS = get_args(ObjectKind)


class ObjectProblem(ValueError):
    """Why an object's text cannot be read, and what would do: `reason`, `remedy`."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def read_object(element: Element, urls: bool) -> TextObject:
    """The text object of one tag; raises ObjectProblem with the reason and the remedy."""
    tag, attr = str(element.tag), attributes(element)
    if tag not in TEXTS:
        raise ObjectProblem(
            f"it labels <{tag}>, and only text is read",
            "point it at a <Text>, <HyperText> or <Paragraphs>",
        )
    url = attr.get("valuetype", "").lower() == "url"
    if url and not urls:
        raise ObjectProblem(
            "its text is fetched from a URL",
            'store the text in the task and drop valueType="url", or let the server\'s admin list '
            "the address in ANNOTUNE_BACKEND_URLS",
        )
    if attr.get("encoding", "none").lower() not in {"none", ""}:
        raise ObjectProblem(
            f"its text is encoded ({attr['encoding']})", "store plain text and drop encoding"
        )
    value = attr.get("value", "")
    if not value.startswith("$"):
        raise ObjectProblem(f"its <{tag}> shows a fixed text", f'give the <{tag}> a value="$key"')
    if not re.fullmatch(r"\$\w[\w-]*", value):
        raise ObjectProblem(
            f"its <{tag}> shows {value!r}, no single key", f'give the <{tag}> a value="$key"'
        )
    dialogue = tag == "Paragraphs"
    return TextObject(
        name=attr.get("name", ""),
        kind=tag,  # type: ignore[arg-type]
        key=value[1:],
        name_key=(dialogue and attr.get("namekey")) or "author",
        text_key=(dialogue and attr.get("textkey")) or "text",
        url=url,
        inline=tag == "HyperText" and attr.get("inline", "").lower() == "true",
    )
