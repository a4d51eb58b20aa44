"""Opening the store that the settings name: a folder, or a bucket and its mirror here."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from lora.atomic import read_json, write_atomic
from lora.mirror import Mirror
from lora.s3 import S3, Address, Patience
from lora.store import Store
from settings import Settings

NOTE = "bucket.json"  # in the mirror's root: what it mirrors, for our children


def open_store(settings: Settings, *, worker: bool = False, serves: bool = False) -> Store:
    """The store of these settings; talks to nobody yet. `worker`: goes on trying for minutes, as
    what it has made must not be lost; `serves`: the model server's, which mirrors what it needs
    and looks at the bucket from its watcher alone."""
    if not settings.bucket:
        return Store(settings.store)
    own = settings.s3
    how = Patience(own.timeout_s, own.attempts, own.patience_s if worker else 0.0, own.lease_s)
    root = settings.store
    root.mkdir(parents=True, exist_ok=True)
    note = {"address": settings.bucket, **asdict(how)}
    if read_json(root / NOTE, None) != note:
        write_atomic(root / NOTE, json.dumps(note))
    return _store(root, settings.bucket, how, own.poll_s, serves)


def store_at(root: Path) -> Store:
    """The store at this folder, which a parent process has opened."""
    note = read_json(root / NOTE, None)
    if note is None:
        return Store(root)
    address = note.pop("address")
    return _store(root, address, Patience(**note), None, False)


def _store(root: Path, words: str, how: Patience, fresh_s: float | None, serves: bool) -> Store:
    s3 = S3(Address.read(words), how)
    return Store(root, lambda folder: Mirror(folder, s3, fresh_s, light=serves), s3, serves)
