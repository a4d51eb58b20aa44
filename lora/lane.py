"""The inference lane: one thread that owns a network, and the two queues before it.

Requests are cut into chunks of a few tenths of a second; between two batches the lane may serve
somebody else or another version, within one it cannot. An annotator's chunk goes before a bulk
one, and small requests for the same version that come together are answered in one batch.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from label_config.values import Inputs
from lora.answer import Answer, answer
from lora.errors import NotReady, Overloaded
from lora.forms.choice import MOST_OPTIONS
from lora.loaded import Loaded

CHUNK = 64  # rows of one batch at most
CHUNK_WORK = 6000  # and their work: some 1500 word pieces, a few tenths of a second on two cores
READ = 9000  # code points of a text that cost; the windows of lora/windows.py hold about as many
PER_TEXT = 40  # work of a text beside its code points: special pieces, padding
FAIR = 8  # batches of annotators in a row, after which a waiting bulk batch has its turn
TOGETHER_S = 0.05  # a crowd that was answered this recently is waited for

log = logging.getLogger(__name__)

Answers = list[Answer | None]
"""One per row; None where the model failed on it."""

Observe = Callable[[str, int, float], None]
"""Called after each batch with the base's name, its rows and the seconds it took; must be quick."""


def unobserved(base: str, rows: int, seconds: float) -> None:
    """Nobody counts."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Rows of one request, and the future that its asker waits for."""

    loaded: Loaded
    rows: Sequence[Inputs]
    work: int
    future: Future[Answers] = field(default_factory=Future)


class Lane:
    """Answers chunks in turn. `queue`: how many may wait before a request is refused; `gather_s`:
    how long to wait for more small requests where several come at once."""

    rows, work = CHUNK, CHUNK_WORK  # of one batch at most

    def __init__(self, *, queue: int, gather_s: float = 0.002, name: str = "") -> None:
        self._limit = queue
        self._gather_s = gather_s
        self._name = name
        self._turn = threading.Condition()
        self._interactive: deque[Chunk] = deque()
        self._bulk: deque[Chunk] = deque()
        self._closed = False
        self._in_a_row = 0
        self._crowd = (1, 0.0)  # requests answered by the last batch, and when it was done
        self._rate: float | None = None  # work a second
        self._thread: threading.Thread | None = None
        self.observe: Callable[[int, float], None] = partial(unobserved, name)

    def start(self, network: Any) -> None:
        """Hand the network to the lane's own thread."""
        self._thread = threading.Thread(
            target=self._run, args=(network,), name=f"annotune-lane{self._name}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End after the batch being answered; whoever still waits is told to come again."""
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
        self, loaded: Loaded, rows: Sequence[Inputs], *, bulk: bool, within_s: float | None = None
    ) -> Callable[[float], Answers]:
        """Queue rows, all for one `loaded`; call what comes back with the seconds to wait.

        Raises Overloaded, before anything is queued, when the lane is full, or when at the rate
        measured so far the answer would take longer than `within_s`. A request of more chunks than
        the queue holds is taken when nothing else waits.
        """
        order = _by_length(rows)
        chunks = self._cut(loaded, [rows[i] for i in order])
        with self._turn:
            if self._closed:
                raise NotReady("the model server is stopping")
            before = self.waiting if bulk else len(self._interactive)
            if before and before + len(chunks) > self._limit:
                raise Overloaded(f"{before} batches wait already; at most {self._limit} may")
            self._refuse_late(chunks, bulk, within_s)
            (self._bulk if bulk else self._interactive).extend(chunks)
            self._turn.notify()
        return lambda seconds: _unsorted(order, _collect(chunks, seconds))

    def _refuse_late(self, chunks: Sequence[Chunk], bulk: bool, within_s: float | None) -> None:
        if within_s is None or self._rate is None:
            return
        ahead = [*self._interactive, *(self._bulk if bulk else ())]
        mine, theirs = (sum(c.work for c in some) / self._rate for some in (chunks, ahead))
        if mine + theirs <= within_s:
            return
        if mine > within_s:
            message = f"this request would take about {mine:.0f} s; send fewer tasks at once"
        else:
            message = f"the work that waits would take about {theirs:.0f} s"
        raise Overloaded(message, retry_after=max(1, round(theirs or mine)))

    def _run(self, network: Any) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._closed or self.waiting)
                if self._closed:
                    return
                batch = self._gather()
            began = time.monotonic()
            taken = [c for c in batch if c.future.set_running_or_notify_cancel()]
            _answer_batch(network, taken)
            self._measure(taken, began)

    def _measure(self, taken: Sequence[Chunk], began: float) -> None:
        now = time.monotonic()
        work = sum(c.work for c in taken)
        if work >= self.work / 4 and now > began:  # small batches are mostly overhead
            rate = work / (now - began)
            self._rate = rate if self._rate is None else 0.8 * self._rate + 0.2 * rate
        self._crowd = (len(taken), now)
        if taken:
            self.observe(sum(len(c.rows) for c in taken), now - began)

    def _gather(self) -> list[Chunk]:
        """The next batch: a chunk, and others for the same Loaded that fit beside it."""
        queue = self._next()
        batch = [queue.popleft()]
        crowd, when = self._crowd
        expected = crowd if time.monotonic() - when < TOGETHER_S else 1
        end = time.monotonic() + self._gather_s
        while True:
            self._join(batch, queue)
            left = end - time.monotonic()
            if self._closed or len(batch) >= expected or left <= 0 or queue is self._bulk:
                return batch
            self._turn.wait(left)

    def _next(self) -> deque[Chunk]:
        bulk_turn = not self._interactive or self._in_a_row >= FAIR
        if self._bulk and bulk_turn:
            self._in_a_row = 0
            return self._bulk
        self._in_a_row += 1
        return self._interactive

    def _cut(self, loaded: Loaded, rows: Sequence[Inputs]) -> list[Chunk]:
        chunks: list[Chunk] = []
        batch: list[Inputs] = []
        total = 0
        for row in rows:
            work = work_of(row)
            if batch and (len(batch) == self.rows or total + work > self.work):
                chunks.append(Chunk(loaded, batch, total))
                batch, total = [], 0
            batch.append(row)
            total += work
        return [*chunks, Chunk(loaded, batch, total)] if batch else chunks

    def _join(self, batch: list[Chunk], queue: deque[Chunk]) -> None:
        rows, work = sum(len(c.rows) for c in batch), sum(c.work for c in batch)
        for chunk in [c for c in queue if c.loaded is batch[0].loaded]:
            if rows + len(chunk.rows) > self.rows or work + chunk.work > self.work:
                return
            queue.remove(chunk)
            batch.append(chunk)
            rows, work = rows + len(chunk.rows), work + chunk.work


def work_of(row: Inputs) -> int:
    """What a row costs, in code points: its texts, and the labels that it brings."""
    labels = (b.shown for own in row.options.values() for b in own[:MOST_OPTIONS])
    return sum(min(len(text), READ) + PER_TEXT for text in (*row.texts.values(), *labels))


def _by_length(rows: Sequence[Inputs]) -> list[int]:
    """The order in which rows are answered: of many, like lengths together, so little is padded."""
    return sorted(range(len(rows)), key=lambda i: work_of(rows[i]))


def _unsorted(order: Sequence[int], answers: Answers) -> Answers:
    placed: Answers = [None] * len(answers)
    for i, found in zip(order, answers, strict=True):
        placed[i] = found
    return placed


def _answer_batch(network: Any, chunks: Sequence[Chunk]) -> None:
    """Answer chunks of one Loaded at once; if it fails, row by row, so that one bad row costs only
    itself."""
    if not chunks:
        return
    loaded, rows = chunks[0].loaded, [row for c in chunks for row in c.rows]
    answers: Answers = []
    try:
        answers = list(answer(network, loaded, rows))
    except Exception as error:  # the edge of the lane: it must outlive any text
        note_failure(error)
        answers = [_answer_one(network, loaded, row) for row in rows]
    for chunk in chunks:
        chunk.future.set_result(answers[: len(chunk.rows)])
        answers = answers[len(chunk.rows) :]


def _answer_one(network: Any, loaded: Loaded, row: Inputs) -> Answer | None:
    try:
        return answer(network, loaded, [row])[0]
    except Exception as error:
        note_failure(error)
        return None


def note_failure(error: Exception) -> None:
    """Log where it failed but not the message, which may quote a task's text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("the model failed with %s\n%s", type(error).__name__, frames)


def _collect(chunks: Sequence[Chunk], seconds: float) -> Answers:
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
