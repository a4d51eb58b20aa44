"""The inference lane: one thread that owns the network, and the two queues before it.

Requests are cut into chunks; between two chunks the lane may serve somebody else or another
version, within one it cannot. An annotator's chunk goes before a bulk one.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field

from lora.answer import Answer, answer
from lora.errors import NotReady, Overloaded
from lora.loaded import Loaded
from lora.network import Network

CHUNK = 16  # rows of one batch
FAIR = 8  # batches of annotators in a row, after which a waiting bulk batch has its turn

log = logging.getLogger(__name__)

Row = Mapping[str, str]
Answers = list[Answer | None]
"""One per row; None where the model failed on it."""


@dataclass(frozen=True, eq=False)
class _Chunk:
    loaded: Loaded
    rows: Sequence[Row]
    future: Future[Answers] = field(default_factory=Future)


class Lane:
    """Answers chunks in turn. `queue`: how many may wait before a request is refused."""

    def __init__(self, *, queue: int) -> None:
        self._limit = queue
        self._turn = threading.Condition()
        self._interactive: deque[_Chunk] = deque()
        self._bulk: deque[_Chunk] = deque()
        self._closed = False
        self._in_a_row = 0
        self._thread: threading.Thread | None = None

    def start(self, network: Network) -> None:
        """Hand the network to the lane's own thread."""
        self._thread = threading.Thread(
            target=self._run, args=(network,), name="annotune-lane", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End after the chunk being answered; whoever still waits is told to come again."""
        with self._turn:
            self._closed = True
            waiting = [*self._interactive, *self._bulk]
            self._interactive.clear()
            self._bulk.clear()
            self._turn.notify_all()
        for chunk in waiting:
            if chunk.future.set_running_or_notify_cancel():
                chunk.future.set_exception(NotReady("the model server is stopping"))
        if self._thread:
            self._thread.join()

    @property
    def waiting(self) -> int:
        return len(self._interactive) + len(self._bulk)

    def submit(
        self, loaded: Loaded, rows: Sequence[Row], *, bulk: bool
    ) -> Callable[[float], Answers]:
        """Queue rows, all for one `loaded`; call what comes back with the seconds to wait.

        Raises Overloaded, before anything is queued, when the lane is full. A request of more
        chunks than the queue holds is taken when nothing else waits.
        """
        chunks = [_Chunk(loaded, rows[i : i + CHUNK]) for i in range(0, len(rows), CHUNK)]
        with self._turn:
            if self._closed:
                raise NotReady("the model server is stopping")
            if self.waiting and self.waiting + len(chunks) > self._limit:
                raise Overloaded(f"{self.waiting} batches wait already; at most {self._limit} may")
            (self._bulk if bulk else self._interactive).extend(chunks)
            self._turn.notify()
        return lambda seconds: _collect(chunks, seconds)

    def _run(self, network: Network) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._closed or self.waiting)
                if self._closed:
                    return
                chunk = self._next()
            if chunk.future.set_running_or_notify_cancel():
                chunk.future.set_result(_answer_chunk(network, chunk))

    def _next(self) -> _Chunk:
        bulk_turn = not self._interactive or self._in_a_row >= FAIR
        if self._bulk and bulk_turn:
            self._in_a_row = 0
            return self._bulk.popleft()
        self._in_a_row += 1
        return self._interactive.popleft()


def _answer_chunk(network: Network, chunk: _Chunk) -> Answers:
    """The chunk's answers; if it fails, row by row, so that one bad row costs only itself."""
    try:
        return list(answer(network, chunk.loaded, chunk.rows))
    except Exception as error:  # the edge of the lane: it must outlive any text
        _note(error)
    answers: Answers = []
    for row in chunk.rows:
        try:
            answers.extend(answer(network, chunk.loaded, [row]))
        except Exception as error:
            _note(error)
            answers.append(None)
    return answers


def _note(error: Exception) -> None:
    """Log where it failed but not the message, which may quote a task's text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("the model failed with %s\n%s", type(error).__name__, frames)


def _collect(chunks: Sequence[_Chunk], seconds: float) -> Answers:
    deadline = time.monotonic() + seconds
    answers: Answers = []
    try:
        for chunk in chunks:
            answers.extend(chunk.future.result(max(0.0, deadline - time.monotonic())))
    except Late as error:
        for chunk in chunks:
            chunk.future.cancel()
        raise Overloaded(f"the model did not answer within {seconds:.0f} s") from error
    return answers
