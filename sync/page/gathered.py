"""Facts gathered by a thread of their own while somebody looks, and handed out at once.

Label Studio's webhooks come in by the same server: a page must never make them wait for a long read
of the log. So a request takes what is known, and waits a moment only where nothing is.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

FRESH_S = 1.5  # facts this old are handed out as they are
PATIENCE_S = 2.5  # a request waits so long where nothing is known, or a person has just acted
PLACES = 3  # so many wait at once, of the server's eight threads; others take what is known

Facts = dict[str, Any]


@dataclass
class _Known:
    """`at` 0: nothing is known, or a person acted since; `turn`: what was begun before it counts
    for nothing."""

    facts: Facts | None = None
    at: float = 0.0
    turn: int = 0
    coming: Future[None] | None = None


class Gathered:
    """`gather(key)` runs in one thread, for one key after another."""

    def __init__(self, gather: Callable[[str], Facts], patience_s: float = PATIENCE_S) -> None:
        self._gather, self._patience_s = gather, patience_s
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()
        self._places = threading.Semaphore(PLACES)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="page")

    def look(self, keys: Sequence[str]) -> dict[str, Facts | None]:
        """The facts of each key; None: they are still being read."""
        with self._lock:
            mine = {key: self._known.setdefault(key, _Known()) for key in keys}
            for key, own in mine.items():
                if own.coming is None and time.monotonic() - own.at > FRESH_S:
                    own.coming = self._thread.submit(self._read, key, own, own.turn)
            urgent = [own.coming for own in mine.values() if own.coming and not own.at]
        if urgent and self._places.acquire(blocking=False):
            try:
                wait(urgent, self._patience_s)
            finally:
                self._places.release()
        return {key: own.facts for key, own in mine.items()}

    def forget(self, key: str) -> None:
        """A person changed something: what is known, and what is just being read, is old."""
        with self._lock:
            own = self._known.setdefault(key, _Known())
            own.at, own.coming, own.turn = 0.0, None, own.turn + 1

    def close(self) -> None:
        """Let the thread end with what it has in hand."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _read(self, key: str, own: _Known, turn: int) -> None:
        try:
            facts = self._gather(key)
        except Exception as error:  # a thread's edge: what is broken is shown, the rest goes on
            frames = "".join(traceback.format_tb(error.__traceback__))  # its words may quote a text
            logger.error("facts of project %s: %s\n%s", key, type(error).__name__, frames)
            facts = {"broken": type(error).__name__}
        with self._lock:
            if turn == own.turn:
                own.facts, own.coming, own.at = facts, None, time.monotonic()
