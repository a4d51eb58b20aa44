"""One project as the model server follows it: what CURRENT asks for, what serves, who is blind.

Everything here is called by the watcher thread, except `blind_now` and `name`, which read small
files only. `Serving` is swapped whole, so a reader sees one version or the next, never a mixture.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from label_config.values import Schema
from lora.adapter import Manifest
from lora.base import Base
from lora.errors import BrokenAdapter
from lora.loaded import Loaded, Opened, cold_name, open_version, ready, served_name
from lora.store import ProjectStore

SCHEMAS = 4  # label configs of one project kept ready
RETRY_S = 10.0  # a version that failed to load is tried again after this long

Stamp = tuple[int, int, int] | None


def stamp(path: Path) -> Stamp:
    """What changes when a file is replaced; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


@dataclass(frozen=True)
class Serving:
    """The version that answers (None: the cold start) and what is ready of it by schema digest."""

    opened: Opened | None
    since: float
    ready: Mapping[str, Loaded] = field(default_factory=dict)

    @property
    def version(self) -> str | None:
        return self.opened.version if self.opened else None


class Followed:
    """One project's state. The watcher alone writes `serving`, `wanted` and `error`."""

    def __init__(self, store: ProjectStore) -> None:
        self.store = store
        self.schemas: OrderedDict[str, Schema] = OrderedDict()
        self.serving: Serving | None = None
        self.wanted: str | None = None
        self.error: str | None = None
        self._seen: Stamp = None
        self._tried = 0.0
        self.blind_error: str | None = None
        self._blind: tuple[Stamp, frozenset[int]] = (None, frozenset())

    def ask(self, schema: Schema) -> None:
        """Note that a schema is in use, so that the next version is made ready for it too."""
        self.schemas[schema.digest] = schema
        self.schemas.move_to_end(schema.digest)
        while len(self.schemas) > SCHEMAS:
            self.schemas.popitem(last=False)

    def name(self, schema: Schema) -> str:
        """The version that a prediction for `schema` carries now; reads two small files at most."""
        if self.serving is not None:
            opened = self.serving.opened
            return (
                served_name(opened.version, opened.trained_on, schema)
                if opened
                else cold_name(schema)
            )
        for version in self._candidates():
            manifest = self._manifest(version)
            if manifest is not None:
                return served_name(manifest.version, manifest.schema, schema)
        return cold_name(schema)

    def _manifest(self, version: str | None) -> Manifest | None:
        if version is None:
            return None
        try:
            return Manifest.read(self.store.adapter_folder(version))
        except BrokenAdapter:
            return None

    def blind_now(self) -> frozenset[int]:
        """The ids whose predictions are withheld, read anew when the file changed.

        Raises ValueError while the file is unreadable and no good list was ever read.
        """
        seen = stamp(self.store.folder / "blind.json")
        known, blind = self._blind
        if seen == known:
            return blind
        if seen is None and known is not None:  # taken away: withhold what was withheld
            self.blind_error = "blind.json is gone; the list read last still holds"
            return blind
        try:
            blind = self.store.blind()
        except (ValueError, TypeError, OSError) as error:
            self.blind_error = f"blind.json cannot be read: {error}"
            if known is None:
                raise ValueError(self.blind_error) from error
            return blind
        self._blind = (seen, blind)  # one assignment: a reader never sees half of it
        self.blind_error = None
        return blind

    def follow(self, base: Base) -> Serving | None:
        """What should serve from now on, or None when nothing changes.

        A version that cannot be loaded leaves the old one serving and says so in `error`; at the
        start the newest older complete version serves instead, at last the cold start.
        """
        seen = stamp(self.store.folder / "CURRENT.json")
        due = seen != self._seen or self.serving is None
        if not due and (self.error is None or time.monotonic() - self._tried < RETRY_S):
            return self._complete(base)
        self._seen, self._tried = seen, time.monotonic()
        try:
            self.wanted = self.store.current().version
        except (ValueError, TypeError, OSError) as error:
            broken = f"CURRENT.json cannot be read: {error}"
            good = None if self.serving else self._first_good(base, self._older(None))
            self.error = broken
            return good
        if self.serving and self.serving.version == self.wanted:
            self.error = None
            return self._complete(base)
        return self._first_good(base, [self.wanted] if self.serving else self._candidates())

    def _first_good(self, base: Base, versions: list[str | None]) -> Serving | None:
        errors: list[str] = []
        for version in versions:
            try:
                folder = self.store.adapter_folder(version) if version else None
                opened = open_version(base, folder) if folder else None
            except (BrokenAdapter, OSError) as error:
                errors.append(str(error))
                continue
            self.error = errors[0] if errors else None
            made = {d: ready(base, opened, s) for d, s in list(self.schemas.items())}
            return Serving(opened, time.time(), made)
        self.error = errors[0]
        return None

    def _complete(self, base: Base) -> Serving | None:
        """The same version, made ready for schemas that were asked for meanwhile."""
        serving = self.serving
        assert serving is not None
        asked = dict(self.schemas)
        missing = {d: s for d, s in asked.items() if d not in serving.ready}
        if not missing:
            return None
        made = {d: ready(base, serving.opened, s) for d, s in missing.items()}
        kept = {d: loaded for d, loaded in serving.ready.items() if d in asked}
        return Serving(serving.opened, serving.since, {**kept, **made})

    def _candidates(self) -> list[str | None]:
        try:
            wanted = self.store.current().version
        except (ValueError, TypeError, OSError):
            return self._older(None)
        return [wanted, *self._older(wanted)] if wanted else [None]

    def _older(self, than: str | None) -> list[str | None]:
        """Complete versions before `than` that served once, newest first; then the cold start.

        Neither one a person withdrew nor a candidate the gate kept back ever stands in.
        """
        good = self.store.served() - self.store.withdrawn()
        found = [m.version for m in reversed(self.store.versions()) if m.version in good]
        if than is not None:
            found = [v for v in found if _number(v) < _number(than)]
        return [*found, None]

    def report(self) -> dict[str, Any]:
        """This project's part of /health."""
        s = self.serving
        return {
            "version": s.version if s else None,
            "wanted": self.wanted,
            "error": self.error or self.blind_error,
            "since": s.since if s else None,
        }


def _number(version: str) -> int:
    digits = version[1:].partition("-")[0]
    return int(digits) if digits.isdigit() else 0
