"""What ops do by hand: promote a version, or roll back. Each is one move of CURRENT, in the name of
whoever asked for it."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from typing import Any

from lora.approved import unapproved
from lora.errors import BrokenAdapter
from lora.moves import GATE
from lora.store import ProjectStore

LOOP = "annotune"
"""Who did it where nobody did by hand."""
NAME = 120  # code points of a person's name
WHY = 2000


class Impossible(Exception):
    """What was asked for cannot be done; the message says why and what would do."""


class NoSuchVersion(Impossible):
    """The project has no complete version of that name."""


@dataclass(frozen=True)
class Person:
    """Who gave a command: the name they gave, or the user of the operating system, `login`."""

    login: str
    name: str | None = None

    def __post_init__(self) -> None:
        name = self.name
        if name is not None and (not name.strip() or not name.isprintable() or len(name) > NAME):
            raise Impossible(f"--as {name[:NAME]!r} is no name: one line of at most {NAME} letters")
        if name is not None and name.strip().lower() in {LOOP, GATE}:
            raise Impossible(f"--as {name!r} is how annotune signs what it does by itself")

    @property
    def who(self) -> str:
        """What goes into the audit log; a user who is called as the loop is told apart from it."""
        if self.name is not None:
            return self.name.strip()
        return f"user {self.login}" if self.login.lower() in {LOOP, GATE} else self.login


def person(name: str | None = None) -> Person:
    """Whoever runs this process, under the name they give. Raises Impossible."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry; OSError since Python 3.13
        login = f"uid {os.getuid()}"
    return Person(login, name)


@dataclass(frozen=True)
class Moved:
    """CURRENT was moved by a person."""

    before: str | None
    now: str | None
    by: str

    def to_dict(self) -> dict[str, Any]:
        return {"before": self.before, "version": self.now, "by": self.by}


def promote(store: ProjectStore, version: str, by: Person, why: str = "") -> Moved:
    """Make a version serve because a person says so; lifts a rollback or a quarantine of it.

    Raises Impossible when there is no such complete version, it serves already, or the project is
    regulated and nobody gave their name, or it learned from what nobody approved.
    """
    known_version(store, version)
    before = store.current().version
    if before == version and version not in store.quarantined():
        raise Impossible(f"{version} serves already")
    if store.regulated():
        _regulated(store, version, by)
    why = checked(why) or "promoted by hand"
    store.move_current(before, version, by=by.who, why=why, by_hand=True, login=by.login)
    return Moved(before, version, by.who)


def _regulated(store: ProjectStore, version: str, by: Person) -> None:
    if by.name is None:
        raise Impossible(
            f"project {store.name} is regulated, so a promotion needs a name: "
            f"annotune promote {store.name} {version} --as NAME"
        )
    manifest = next(m for m in store.versions() if m.version == version)
    try:
        refused = unapproved(store.snapshot(manifest.recipe.snapshot))
    except (FileNotFoundError, BrokenAdapter) as error:
        raise Impossible(
            f"project {store.name} is regulated, and what {version} learned from cannot be read: "
            f"{error}"
        ) from error
    if refused:
        raise Impossible(f"project {store.name} is regulated, and {version} learned from {refused}")


def known_version(store: ProjectStore, version: str) -> None:
    """Raises NoSuchVersion where the project has no such complete version, naming those it has."""
    known = [m.version for m in store.versions()]
    if version not in known:
        has = ", ".join(known) or "none"
        raise NoSuchVersion(f"project {store.name} has no version {version!r}; it has {has}")


def rollback(store: ProjectStore, by: Person, to: str | None = None, why: str = "") -> Moved:
    """Serve an earlier version again, or the cold start; the one left is marked as rolled back.

    Without `to`: what served before it, or else the newest older version that once served; none
    that was rolled back itself or did not load. Raises Impossible.
    """
    before = store.current().version
    if before is None:
        raise Impossible(f"project {store.name} serves the cold start; there is nothing before it")
    target = next(iter(store.stand_ins(before)), None)
    if to is not None:
        target = None if to == "cold" else _served_once(store, to)
    if target == before:
        raise Impossible(f"{before} serves already")
    why = checked(why) or f"rolled back from {before}"
    store.move_current(
        before, target, by.who, why, by_hand=True, what="rolled back", login=by.login
    )
    return Moved(before, target, by.who)


def _served_once(store: ProjectStore, version: str) -> str:
    """What a rollback may go to; anything else is a promotion, with what that asks for."""
    known_version(store, version)
    why_not = {
        "it never served": version not in store.served(),
        "it was rolled back itself": version in store.withdrawn(),
        f"it does not load: {store.quarantined().get(version)}": version in store.quarantined(),
    }
    for reason, holds in why_not.items():
        if holds:
            raise Impossible(
                f"a rollback goes to what served, and of {version} {reason}; to serve it all the "
                f"same: annotune promote {store.name} {version}"
            )
    return version


def checked(why: str) -> str:
    """A reason as it is kept; raises Impossible on one that is too long to be one."""
    if len(why) > WHY:
        raise Impossible(f"--why has {len(why)} characters; {WHY} at most are kept")
    return why.strip()
