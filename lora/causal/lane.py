"""The lane of a causal base: answers that take many tokens are under way side by side.

Between two tokens new requests join and finished ones leave, so a long answer holds up no short
one. A request's rows belong to the version that began them and end with it, within the time limit
of one answer; what comes after a swap begins on the new version beside them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from lora.answer import Answer
from lora.causal.answer import Answerer, Limits, Row
from lora.causal.network import CausalNetwork
from lora.errors import NotReady
from lora.lane import Chunk, Lane, note_failure

ROWS, WORK = 4, 3000  # of one chunk: whose likelihoods are computed between two tokens
MOST, MOST_BULK = 32, 16  # rows under way, beyond which requests and bulk ones wait


@dataclass(eq=False)
class _Turn:
    """A chunk under way."""

    chunk: Chunk
    rows: Sequence[Row | None]  # None: the model failed on it
    began: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> bool:
        return all(row is None or row.done for row in self.rows)

    def finish(self) -> None:
        self.chunk.future.set_result([_answer(row) for row in self.rows])


class CausalLane(Lane):
    """Lane for a CausalNetwork. `limits`: of one answer."""

    rows, work = ROWS, WORK

    def __init__(
        self, *, queue: int, gather_s: float = 0.002, name: str = "", limits: Limits | None = None
    ) -> None:
        super().__init__(queue=queue, gather_s=gather_s, name=name)
        self._limits = limits

    def _run(self, network: CausalNetwork) -> None:
        answerer = Answerer(network, self._limits)
        active: list[_Turn] = []
        busy_since, worked = time.monotonic(), 0
        while True:
            with self._turn:
                if not active:
                    self._turn.wait_for(lambda: self._closed or self.waiting)
                    busy_since, worked = time.monotonic(), 0
                if self._closed:
                    break
                batch = self._gather() if self._room_for_more(active) else []
            taken = [c for c in batch if c.future.set_running_or_notify_cancel()]
            active += [_Turn(c, _begin(answerer, c)) for c in taken]
            _step(answerer, active)
            done = [turn for turn in active if turn.done]
            for turn in done:
                turn.finish()
                worked += turn.chunk.work
                self.observe(len(turn.rows), time.monotonic() - turn.began)
            active = [turn for turn in active if turn not in done]
            if done:
                self._crowd = (len(done), time.monotonic())
            if worked >= self.work / 4:
                self._rate = worked / max(1e-3, time.monotonic() - busy_since)
        for turn in active:
            turn.chunk.future.set_exception(NotReady("the model server is stopping"))

    def _room_for_more(self, active: Sequence[_Turn]) -> bool:
        under_way = sum(len(turn.rows) for turn in active)
        most = MOST if self._interactive else MOST_BULK
        return bool(self.waiting) and (not active or under_way < most)


def _begin(answerer: Answerer, chunk: Chunk) -> list[Row | None]:
    """Put a chunk's rows under way; if that fails, row by row, so that a bad one costs itself."""
    try:
        return list(answerer.begin(chunk.loaded, chunk.rows))
    except Exception as error:  # the edge of the lane: it must outlive any text
        note_failure(error)
    begun: list[Row | None] = []
    for inputs in chunk.rows:
        try:
            begun += answerer.begin(chunk.loaded, [inputs])
        except Exception as error:
            note_failure(error)
            begun.append(None)
    return begun


def _step(answerer: Answerer, active: Sequence[_Turn]) -> None:
    if all(turn.done for turn in active):
        return
    try:
        answerer.step()
    except Exception as error:  # what was under way is lost, what comes is not
        note_failure(error)
        answerer.drop()
        for turn in active:
            for row in turn.rows:
                if row is not None and not row.done:
                    row.fail()


def _answer(row: Row | None) -> Answer | None:
    if row is None or row.failed:
        return None
    try:
        return row.answer()
    except Exception as error:
        note_failure(error)
        return None
