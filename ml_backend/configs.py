"""What this process remembers between two requests: parsed configs, and each project's last one.

All of it can be lost at any moment: Label Studio sends the config with every call.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from functools import lru_cache, partial
from threading import Lock

from label_config import InvalidValue, Schema, read_schema

log = logging.getLogger(__name__)

KEEP = 256  # projects, and parsed configs, that are remembered


class Configs:
    """Schemas by their XML, and the XML each project last sent with /setup. `urls`: whether texts
    may stand at an address."""

    def __init__(self, urls: bool = False) -> None:
        self._last: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()
        self.schema = lru_cache(maxsize=KEEP)(partial(_read, urls=urls))

    def remember(self, project: str, config: str) -> None:
        with self._lock:
            self._last[project] = config
            self._last.move_to_end(project)
            while len(self._last) > KEEP:
                self._last.popitem(last=False)

    def last(self, project: str) -> str | None:
        """What /setup last said for a project, if this process heard it."""
        with self._lock:
            return self._last.get(project)


def _read(config: str, urls: bool) -> Schema:
    """The schema of a config; an unreadable one has nothing that can be predicted."""
    try:
        return read_schema(config, urls)
    except InvalidValue as error:
        log.warning("a label config is answered with empty predictions: %s", error)
        return Schema(())
