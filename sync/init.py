"""`annotune init`: the few answers that make a settings file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lora.atomic import write_atomic
from lora.recipe import HUB, find_source
from settings import InvalidSetting, load

DRAWN = 24  # bytes of a password that is drawn here


@dataclass(frozen=True)
class Wanted:
    """What was asked for. An empty password is drawn."""

    url: str
    token: str = field(repr=False)
    home: Path
    base: str
    password: str = field(default="", repr=False)
    redis: str = field(default="", repr=False)


def environment(wanted: Wanted) -> dict[str, str]:
    """The settings that follow. Raises InvalidSetting, and BaseUnavailable for a base that is not
    here (one of the hub is fetched when it is first needed)."""
    if not wanted.token:
        raise InvalidSetting("Label Studio's token is missing: ANNOTUNE_STUDIO_TOKEN or its _FILE")
    if not HUB.fullmatch(wanted.base):
        find_source(wanted.base)
    values = {
        "ANNOTUNE_STUDIO_URL": wanted.url,
        "ANNOTUNE_STUDIO_TOKEN": wanted.token,
        "ANNOTUNE_HOME": str(wanted.home.expanduser().resolve()),
        "ANNOTUNE_TRAIN_BASE": wanted.base,
        "ANNOTUNE_BACKEND_PASSWORD": wanted.password or secrets.token_urlsafe(DRAWN),
        "ANNOTUNE_SYNC_SECRET": secrets.token_urlsafe(DRAWN),
    }
    values |= {"ANNOTUNE_QUEUE_URL": wanted.redis} if wanted.redis else {}
    for name, value in values.items():
        if value != value.strip() or not value.isprintable():
            raise InvalidSetting(f"{name} has spaces around it, or signs that no line can hold")
    load(values)
    return values


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write a settings file that only its owner can read; complete, or as it was."""
    lines = [
        "# Made by annotune init. Read it with: annotune --env-file THIS ...",
        "# It holds passwords: keep it to yourself. Every other setting: settings.py",
        *(f"{name}={value}" for name, value in values.items()),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "\n".join(lines) + "\n")  # its temporary file has mode 0600, and keeps it
