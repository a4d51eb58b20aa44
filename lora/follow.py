"""One project as the model server follows it: what CURRENT asks for, what serves, who is blind.

Everything here is called by the watcher thread, except `blind_now` and `name`, which read small
files only. `Serving` is swapped whole, so a reader sees one version or the next, never a mixture.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from label_config.controls import Schema
from lora.adapter import Manifest
from lora.engine import Engine, Engines
from lora.errors import BaseUnavailable, BrokenAdapter, BrokenFile, NotTaken, Raced
from lora.loaded import Loaded, Opened, Pool, cold_name, served_name
from lora.store import ProjectStore

log = logging.getLogger(__name__)

SCHEMAS = 4  # label configs of one project kept ready
RETRY_S = 10.0  # a version that failed to load is tried again after this long

Stamp = tuple[int, int, int] | None


class Loading(Exception):
    """A base is on its way; what needs it is looked at again when it is there."""


def stamp(path: Path) -> Stamp:
    """What changes when a file is replaced; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


@dataclass(frozen=True)
class Serving:
    """The version that answers (None: the cold start), on which base, and what is ready of it by
    schema digest."""

    engine: Engine
    opened: Opened | None
    since: float
    ready: Mapping[str, Loaded] = field(default_factory=dict)

    @property
    def version(self) -> str | None:
        return self.opened.version if self.opened else None

    @property
    def nbytes(self) -> int:
        """What letting go of it gives back."""
        own = self.opened.nbytes if self.opened else 0
        return own + sum(loaded.nbytes for loaded in self.ready.values())


class Followed:
    """One project's state. The watcher alone writes `serving`, `wanted` and `error`."""

    def __init__(self, store: ProjectStore, default: str, allowed: Collection[str] = ()) -> None:
        """`default`: the server's base; `allowed`: others that a label config may ask for."""
        self.store = store
        self.schemas: OrderedDict[str, Schema] = OrderedDict()
        self.serving: Serving | None = None
        self.wanted: str | None = None
        self.broken: tuple[str, ...] = ()  # versions in quarantine, as of the last look at CURRENT
        self.error: str | None = None
        self.used = time.monotonic()
        self.asleep = False  # let go of for want of memory; the next request wakes it
        self.stuck: str | None = None  # why nothing at all can serve, not even the cold start
        self._default, self._allowed = default, allowed
        self._seen: Stamp = None
        self._tried = 0.0
        self.blind_error: str | None = None
        self._blind: tuple[Stamp, frozenset[int]] = (None, frozenset())
        self._pool: tuple[Stamp, Pool] = (None, ())
        self.pool_error: str | None = None
        self.marks_error: str | None = None  # of the lists that say who may stand in for whom

    def ask(self, schema: Schema) -> None:
        """Note that a schema is in use, so that the next version is made ready for it too."""
        self.used, self.asleep = time.monotonic(), False
        self.schemas[schema.digest] = schema
        self.schemas.move_to_end(schema.digest)
        while len(self.schemas) > SCHEMAS:
            self.schemas.popitem(last=False)

    def name(self, schema: Schema) -> str:
        """The version that a prediction for `schema` carries now; reads small files at most."""
        serving = self.serving
        if serving is not None:
            opened = serving.opened
            if opened:
                return served_name(opened.version, opened.trained_on, schema)
            loaded = serving.ready.get(schema.digest)
            return loaded.version if loaded else self._cold_name(schema)
        for version in self._candidates():
            manifest = self._manifest(version)
            if manifest is not None:
                return served_name(manifest.version, manifest.schema, schema)
        return self._cold_name(schema)

    def base_for(self, schema: Schema) -> str:
        """The base of the cold start: what the label config asks for, where that is allowed."""
        asked = schema.admin.base
        return asked if asked is not None and asked in self._allowed else self._default

    def base_error(self) -> str | None:
        """Why a label config does not get the base it asks for."""
        for schema in reversed(list(self.schemas.values())):
            asked = schema.admin.base
            if asked is not None and asked != self.base_for(schema):
                return f"base {asked!r} is not in ANNOTUNE_TRAIN_BASES; {self._default!r} serves"
            return None
        return None

    def _cold_name(self, schema: Schema) -> str:
        base = self.base_for(schema)
        return cold_name(schema, self._pool_now(), "" if base == self._default else base)

    def _pool_now(self) -> Pool:
        """The published pool, read anew when the file changed; a broken one changes nothing."""
        seen = stamp(self.store.folder / "pool.json")
        known, pool = self._pool
        if seen == known:
            return pool
        try:
            pool = self.store.pool()
            self.pool_error = None
        except (ValueError, TypeError, OSError) as error:
            self.pool_error = f"pool.json cannot be read: {error}"
        self._pool = (seen, pool)
        return pool

    def _manifest(self, version: str | None) -> Manifest | None:
        return None if version is None else self.store.manifest(version)

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

    def follow(self, engines: Engines) -> Serving | None:
        """What should serve from now on, or None when nothing changes.

        A version that cannot be loaded leaves the old one serving and says so in `error`; at the
        start the newest older complete version serves instead, at last the cold start. Raises
        Loading while a base is on its way.
        """
        if self.asleep:
            return None
        self.store.place.refresh_if_due()
        seen = stamp(self.store.folder / "CURRENT.json")
        due = seen != self._seen or self.serving is None
        tried = time.monotonic()
        try:
            if not due and (self.error is None or tried - self._tried < RETRY_S):
                return self._complete(engines)
            found = self._renew(engines)  # Loading leaves it due
        except BaseUnavailable as error:
            self.error = str(error)
            self.stuck = self.error if self.serving is None else None
            return None
        self._seen, self._tried = seen, tried
        return found

    def sleep(self) -> None:
        """Let go of what serves until somebody asks again."""
        self.serving, self.asleep = None, True

    def _renew(self, engines: Engines) -> Serving | None:
        try:
            self.wanted = self.store.current().version
        except (ValueError, TypeError, OSError) as error:
            broken = f"CURRENT.json cannot be read: {error}"
            good = None if self.serving else self._first_good(engines, self._stand_ins(None))
            self.error = broken
            return good
        if self.serving and self.serving.version == self.wanted:
            self.error = None
            self._mark(None, None)
            return self._complete(engines)
        return self._first_good(engines, [self.wanted] if self.serving else self._candidates())

    def _first_good(self, engines: Engines, versions: list[str | None]) -> Serving | None:
        errors: list[str] = []
        for version in versions:
            try:
                engine, opened = self._open(engines, version)
            except (BrokenAdapter, BaseUnavailable, OSError) as error:
                errors.append(str(error))
                if isinstance(error, BrokenAdapter) and not isinstance(error, NotTaken):
                    self._mark(version, str(error))
                    if version is not None:
                        self.store.place.distrust(version)
                continue
            self._mark(version, None)
            self.error, self.stuck = errors[0] if errors else None, None
            made = {d: self._ready(engine, opened, s) for d, s in self._fitting(engine, opened)}
            return Serving(engine, opened, time.time(), made)
        self.error = errors[0]
        self.stuck = errors[-1] if self.serving is None else None
        return None

    def _mark(self, version: str | None, why: str | None) -> None:
        """Put a version into quarantine, or let it out, where that is news; note who is in it."""
        try:
            known = self.store.quarantined()
            if version is not None and (why is not None or version in known):
                self.store.quarantine(version, why)
            self.broken = tuple(sorted(self.store.quarantined()))
        except (ValueError, OSError, Raced) as error:  # it serves, or does not, all the same
            log.warning("project %s: quarantined.json: %s", self.store.name, error)

    def _open(self, engines: Engines, version: str | None) -> tuple[Engine, Opened | None]:
        """A version on the base it was trained on, or the cold start on the config's base."""
        if version is None:
            latest = next(reversed(self.schemas.values()), None)
            return _engine(engines, self.base_for(latest) if latest else self._default), None
        folder = self.store.adapter_folder(version)
        recipe = Manifest.read(folder).recipe
        engine = _engine(engines, recipe.base, recipe.base_revision)
        return engine, engine.open(folder)

    def _ready(self, engine: Engine, opened: Opened | None, schema: Schema) -> Loaded:
        name = self._cold_name(schema)
        return engine.ready(opened, schema, self._pool_now(), name)

    def _fitting(self, engine: Engine, opened: Opened | None) -> list[tuple[str, Schema]]:
        """The schemas in use that this version answers: of the cold start those of its base."""
        asked = list(self.schemas.items())
        if opened or not asked:
            return asked
        base = self.base_for(asked[-1][1])
        return [(d, s) for d, s in asked if self.base_for(s) == base]

    def _complete(self, engines: Engines) -> Serving | None:
        """The same version, made ready for schemas that were asked for meanwhile, and the cold
        start made anew when its pool or its base changed."""
        now = self.serving
        assert now is not None  # nosec B101  # for mypy and the reader
        engine = now.engine if now.opened else self._open(engines, None)[0]
        fitting = dict(self._fitting(engine, now.opened))
        kept = {d: x for d, x in now.ready.items() if d in fitting and not self._stale(now, x)}
        missing = {d: s for d, s in fitting.items() if d not in kept}
        if not missing and engine is now.engine:
            return None
        if engine is not now.engine:
            kept, missing = {}, fitting
        made = {d: self._ready(engine, now.opened, s) for d, s in missing.items()}
        return Serving(engine, now.opened, now.since, {**kept, **made})

    def _stale(self, serving: Serving, loaded: Loaded) -> bool:
        return serving.opened is None and loaded.version != self._cold_name(loaded.schema)

    def _candidates(self) -> list[str | None]:
        try:
            wanted = self.store.current().version
        except (ValueError, TypeError, OSError):
            return self._stand_ins(None)
        return [wanted, *self._stand_ins(wanted)] if wanted else [None]

    def _stand_ins(self, than: str | None) -> list[str | None]:
        """Who may serve in a version's place; the cold start alone while the lists that say who
        once served and who was rolled back cannot be read."""
        try:
            found = self.store.stand_ins(than)
            self.marks_error = None
        except (BrokenFile, OSError) as error:
            found, self.marks_error = [], str(error)
        return [*found, None]

    def report(self) -> dict[str, Any]:
        """This project's part of /health."""
        s = self.serving
        return {
            "version": s.version if s else None,
            "wanted": self.wanted,
            "base": s.engine.base.name if s else None,
            "refused": self._refused(),
            "error": next((why for why in self._errors() if why), None),
            "since": s.since if s else None,
            "bytes": s.nbytes if s else 0,
            "asleep": self.asleep,
            "quarantined": list(self.broken),
        }

    def _errors(self) -> tuple[str | None, ...]:
        """What is wrong, the worst first."""
        other = (self.blind_error, self.base_error(), self.pool_error, self.marks_error)
        return (self.error, *other, self.store.place.problem)

    def _refused(self) -> dict[str, str]:
        """The controls that what serves leaves to people, and why."""
        ready = self.serving.ready if self.serving else {}
        return {
            u.name: u.reason
            for digest, loaded in ready.items()
            for u in loaded.schema.unsupported
            if digest in self.schemas and u not in self.schemas[digest].unsupported
        }


def _engine(engines: Engines, name: str, revision: str | None = None) -> Engine:
    engine = engines.get(name, revision)
    if engine is None:
        raise Loading(name)
    return engine
