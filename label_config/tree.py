"""Small questions asked of the labelling XML's tree; attribute names are read in any case, as
Label Studio's editor does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol


class Element(Protocol):
    """What is used of an lxml element."""

    @property
    def tag(self) -> object: ...
    @property
    def attrib(self) -> Mapping[str, str]: ...
    def getparent(self) -> Element | None: ...
    def iter(self) -> Iterator[Element]: ...
    def __iter__(self) -> Iterator[Element]: ...


def attributes(element: Element) -> dict[str, str]:
    """Its attributes, names in lower case."""
    return {str(k).lower(): str(v) for k, v in element.attrib.items()}


def children(element: Element, tag: str) -> Iterator[Element]:
    """The nearest elements of one tag below it, layout tags between them looked through."""
    for child in element:
        if child.tag == tag:
            yield child
        elif isinstance(child.tag, str):
            yield from children(child, tag)


def ancestors(element: Element) -> Iterator[Element]:
    """Itself, its parent and so on up to the root."""
    node: Element | None = element
    while node is not None:
        yield node
        node = node.getparent()
