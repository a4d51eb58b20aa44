"""Making a backup: one file with log, store and audit as they were at one moment, while all runs.

The log is copied first and the store after it, as sync writes them the other way round: what the
log names is in the store. Tokens and passwords are in no file of either.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from shutil import rmtree
from typing import IO, Any

from lora.atomic import sync_folder
from lora.copied import copy_store
from lora.store import Store
from settings import Settings
from sync import log_tables
from sync.backups import (
    DIGESTS,
    FORGOTTEN,
    HEAD,
    STAGE,
    STAMP,
    Backups,
    Head,
    Kept,
    write_forgotten,
)
from sync.log import Log
from sync.log_engine import in_file
from sync.operate import Impossible
from sync.release import own_release

LOG, STORE = "log.db", "store"


def backup(settings: Settings, to: Path | None = None) -> tuple[Kept, list[Path]]:
    """Write a backup into a folder; returns it, and those that had expired and were removed.

    Raises Impossible where there is nothing to back up or another backup is under way.
    """
    not_ours(settings)
    backups = Backups.of(settings)
    folder = (to or settings.backups).resolve()
    here = in_file(settings.log_url) and (settings.home / LOG).exists()
    if not (settings.store / "projects").is_dir() and not here:
        raise Impossible(f"{settings.home} holds neither a log nor a store: nothing to back up")
    with backups.alone() as nobody:
        if not nobody:
            raise Impossible("another backup is under way, or something is being forgotten")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = backups.register(folder)
        backups.sweep()
        stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=settings.home))
        try:
            head = _staged(settings, backups, stage, name)
            at = datetime.fromisoformat(head.at).strftime(STAMP)
            _write(stage, head, folder / f"annotune-{name}-{at}.tar.gz")
        finally:
            rmtree(stage)
        backups.note()  # a list that is there says that nothing is missing from it
        gone = backups.expire(folder)
    made = next(k for k in backups.kept() if k.head == head and k.path.parent == folder)
    return made, gone


def not_ours(settings: Settings) -> None:
    """Raises Impossible where the store lies in a bucket: files there are kept and brought back by
    its own tools, all with the log or not at all."""
    if settings.bucket:
        raise Impossible(
            f"the store is {settings.bucket}: keep it with its own tools, such as versioning of "
            "the bucket, replication or `aws s3 sync`, and the log before it, "
            f"{settings.home / LOG} with `sqlite3 .backup`, or pg_dump (docs/running.md)"
        )


def _staged(settings: Settings, backups: Backups, stage: Path, name: str) -> Head:
    log = Log(settings.log_url)
    try:
        at = datetime.now(timezone.utc)
        log.copy_to(stage / LOG)
    finally:
        log.close()
    copy_store(Store(settings.store), stage / STORE)
    write_forgotten(stage / FORGOTTEN, backups.forgotten())
    copied = Log(f"sqlite:///{stage / LOG}")
    try:
        projects = {p: _said(copied, stage, p) for p in copied.connected()}
    finally:
        copied.close()
    upto = datetime.now(timezone.utc).isoformat()
    size = sum(p.stat().st_size for p in stage.rglob("*") if p.is_file())
    schema = log_tables.SCHEMA_VERSION
    return Head(name, at.isoformat(), upto, own_release(), schema, size, projects)


def _said(log: Log, stage: Path, project: str) -> dict[str, Any]:
    serving = Store(stage / STORE).project(project).current().version
    counts = log.counts(project)
    return {"title": log.title(project), "serving": serving, "answers": counts.answers}


def _write(stage: Path, head: Head, path: Path) -> None:
    """The file appears whole, and only its owner can read it."""
    handle, temporary = tempfile.mkstemp(prefix=f".annotune-{head.home}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
                _pack(tar, stage, head)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _pack(tar: tarfile.TarFile, stage: Path, head: Head) -> None:
    digests = {HEAD: _add_json(tar, HEAD, asdict(head))}
    for path in sorted(p for p in stage.rglob("*") if p.is_file()):
        name = path.relative_to(stage).as_posix()
        with path.open("rb") as raw:
            read = _Digesting(raw)
            tar.addfile(_info(name, os.fstat(raw.fileno()).st_size), read)
        digests[name] = read.digest.hexdigest()
    _add_json(tar, DIGESTS, digests)


def _add_json(tar: tarfile.TarFile, name: str, value: Mapping[str, Any]) -> str:
    raw = json.dumps(value, sort_keys=True, ensure_ascii=True, indent=0).encode()
    tar.addfile(_info(name, len(raw)), io.BytesIO(raw))
    return hashlib.sha256(raw).hexdigest()


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


class _Digesting(io.RawIOBase):
    """A file that is digested as it is read: what is packed is what the digest is of."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._raw.read(size)
        self.digest.update(found)
        return found
