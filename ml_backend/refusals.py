"""How many /predict requests were refused since the backend started, and why.

A refused request costs an annotator the prediction and nobody sees it in Label Studio, so /health
and `annotune status` say it. Kept in memory: a counter for people, not a promise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from lora.errors import EngineDown, NotReady, Overloaded

KINDS = ((Overloaded, "overloaded"), (EngineDown, "inference server down"))
ELSE = "not ready"


class Refusals:
    """A counter that any thread may use."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._why: Counter[str] = Counter()
        self._last = ""

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Count the block's NotReady, which goes on."""
        try:
            yield
        except NotReady as error:
            kind = next((word for kind, word in KINDS if isinstance(error, kind)), ELSE)
            with self._lock:
                self._why[kind] += 1
                self._last = str(error)
            raise

    def report(self) -> dict[str, Any]:
        """How many, by why, and what the last one was told; for /health."""
        with self._lock:
            why = dict(self._why)
            return {"requests": sum(why.values()), "why": why, "last": self._last or None}
