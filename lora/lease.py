"""A piece of work that one machine does at a time: an object in the bucket, renewed while it lasts.

It counts as held for `Patience.lease_s` after its last renewal, and is renewed four times in that.
Its age is read by the server's clock alone. It only spares double work: a holder whose lease was
taken over goes on, and what it writes is refused by compare-and-set where another was quicker.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lora.errors import Raced, StoreDown
from lora.s3 import S3, Missing

log = logging.getLogger(__name__)


@contextmanager
def held(s3: S3, name: str, own: Path) -> Iterator[bool]:
    """Hold the lease; yields False where another machine does. `own`: a folder that no two
    machines share; who holds its file lock takes over what a dead process of it left."""
    under, _, file = name.rpartition("/")
    seen = s3.listing(f"{under}/")
    now = seen.files.get(file)
    holder = f"{socket.gethostname()} {own}"
    if now is not None and (seen.now - now.modified).total_seconds() < s3.patience.lease_s:
        if _holder(s3, name) != holder:
            yield False
            return
    raw = json.dumps({"by": holder, "pid": os.getpid(), "run": os.urandom(8).hex()}).encode()
    try:
        etag = s3.put(name, raw, match=now.etag if now else None, new=now is None)
    except Raced:
        yield False
        return
    keeper = _Keeper(s3.brisk(), name, raw, etag)
    keeper.start()
    try:
        yield True
    finally:
        keeper.stop()


def _holder(s3: S3, name: str) -> str | None:
    try:
        raw, _ = s3.get(name)
        return str(json.loads(raw).get("by"))
    except (Missing, ValueError):
        return None


class _Keeper(threading.Thread):
    """Renews a lease until it is stopped, then lets go of it."""

    def __init__(self, s3: S3, name: str, raw: bytes, etag: str) -> None:
        super().__init__(name="annotune-lease", daemon=True)
        self._s3, self._name, self._raw, self._etag = s3, name, raw, etag
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._s3.patience.lease_s / 4):
            try:
                self._etag = self._s3.put(self._name, self._raw, match=self._etag)
            except Raced:
                log.warning("%s was taken over by another machine", self._name)
                return
            except StoreDown as down:
                log.warning("%s could not be renewed: %s", self._name, down)

    def stop(self) -> None:
        self._over.set()
        self.join()
        under, _, file = self._name.rpartition("/")
        try:
            if self._s3.listing(f"{under}/").files[file].etag == self._etag:
                self._s3.delete(self._name)
        except (StoreDown, KeyError) as error:
            log.warning("%s was not let go of: %s", self._name, error)
