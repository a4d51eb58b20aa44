"""Putting a backup back: staged, checked, cleaned of what was forgotten since, then renamed into
place.

Two renames bring it in, the store's and then the log's (on PostgreSQL: one transaction); a note in
the home folder stands while they are made, and nothing starts on it. Cut off in between, the same
command goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from dataclasses import replace as replace_
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lora.adapter import verify
from lora.atomic import sync_folder, write_atomic
from lora.errors import BrokenAdapter
from lora.marks import locked
from lora.store import PROJECT, Store
from settings import Settings, Sync
from sync.backup import LOG, STORE, not_ours
from sync.backups import (
    DAMAGED,
    DIGESTS,
    FORGOTTEN,
    HEAD,
    NOTE,
    STAGE,
    Backups,
    BrokenBackup,
    Forgotten,
    Head,
    NewerBackup,
    head_of,
    listed,
    read_forgotten,
    write_forgotten,
)
from sync.forget import forget_again
from sync.log import Log
from sync.log_audit import Entry
from sync.log_engine import in_file
from sync.log_tables import SCHEMA_VERSION
from sync.operate import Impossible, Person, checked

RESTORING = "restoring.json"
PIECE = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}"
INSIDE = re.compile(rf"^{STORE}/projects/([A-Za-z0-9_-]+)(/{PIECE}){{1,3}}$")
BLOCK = 1 << 20
ROOM = 1.2  # of what it takes: the log is written anew once more where something is forgotten


@dataclass(frozen=True)
class Restored:
    """What a restore did. `aside`: where the home's former log and store are now, if it had any."""

    head: Head
    forgotten: Sequence[Forgotten]
    aside: Path | None

    def to_dict(self) -> dict[str, Any]:
        again = sorted({f"{f.subject} of project {f.project}" for f in self.forgotten})
        named = {"at": self.head.at, "aside": str(self.aside) if self.aside else None}
        projects = {p: dict(said) for p, said in self.head.projects.items()}
        return named | {"forgotten_again": again, "projects": projects}


def restore(
    settings: Settings,
    path: Path,
    by: Person,
    why: str = "",
    *,
    replace: bool = False,
    running: bool = False,
    no_list: bool = False,
) -> Restored:
    """Put a backup back into the home folder.

    `replace`: though there is a log or a store, which are set aside; `running`: though a backend or
    a worker runs; `no_list`: though nobody can tell what was forgotten since. Raises Impossible,
    BrokenBackup, NewerBackup; the home is as it was then.
    """
    why = checked(why)
    not_ours(settings)
    if settings.place:
        raise Impossible(
            f"ANNOTUNE_STORE says that the store is {settings.store}: restore without it, and move "
            f"{settings.home / STORE} there"
        )
    if in_file(settings.log_url) and settings.log_url != replace_(settings, sync=Sync()).log_url:
        raise Impossible(
            "ANNOTUNE_SYNC_LOG says that the log is elsewhere than in the home folder: restore "
            "without it and move log.db there"
        )
    settings.home.mkdir(parents=True, exist_ok=True)
    backups = Backups.of(settings)
    with _nobody_else(settings, backups, running):
        cut_off = (settings.home / RESTORING).exists()
        if _filled(settings) and not (replace or cut_off):
            raise Impossible(
                f"{settings.home} holds a log or a store already; --replace sets them aside"
            )
        stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=settings.home))
        try:
            head = unpack(path, stage)
            gone = _list(backups, path, head, stage, no_list)
            again = _clean(stage, head, gone, by, why, path.name)
            aside = _swap(settings, stage, path)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        backups.register(path.parent.resolve(), head.home)
        backups.note(*gone)
        (settings.home / RESTORING).unlink()
    return Restored(head, again, aside)


def refuse_half(home: Path) -> None:
    """Raises Impossible where a restore was cut off between its renames."""
    if (home / RESTORING).exists():
        raise Impossible(
            f"a restore into {home} was cut off: run `annotune restore` again, with the same file"
        )


@contextmanager
def _nobody_else(settings: Settings, backups: Backups, running: bool) -> Iterator[None]:
    home = settings.home
    with locked(home / "sync.lock", 0.0) as no_sync, backups.alone() as no_backup:
        if not no_sync:
            raise Impossible(f"sync runs on {home}: stop annotune first (Ctrl-C of `annotune up`)")
        if not no_backup:
            raise Impossible("a backup is under way, or something is being forgotten")
        if not running and (who := _runs(settings)):
            raise Impossible(f"{who}: stop it first, or say --running")
        backups.sweep()
        yield


def _runs(settings: Settings) -> str | None:
    """Who else works on the home folder, as far as this machine can tell."""
    store = Store(settings.store)
    for name in store.projects():
        if store.project(name).is_training():
            return f"a training of project {name} runs"
    state = settings.home / "up.json"
    try:
        pid = int(json.loads(state.read_text(encoding="utf-8"))["supervisor"])
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError, ValueError, KeyError):
        return None
    except PermissionError:
        pass  # somebody else's process: it is there
    return f"`annotune up` runs (process {pid})"


def _filled(settings: Settings) -> bool:
    """Whether the home holds anything; an empty log, which any command makes, is nothing."""
    if Store(settings.store).projects():
        return True
    if in_file(settings.log_url) and not (settings.home / LOG).exists():
        return False
    log = Log(settings.log_url)
    try:
        return bool(log.connected())
    finally:
        log.close()


# ---- reading it


def unpack(path: Path, to: Path) -> Head:
    """Unpack a backup into an empty folder, every file against its digest.

    Raises BrokenBackup, NewerBackup, FileNotFoundError; Impossible where there is no room.
    """
    try:
        with tarfile.open(path, "r|gz") as tar:
            return _unpacked(path, tar, to)
    except FileNotFoundError:
        raise
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the file's
        raise BrokenBackup(f"{path} is damaged: {error}") from error


def _unpacked(path: Path, tar: tarfile.TarFile, to: Path) -> Head:
    head: Head | None = None
    room = 0
    found: dict[str, str] = {}
    told: dict[str, str] | None = None
    for member in tar:
        held = tar.extractfile(member) if member.isreg() else None
        if member.name in {HEAD, DIGESTS} and member.size > NOTE:
            held = None
        if held is None or told is not None or member.name in found:
            raise BrokenBackup(f"{path} holds {member.name!r}, which no backup does there")
        if head is None:
            raw = held.read() if member.name == HEAD else b"{}"
            head, found[HEAD] = _checked_head(path, raw, to), hashlib.sha256(raw).hexdigest()
            room = int(ROOM * head.bytes)
        elif member.name == DIGESTS:
            told = json.loads(held.read())
        elif (room := room - member.size) < 0:
            raise BrokenBackup(f"{path} holds more than the {head.bytes} bytes it says")
        else:
            found[member.name] = _unpack_one(path, member.name, held, to)
    if head is None or told is None:
        raise BrokenBackup(f"{path} ends too early: it has no {DIGESTS}")
    wrong = sorted(n for n in {*told, *found} if told.get(n) != found.get(n))
    if wrong:
        raise BrokenBackup(
            f"{path} is damaged: {wrong[0]} has another SHA-256 than {DIGESTS} names"
        )
    return head


def _checked_head(path: Path, raw: bytes, to: Path) -> Head:
    head = head_of(path, raw)
    if head.log_schema > SCHEMA_VERSION:
        raise NewerBackup(
            f"the log in {path} has schema {head.log_schema}, written by annotune {head.program}; "
            f"this program reads up to {SCHEMA_VERSION}: restore it with that one"
        )
    free = shutil.disk_usage(to).free
    if free < ROOM * head.bytes:
        need, is_free = ROOM * head.bytes / 1e6, free / 1e6
        raise Impossible(f"restoring takes {need:.0f} MB in {to.parent}; {is_free:.0f} are free")
    return head


def _unpack_one(path: Path, name: str, held: Any, to: Path) -> str:
    inside = INSIDE.match(name)
    if name not in {LOG, FORGOTTEN} and not (inside and PROJECT.fullmatch(inside[1])):
        raise BrokenBackup(f"{path} holds {name!r}, which no backup does")
    target, digest = to / name, hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        while block := held.read(BLOCK):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    if target.suffix == ".key":
        target.chmod(0o600)
    return digest.hexdigest()


# ---- what must not come back


def _list(backups: Backups, path: Path, head: Head, stage: Path, no_list: bool) -> list[Forgotten]:
    """All that is known to be forgotten: beside the file, in the home, in the backup itself."""
    beside = listed(path.parent, head.home)
    if not beside.exists() and not no_list:
        raise Impossible(
            f"there is no {beside}, so nobody can tell what was forgotten since {head.at}: put it "
            "there, or say --no-list if nothing was"
        )
    own = read_forgotten(beside) + read_forgotten(stage / FORGOTTEN)
    if backups.name() in {"", head.home}:
        own += backups.forgotten()
    write_forgotten(stage / FORGOTTEN, own)
    return read_forgotten(stage / FORGOTTEN)


def _clean(
    stage: Path, head: Head, gone: Sequence[Forgotten], by: Person, why: str, file: str
) -> list[Forgotten]:
    """Check what was unpacked, take out what was forgotten, and enter who restored it."""
    try:
        with closing(sqlite3.connect(stage / LOG)) as raw:
            said = raw.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said != "ok":
        raise BrokenBackup(f"the log in {file} is damaged: {said}")
    log, store = Log(f"sqlite:///{stage / LOG}"), Store(stage / STORE)
    try:
        again: list[Forgotten] = []
        for project in log.connected():
            place = store.project(project)
            serving = place.current().version
            if serving is not None:
                verify(place.adapter_folder(serving))
            own = [f for f in gone if f.project == project]
            again += [f for f in own if forget_again(log, place, f, head.at)]
            told = {"backup": file, "at": head.at, "login": by.login}
            at = datetime.now(timezone.utc)
            log.enter(project, [Entry(at, by.who, "restored", "", why, told)])
        if problem := log.scrub() if again else None:
            raise Impossible(problem)
        return again
    except BrokenAdapter as error:
        raise BrokenBackup(f"what serves in {file} is damaged: {error}") from error
    finally:
        log.close()


# ---- bringing it in


def _swap(settings: Settings, stage: Path, path: Path) -> Path | None:
    """The home's own log and store go aside, the new ones come in; a note stands meanwhile."""
    home = settings.home
    write_atomic(home / RESTORING, json.dumps({"file": str(path.resolve())}))
    aside: Path | None = None
    old = [p for p in (home / STORE, *sorted(home.glob(f"{LOG}*"))) if p.exists()]
    if old or not in_file(settings.log_url):
        stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        aside = Path(tempfile.mkdtemp(prefix=f"replaced-{stamp}-", dir=home))
        for one in old:
            os.rename(one, aside / one.name)
    (stage / STORE).mkdir(exist_ok=True)
    os.rename(stage / STORE, home / STORE)
    sync_folder(home)
    if in_file(settings.log_url):
        os.rename(stage / LOG, home / LOG)
        sync_folder(home)
    else:
        _pour(settings, stage / LOG, aside)
    return aside


def _pour(settings: Settings, copy: Path, aside: Path | None) -> None:
    """Into PostgreSQL, where the former log goes into a schema that is named as the folder is."""
    assert aside is not None  # nosec B101  # for mypy and the reader
    log = Log(settings.log_url)
    try:
        log.take_over(copy, aside.name)
    finally:
        log.close()
