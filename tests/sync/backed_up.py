"""What tests of backups share: a house's files, and backups that were tampered with."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from settings import Settings
from sync.backup import backup
from sync.backups import Backups, Kept
from sync.forget import grant, told, wish_of
from sync.operate import Person
from tests.sync.house import House

OPS = Person("root", "Anna")
TEXT = "a text that nobody else wrote, to be forgotten"


def planted(house: House) -> int:
    return next(i for i, s in house.studio.tasks.items() if s.task.data["text"] == TEXT)


def made_of(ours: Settings) -> Kept:
    return backup(ours)[0]


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.suffix != ".lock" and p.name != "progress.json"
    }


def rewritten(path: Path, change: Any, to: str = "") -> Path:
    """The backup again, each member as `change(name, bytes)` has it; None leaves one out."""
    out = path.with_name(to) if to else path
    packed = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=packed, mode="w:gz") as new:
        for member in old:
            held = old.extractfile(member)
            assert held is not None
            name, raw = change(member.name, held.read()) or (None, b"")
            if name is not None:
                member.name, member.size = name, len(raw)
                new.addfile(member, io.BytesIO(raw))
    out.write_bytes(packed.getvalue())
    return out


def head_with(**named: Any) -> Any:
    def change(name: str, raw: bytes) -> tuple[str, bytes]:
        return name, json.dumps(
            {**json.loads(raw), **named}
        ).encode() if name == "backup.json" else raw

    return change


def forget(house: House, kind: Any, number: int) -> None:
    world, store = house.world, house.world.store.project("1")
    asked = wish_of(kind, number, OPS)
    store.wish(asked)
    assert grant(world.log, world.studio, store, Backups.of(world.settings)) is None
    assert told(world.log, store, asked) is not None
