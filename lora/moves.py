"""Every move of CURRENT, in `moves.json` beside it: who moved it, when, from what to what and why.

A move is noted before it is made. One that a crash cut off in between stands last in the file and
is not what CURRENT says: it is left out, and the next move takes its place. Sync copies the moves
into its log's audit, since workers never touch that.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from lora.shapes import read_list, read_one

What = Literal["promoted", "rolled back", "fell back"]
GATE = "gate"
"""Who moves CURRENT where nobody did by hand."""


@dataclass(frozen=True)
class Current:
    """What CURRENT says: the version (None: the cold start), since when, moved by whom and why."""

    version: str | None = None
    moved_at: str = ""
    by: str = ""
    why: str = ""
    previous: str | None = None


@dataclass(frozen=True)
class Move:
    """One move. `version`: what served from then on (None: the cold start); `login`: the user of
    the operating system at whose command it was."""

    version: str | None
    previous: str | None
    moved_at: str
    by: str
    why: str
    what: What = "promoted"
    login: str = ""


def moves(folder: Path) -> list[Move]:
    """The moves of the project in this folder, oldest first."""
    now = read_one(folder / "CURRENT.json", Current)
    if now is None:
        return []
    known = _noted(folder)  # after CURRENT: so its own move is among them
    at = next((i for i, m in enumerate(known) if m.moved_at == now.moved_at), None)
    if at is None:  # by a program that noted nothing, or one whose note a slower rival replaced
        return [
            *_before(known, now),
            Move(now.version, now.previous, now.moved_at, now.by, now.why),
        ]
    return known[: at + 1]


def _before(known: list[Move], now: Current) -> list[Move]:
    """The moves up to the one that `now` followed: a rival's behind it was never made."""
    ends = [i + 1 for i, m in enumerate(known) if m.version == now.previous]
    return known[: ends[-1]] if ends else [] if now.previous is None else known


def noted(folder: Path, move: Move) -> str:
    """What moves.json holds once a move that is about to be made is noted; the caller holds the
    store's lock."""
    known = [asdict(m) for m in moves(folder)]
    return json.dumps([*known, asdict(move)], ensure_ascii=False, indent=0)


def _noted(folder: Path) -> list[Move]:
    return read_list(folder / "moves.json", Move)
