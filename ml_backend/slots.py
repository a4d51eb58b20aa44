"""How many /predict requests may be in the house at once.

The server has a few threads more than slots, so that /health, /setup and /webhook always find one
however long the model's lane is; what finds no slot is refused at once (law 7).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from lora.errors import Overloaded

RESERVED = 4  # threads kept for the routes that answer at once
RETRY_S = 2


class Slots:
    """A counter of running requests; bulk ones may hold only half, so that people get in."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.for_bulk = max(1, total // 2)
        self._running = 0
        self._bulk = 0
        self._lock = Lock()

    @property
    def running(self) -> int:
        return self._running

    @contextmanager
    def take(self, bulk: bool) -> Iterator[None]:
        """Hold one slot; raises Overloaded at once when there is none."""
        with self._lock:
            if self._running >= self.total or (bulk and self._bulk >= self.for_bulk):
                raise Overloaded(
                    f"{self._running} requests are being answered already; try again in a moment",
                    RETRY_S,
                )
            self._running += 1
            self._bulk += bulk
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._bulk -= bulk
