"""The lane before a server: several requests at once, since the server does the batching.

A chunk is answered by one worker from beginning to end, by the version that it came with; half of
the workers are never taken by bulk requests.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import InvalidStateError
from contextlib import suppress
from typing import Any

from lora.causal.remote.adapters import Adapters
from lora.causal.remote.answer import RemoteAnswerer
from lora.errors import NotReady
from lora.lane import Answers, Chunk, Lane, note_failure

ROWS, WORK = 4, 3000  # of one chunk, as of our own causal lane
WORKERS = 16  # requests under way; a server that takes fewer at once queues them
BULK = WORKERS // 2


class RemoteLane(Lane):
    """Lane for a RemoteAnswerer. `adapters` is told when a version may have been let go."""

    rows, work = ROWS, WORK

    def __init__(
        self, adapters: Adapters, *, queue: int, gather_s: float = 0.002, name: str = ""
    ) -> None:
        super().__init__(queue=queue, gather_s=gather_s, name=name)
        self._adapters = adapters
        self._under_way: dict[Chunk, bool] = {}  # whether it is a bulk one
        self._workers: list[threading.Thread] = []

    def start(self, network: Any) -> None:
        self._workers = [
            threading.Thread(
                target=self._run, args=(network,), name=f"annotune-remote{self._name}", daemon=True
            )
            for _ in range(WORKERS)
        ]
        for worker in self._workers:
            worker.start()

    def close(self) -> None:
        """As Lane.close, but it waits for no answer of the server's."""
        self._adapters.close()
        super().close()
        with self._turn:
            under_way = list(self._under_way)
        for chunk in under_way:
            _tell(chunk, NotReady("the model server is stopping"))

    def _run(self, network: RemoteAnswerer) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._closed or self._may_begin())
                if self._closed:
                    return
                queue = self._bulk if not self._interactive else self._next()
                if queue is self._bulk and not self._bulk_may_begin():
                    queue = self._interactive
                chunk, bulk = queue.popleft(), queue is self._bulk
                self._under_way[chunk] = bulk
            if chunk.future.set_running_or_notify_cancel():
                self._answer(network, chunk)
            with self._turn:
                del self._under_way[chunk]
                del chunk  # with it goes the version's last holder, perhaps
                self._turn.notify_all()
            self._adapters.sweep()

    def _may_begin(self) -> bool:
        return bool(self._interactive) or self._bulk_may_begin()

    def _bulk_may_begin(self) -> bool:
        return bool(self._bulk) and sum(self._under_way.values()) < BULK

    def _answer(self, network: RemoteAnswerer, chunk: Chunk) -> None:
        began = time.monotonic()
        try:
            answers = network.answer(chunk.loaded, chunk.rows)
        except NotReady as error:
            _tell(chunk, error)
            return
        except Exception as error:  # the edge of the lane: it must outlive any text
            note_failure(error)
            answers = [None] * len(chunk.rows)
        _tell(chunk, answers)
        took = time.monotonic() - began
        self.observe(len(chunk.rows), took)
        with self._turn:
            self._note_rate(chunk.work * len(self._under_way), took)

    def _note_rate(self, work: int, seconds: float) -> None:
        """Work a second of all workers together, smoothed."""
        rate = work / max(seconds, 1e-3)
        self._rate = rate if self._rate is None else 0.9 * self._rate + 0.1 * rate


def _tell(chunk: Chunk, what: Answers | Exception) -> None:
    with suppress(InvalidStateError):  # it was told already that we are stopping
        if isinstance(what, Exception):
            chunk.future.set_exception(what)
        else:
            chunk.future.set_result(what)
