"""The `annotune-*` attributes that an admin may write: on the config's root <View>, and one on a
<TextArea>.

Label Studio keeps attributes it does not know. A value that cannot be read is named, and the
default of the settings stands.
"""

from __future__ import annotations

import re
from typing import Any

from label_config.controls import Admin, Unsupported
from label_config.tree import Element

PREFIX = "annotune-"
ATTRIBUTES = {
    "annotune-base": "the name of a base model that the server allows",
    "annotune-target": "a score from 0 to 1, or a percentage such as 90%",
    "annotune-regulated": "true or false",
    "annotune-blind-share": "a share from 0.05 to 0.5, or a percentage such as 20%",
}
ROLE = "annotune-role"
"""Of a <TextArea>, what its texts are for; read with that tag (label_config/notes.py)."""


def read_admin(root: Element) -> tuple[Admin, tuple[Unsupported, ...]]:
    """What the root says, and an entry for each attribute that cannot be read or stands in a place
    where it says nothing."""
    found: dict[str, Any] = {}
    refused: list[Unsupported] = []
    for element in root.iter():
        for name, value in element.attrib.items():
            if not isinstance(element.tag, str) or not str(name).lower().startswith(PREFIX):
                continue
            problem: tuple[str, str] | None
            if str(name).lower() == ROLE:
                problem = None if element.tag == "TextArea" else _NO_ROLE
            else:
                problem = _read(str(name), str(value), found) if element is root else _BELOW
            if problem:
                refused.append(Unsupported(str(name), element.tag, *problem))
    return Admin(**found), tuple(refused)


_NO_ROLE = (f"{ROLE} is read on a <TextArea> only", "move it to the <TextArea> that is meant")
_BELOW = ("annotune attributes are read on the root <View> only", "move it to the root <View>")


def _read(name: str, value: str, found: dict[str, Any]) -> tuple[str, str] | None:
    if name not in ATTRIBUTES:
        return f"{name} is no attribute of ours", f"use one of {', '.join(ATTRIBUTES)}"
    read: str | float | bool | None
    if name == "annotune-base":
        read = value.strip() or None
    elif name == "annotune-regulated":
        read = {"true": True, "false": False}.get(value.strip().lower())
    else:
        read = _share(value, *((0.0, 1.0) if name == "annotune-target" else (0.05, 0.5)))
    if read is None:
        return f"{value!r} cannot be read", f"write {ATTRIBUTES[name]}"
    found[name.removeprefix(PREFIX).replace("-", "_")] = read
    return None


def _share(value: str, low: float, high: float) -> float | None:
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,9})?|\.\d{1,9})\s*(%?)", value.strip())
    if match is None:
        return None
    share = float(match[1]) / (100 if match[2] else 1)
    return share if low <= share <= high else None
