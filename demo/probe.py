"""A steady load on /predict during the whole run: which version answered when, and what it said.

Requests leave on a fixed clock, whatever the answers take (an open loop), so that a stall shows as
late or failed requests and never as fewer of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType

import httpx

from demo.predictor import Answer, Backend, PredictFailed

RATE = 6.0  # requests a second; the promise is kept under at least 5
TEXTS = 16
EACH = 2  # texts a request
LONG, LONG_EVERY = 40, 30  # every 30th asks 40: a reply over several batches, where a mix could be
FIRST_ID = 1_000_000_000  # beyond every task of a real Label Studio, so never a blind one


@dataclass(frozen=True)
class Reply:
    """One good reply of the probe: the texts asked (by number) and their answers."""

    at: float
    texts: tuple[int, ...]
    answers: tuple[Answer, ...]


@dataclass
class Tally:
    """What the probe has seen so far."""

    requests: int = 0
    failed: int = 0
    replies: list[Reply] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    first_seen: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second over the whole run."""
        return self.requests / self.seconds if self.seconds else 0.0


class Probe:
    """Asks for predictions until left; `with Probe(backend, texts) as probe: ...`"""

    def __init__(self, backend: Backend, texts: Sequence[str], rate: float = RATE) -> None:
        self.texts = tuple(texts[:TEXTS])
        self._backend = backend
        self._gap_s = 1.0 / rate
        self._lock = threading.Lock()
        self._seen = threading.Condition(self._lock)
        self._over = threading.Event()
        self._tally = Tally()
        self._clock = threading.Thread(target=self._run, name="probe", daemon=True)

    def __enter__(self) -> Probe:
        self._clock.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._over.set()
        self._clock.join()

    @property
    def tally(self) -> Tally:
        """A copy of the tally, safe to read while the probe goes on."""
        with self._lock:
            t = self._tally
            return Tally(
                t.requests,
                t.failed,
                list(t.replies),
                list(t.failures),
                dict(t.first_seen),
                t.seconds,
            )

    def wait_for(self, version: str, timeout_s: float) -> float | None:
        """The monotonic time at which `version` first answered; None if it has not in time."""
        with self._seen:
            self._seen.wait_for(lambda: version in self._tally.first_seen, timeout_s)
            return self._tally.first_seen.get(version)

    def _run(self) -> None:
        started = due = time.monotonic()
        with self._backend.client(timeout_s=30.0) as http, ThreadPoolExecutor(8) as pool:
            while not self._over.wait(max(0.0, due - time.monotonic())):
                pool.submit(self._ask, http, self._tally.requests)
                with self._lock:
                    self._tally.requests += 1
                    self._tally.seconds = time.monotonic() - started
                due += self._gap_s

    def _ask(self, http: httpx.Client, number: int) -> None:
        each = LONG if number % LONG_EVERY == 0 else EACH
        picked = tuple((number * EACH + i) % len(self.texts) for i in range(each))
        try:
            answers = self._backend.predict(http, [self.texts[i] for i in picked], FIRST_ID)
        except PredictFailed as error:
            with self._lock:
                self._tally.failed += 1
                self._tally.failures.append(str(error))
            return
        now = time.monotonic()
        with self._seen:
            self._tally.replies.append(Reply(now, picked, tuple(answers)))
            for answer in answers:
                self._tally.first_seen.setdefault(answer.version, now)
            self._seen.notify_all()
