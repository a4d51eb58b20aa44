"""HTML as the editor sees it: the text a model reads, and the places the editor counts in.

Label Studio 1.23.2 stores a <HyperText> span twice (its RichText/domManager.ts):
`globalOffsets`, code points over all text nodes below the body, a <br> being one; and
`start`/`end`, XPaths of text nodes, with `startOffset`/`endOffset` in UTF-16 units inside them.
Its sanitizer removes scripts, frames and comments first. Nothing here is ever executed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser

from label_config.units import from_utf16, to_utf16

_DROPPED = frozenset({"script", "iframe", "textarea", "option", "noscript"})
_HEAD_ONLY = frozenset({"base", "link", "meta", "style", "title", "template"})
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_BLOCKS = frozenset(
    "address article aside blockquote body center dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre"
    " section summary table tbody td tfoot th thead tr ul caption".split()
)
_NEEDS = {  # a browser adds the missing parent, or closes the open one: the tree is then not ours
    "tr": {"tbody", "thead", "tfoot"},
    "td": {"tr"},
    "th": {"tr"},
    "tbody": {"table"},
    "thead": {"table"},
    "tfoot": {"table"},
    "li": {"ul", "ol", "menu"},
    "dt": {"dl", "div"},
    "dd": {"dl", "div"},
}
_TABLE = frozenset({"table", "tbody", "thead", "tfoot", "tr"})
_FOREIGN = frozenset({"svg", "math", "select", "frameset", "plaintext", "xmp"})
_PATH = re.compile(r"(?:/[\w:()-]+\[\d+\])+")
INSERTED = -1
DEEPEST = 400  # elements inside each other; a browser flattens what is deeper, too


@dataclass(frozen=True)
class Node:
    """One text node: its XPath below the body, its first global offset, its text."""

    path: str
    start: int
    text: str


@dataclass(frozen=True)
class Page:
    """`places` holds, for each code point of `text`, its global offset; INSERTED where a line end
    stands between two blocks that the editor counts as adjoining. `sure`: the tree was so plain
    that a browser builds the same, so that the XPaths may be written."""

    text: str
    places: tuple[int, ...]
    nodes: tuple[Node, ...]
    sure: bool

    def to_global(self, start: int, end: int) -> tuple[int, int] | None:
        """Global offsets of a piece of the text; None where it holds inserted line ends only."""
        inside = [p for p in self.places[start:end] if p != INSERTED]
        return (inside[0], inside[-1] + 1) if inside else None

    def from_global(self, start: int, end: int) -> tuple[int, int] | None:
        """The piece of the text that global offsets cover; None where they cover none of it."""
        inside = [i for i, p in enumerate(self.places) if start <= p < end and p != INSERTED]
        return (inside[0], inside[-1] + 1) if inside else None

    def to_paths(self, start: int, end: int) -> tuple[str, int, str, int] | None:
        """XPath and UTF-16 offset of both ends of global offsets, as the editor writes them."""
        if not self.sure:
            return None
        first = next((n for n in self.nodes if n.start <= start < n.start + len(n.text)), None)
        last = next((n for n in self.nodes if n.start < end <= n.start + len(n.text)), None)
        if first is None or last is None:
            return None
        return (
            first.path,
            to_utf16(first.text, start - first.start),
            last.path,
            to_utf16(last.text, end - last.start),
        )

    def from_paths(
        self, start: object, at: object, end: object, to: object
    ) -> tuple[int, int] | None:
        """Global offsets of what the editor wrote as XPaths; None where no node is there."""
        first, last = self._place(start, at), self._place(end, to)
        return None if first is None or last is None else (first, last)

    def _place(self, path: object, units: object) -> int | None:
        if not isinstance(path, str) or type(units) is not int or not _PATH.fullmatch(path):
            return None
        node = next((n for n in self.nodes if n.path == path), None)
        at = None if node is None else from_utf16(node.text, units)
        return None if node is None or at is None else node.start + at


_BOGUS = re.compile(r"<!(?!--|doctype)[^>]*(?:>|$)", re.IGNORECASE)
"""What a browser reads as a comment, and html.parser raises on: <![if], <!ELEMENT ...>."""


def read_page(html: str, inline: bool = False) -> Page:
    """The text and the places of a task's HTML; never raises, whatever the HTML is."""
    reader = _Reader(inline)
    reader.feed(_finished(_BOGUS.sub("<!---->", re.sub(r"\r\n?", "\n", html))))
    reader.close()
    reader.flush()
    return Page(
        "".join(reader.text),
        tuple(reader.places),
        tuple(reader.nodes),
        reader.sure and not reader.open,
    )


def _finished(html: str) -> str:
    """Without a comment or a tag that never ends: a browser shows neither, and html.parser of
    older Pythons takes the square of their length (CVE-2025-6069)."""
    opened = html.find("<!--", html.rfind("-->") + 1)
    html = html if opened < 0 else html[:opened]
    last = html.rfind(">") + 1
    unfinished = re.compile(r"<[a-zA-Z/!?]").search(html, last)
    return html if unfinished is None else html[: unfinished.start()]


class _Reader(HTMLParser):
    """Walks the tags once. `open` holds the elements below the body, with their child counts."""

    def __init__(self, inline: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.places: list[int] = []
        self.nodes: list[Node] = []
        self.sure = True
        self.open: list[tuple[str, str]] = []
        self._within: Counter[str] = Counter()
        self._counts: list[dict[str, int]] = [{}]
        self._at = 0
        self._held: list[str] = []
        self._skipping: list[str] = []
        self._inline = inline
        self._body = inline  # whether the browser is already inside <body>
        self._in_head: str | None = None
        self._break = False
        self._fresh_pre = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipping:
            if tag == self._skipping[-1]:
                self._skipping.append(tag)
            return
        if tag in _DROPPED:
            self._skipping.append(tag)
            return
        if tag in {"html", "head", "body"}:
            self._body = self._body or tag == "body"
            return
        if not self._body and tag in _HEAD_ONLY:
            self._in_head = None if tag in _VOID else tag
            return
        if self._in_head:
            return
        self._body = True
        self.flush()
        parent = self.open[-1][0] if self.open else "body"
        closes_p = tag in _BLOCKS and self._within["p"] > 0
        twice = tag in {"a", "button", "form"} and self._within[tag] > 0
        missing = tag in _NEEDS and parent not in _NEEDS[tag]
        astray = parent in _TABLE and tag not in _NEEDS and tag not in {"caption", "colgroup"}
        if closes_p or twice or missing or astray or tag in _FOREIGN:
            self.sure = False
        count = self._counts[-1][tag] = self._counts[-1].get(tag, 0) + 1
        self._break = self._break or tag in _BLOCKS
        if tag == "br":
            self._add("\n")
        elif len(self.open) >= DEEPEST:
            self.sure = False
        elif tag not in _VOID:
            self._within[tag] += 1
            self.open.append((tag, f"{self.open[-1][1] if self.open else ''}/{tag}[{count}]"))
            self._counts.append({})
        self._fresh_pre = tag in {"pre", "listing"}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # HTML knows no self-closing but the void elements

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag == self._skipping[-1]:
                self._skipping.pop()
            return
        if self._in_head:
            self._in_head = None if tag == self._in_head else self._in_head
            return
        if tag in {"html", "head", "body"} or tag in _DROPPED:
            return
        if tag == "br":
            self.handle_starttag("br", [])
            return
        self.flush()
        self._break = self._break or tag in _BLOCKS
        if not self.open or self.open[-1][0] != tag:
            self.sure = False
        while self._within[tag]:
            closed = self.open.pop()[0]
            self._counts.pop()
            self._within[closed] -= 1
            if closed == tag:
                break

    def handle_data(self, data: str) -> None:
        if self._skipping or self._in_head:
            return
        if not self._body:
            data = data.lstrip(" \t\n\f")
            if not data:
                return
            self._body = True
        if self._fresh_pre and data.startswith("\n") and not self._held:
            data = data[1:]
        self._fresh_pre = False
        self._held.append(data)

    def flush(self) -> None:
        """End the text node that was being read."""
        text = "".join(self._held)
        self._held.clear()
        if not text:
            return
        parent, path = self.open[-1] if self.open else ("body", "")
        if parent in _TABLE and text.strip():
            self.sure = False  # a browser moves such text in front of the table
        count = self._counts[-1]["text()"] = self._counts[-1].get("text()", 0) + 1
        self.nodes.append(Node(f"{path}/text()[{count}]", self._at, text))
        if self._within["style"]:
            self._at += len(text)  # counted by the editor, but no text to read
        else:
            self._add(text)

    def _add(self, text: str) -> None:
        if self._break and self.text and text.strip():
            if not self.text[-1][-1].isspace() and not text[0].isspace():
                self.text.append("\n")
                self.places.append(INSERTED)
        if text.strip():
            self._break = False
        self.text.append(text)
        self.places.extend(range(self._at, self._at + len(text)))
        self._at += len(text)
