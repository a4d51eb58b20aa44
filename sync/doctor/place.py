"""This machine: the data folder, its room and its rights, the packages, what is open on purpose."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from lora.bundled import cache_folder
from settings import InvalidSetting, Settings
from settings_guard import warnings
from sync.doctor.finding import Finding, ok, problem, warning
from sync.log import Log, LogDown, NewerLog

GB = 1_000_000_000
LITTLE, LOW = 1 * GB, 5 * GB
DIRECT = "label-studio-sdk flask waitress httpx rq redis sqlalchemy torch transformers peft".split()
OLDEST, NEWEST = (3, 10), (3, 13)


def folder(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The data folder: there, ours to write, shut to others, with room."""
    home = settings.home.resolve()
    if not home.is_dir():
        above = next(p for p in home.parents if p.is_dir())
        if os.access(above, os.W_OK | os.X_OK):
            yield warning("data folder", f"{home} is not there yet", f"mkdir -m 700 {home}")
        else:
            fix = f"mkdir -m 700 {home}, as who may; chown it to the user that runs annotune"
            yield problem("data folder", f"{home} is not there and cannot be made here", fix)
        yield from _room("disk", above)
        return
    barred = [p for p in (home, settings.store, home / "log.db", home / "logs") if not _writable(p)]
    if barred:
        fix = f"chown -R {_user()} {home}, or run annotune as who owns it"
        yield problem("data folder", f"{barred[0]} cannot be written by {_user()}", fix)
    else:
        yield ok("data folder", f"{home} can be written")
    mode = home.stat().st_mode & 0o777
    if mode & 0o077:
        seen = f"{home} may be read by others on this machine (mode {mode:o})"
        yield warning("data folder", seen, f"chmod 700 {home}")
    for path in _secret_files(environ):
        try:
            loose = path.stat().st_mode & 0o077
        except OSError:
            continue  # settings.load has said so already
        if loose:
            yield warning("secrets", f"{path} may be read by others", f"chmod 600 {path}")
    yield from _room("disk", home)
    if not _writable(cache_folder()):
        fix = f"chown it to {_user()}, or set ANNOTUNE_CACHE to a folder that {_user()} may write"
        yield problem("cache", f"{cache_folder()} cannot be written", fix)


def _room(check: str, place: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(place).free
    seen, fix = f"{free / GB:.1f} GB free at {place}", "make room, or move ANNOTUNE_HOME"
    if free < LITTLE:
        yield problem(check, f"{seen}: versions cannot be written", fix)
    elif free < LOW:
        yield warning(check, seen, fix)
    else:
        yield ok(check, seen)


def _writable(path: Path) -> bool:
    """What is not there yet is made below what is."""
    while not path.exists():
        path = path.parent
    return os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0))


def _user() -> str:
    return os.environ.get("USER") or f"uid {os.getuid()}"


def _secret_files(environ: Mapping[str, str]) -> list[Path]:
    ours = (v for k, v in environ.items() if k.startswith("ANNOTUNE_") and k.endswith("_FILE"))
    return [Path(value) for value in ours if value]


def log(settings: Settings) -> Iterator[Finding]:
    """The annotation log, where there is one already."""
    if _not_begun(settings):
        yield ok("log", "not begun yet; the first `annotune connect` makes it")
        return
    try:
        opened = Log(settings.log_url)
    except InvalidSetting as wrong:
        yield problem("log", str(wrong), "mend ANNOTUNE_SYNC_LOG, or what it says")
        return
    except LogDown as down:
        fix = "start its database, or mend ANNOTUNE_SYNC_LOG (empty: SQLite in the data folder)"
        yield problem("log", str(down), fix)
        return
    except NewerLog as newer:
        yield problem("log", str(newer), "install the newer annotune here, too")
        return
    try:
        where = opened.server or "it"
        yield ok("log", f"{where} answers; {len(opened.connected())} projects are connected")
    finally:
        opened.close()


def _not_begun(settings: Settings) -> bool:
    url = settings.log_url
    return url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()


def connected(settings: Settings) -> list[str]:
    """The projects in the loop; none where the log cannot be read (its own check says so)."""
    if _not_begun(settings):
        return []
    try:
        opened = Log(settings.log_url)
    except (LogDown, NewerLog, InvalidSetting):
        return []
    try:
        return opened.connected()
    finally:
        opened.close()


def packages() -> Iterator[Finding]:
    """What is installed fits together, and no label-studio-ml stands in the way."""
    python = ".".join(map(str, sys.version_info[:3]))
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        yield ok("python", python)
    else:
        fix = f"use Python 3.{OLDEST[1]} to 3.{NEWEST[1]}: make PYTHON=python3.12"
        yield warning("python", f"{python} is not tested", fix, 2)
    wrong = [w for name in DIRECT for w in unmet(name)]
    if wrong:
        fix = "install as the README says: pip install -c constraints.txt ."
        yield problem("packages", "; ".join(wrong[:5]), fix, 2)
    else:
        yield ok("packages", f"{len(DIRECT)} that annotune stands on have what they ask for", 1, 2)
    try:
        found = metadata.version("label-studio-ml")
    except metadata.PackageNotFoundError:
        return
    seen = f"label-studio-ml {found} is installed; annotune does not need it"
    fix = "pip uninstall label-studio-ml: its Flask 1.1.2 breaks ours"
    yield warning("packages", seen, fix, 1, 2, 8)


def unmet(name: str) -> list[str]:
    """What a package asks for and does not find."""
    try:
        asked = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return [f"{name} is not installed"]
    found = []
    for line in asked:
        try:
            need = Requirement(line)
            if need.marker is not None and not need.marker.evaluate({"extra": ""}):
                continue
            have = metadata.version(need.name)
        except (InvalidRequirement, UndefinedEnvironmentName):
            continue
        except metadata.PackageNotFoundError:
            found.append(f"{name} wants {need.name}, which is not installed")
            continue
        if not need.specifier.contains(have, prereleases=True):
            found.append(f"{name} wants {need.name}{need.specifier}, installed is {have}")
    return found


def choices(settings: Settings) -> Iterator[Finding]:
    """What the settings leave open, or make dear."""
    for said in warnings(settings):
        yield warning("open on purpose", said, "set a password and take the setting out again")
    if settings.train.every < 5:
        seen = f"ANNOTUNE_TRAIN_EVERY={settings.train.every}: nearly every answer starts a training"
        yield warning("training", seen, "set it to 25, or what people answer in half an hour", 9)
    else:
        yield ok("training", f"after {settings.train.every} new answers, in a queue", 9)
    if settings.sync.sweep_s > 3600:
        seen = f"ANNOTUNE_SYNC_SWEEP_S={settings.sync.sweep_s:g}: deletions may go unseen for long"
        yield warning("deletions", seen, "set it to 300", 15)
    else:
        seen = f"ids are compared every {settings.sync.sweep_s:g} s, webhook or not"
        yield ok("deletions", seen, 15)
