"""A <TextArea> marked `annotune-role`: what experts write there is data to train with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from label_config.admin import ROLE
from label_config.controls import Note, Role
from label_config.objects import read_object
from label_config.tree import Element

ROLES: tuple[Role, ...] = get_args(Role)
NOTE_USE: Mapping[Role, str] = {
    "variant": "each text typed here becomes an example with the same answer",
    "context": "what is typed here guides a generator, and no model reads it",
}


class NoteProblem(ValueError):
    """Why a marked <TextArea> is of no use, and what would do: `reason`, `remedy`."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def read_note(attr: Mapping[str, str], named: Mapping[str, Element], urls: bool) -> Note:
    """The Note of one tag's attributes (names in lower case), with the config's objects by name.

    Raises NoteProblem, and ObjectProblem where a variant points at what is no text to read.
    """
    role = next((r for r in ROLES if r == attr[ROLE].strip().lower()), None)
    if role is None:
        raise NoteProblem(f"{ROLE}={attr[ROLE]!r} cannot be read", f"write {' or '.join(ROLES)}")
    name, target = attr.get("name", ""), attr.get("toname", "").strip()
    if not name:
        raise NoteProblem("it has no name", 'give it a name="..."')
    if role == "context":
        return Note(name, role)
    if target not in named:
        raise NoteProblem(f'toName="{target}" names no object', "name an existing <Text>")
    shown = read_object(named[target], urls)
    if shown.kind == "Paragraphs":
        raise NoteProblem(
            "a variant is typed as one text, and it points at a dialogue", "point it at a <Text>"
        )
    return Note(name, role, shown.key)
