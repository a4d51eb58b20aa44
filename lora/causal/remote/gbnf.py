"""Our grammars in llama.cpp's own language, GBNF, for servers that were built without llguidance.

Of lark what the kinds write (lora/causal/kinds): rules and terminals alike, strings, plain regular
expressions. That a piece must be the text's own cannot be said; the reader sees to that anyway.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_PART = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*")"""
    r"""|/(?P<regex>(?:[^/\\]|\\.)+)/"""
    r"""|(?P<times>\{[0-9]+(?:,[0-9]*)?\})"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<sign>[()|?*+])"""
    r"""|(?P<skip>\s+|&)"""
)
_ATOM = re.compile(
    r"""(?P<set>\[(?:[^\]\\]|\\.)+\])|\\(?P<sign>.)|(?P<any>\.)"""
    r"""|(?P<how>[()?*+|]|\{[0-9]+(?:,[0-9]*)?\})|(?P<letter>[^\[\\])""",
    re.DOTALL,
)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def gbnf(lark: str) -> str:
    """The grammar; raises ValueError where it holds what GBNF has no word for."""
    rules = [line.partition(":") for line in lark.splitlines() if line.strip()]
    whole = {name.strip() for name, _, body in rules if body.strip().startswith("%")}
    made = [
        f"{_named(name.strip())} ::= {' '.join(_parts(body, whole))}"
        for name, _, body in rules
        if name.strip() not in whole
    ]
    return "\n".join([*made, ""])


def _parts(body: str, whole: set[str]) -> Iterator[str]:
    at = 0
    while at < len(body):
        found = _PART.match(body, at)
        if found is None:
            raise ValueError(f"GBNF has no word for {body[at : at + 20]!r}")
        at = found.end()
        if found["string"]:
            yield _literal(json.loads(found["string"]))
        elif found["regex"]:
            yield f"({_regex(found['regex'])})"
        elif found["name"] and found["name"] not in whole:
            yield _named(found["name"])
        elif kept := found["times"] or found["sign"]:
            yield kept


def _regex(pattern: str) -> str:
    made: list[str] = []
    for found in _ATOM.finditer(pattern):
        if letter := found["sign"] or found["letter"]:
            made.append(_literal(letter))
        elif found["how"] == "{0,0}":
            made.pop()
        else:
            made.append("[^\\n]" if found["any"] else found["set"] or found["how"])
    return " ".join(made)


def _named(name: str) -> str:
    return "root" if name == "start" else name.replace("_", "-")


def _literal(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c, c) for c in text) + '"'
