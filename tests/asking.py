"""Somebody who asks for predictions all the time while things die, and notes what an answer must
never be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

Ask = Callable[[], Sequence[Mapping[str, Any]]]


class Asking:
    """Asks from enter to exit. `wrong`: answers of several versions, or of other than `wanted`
    predictions; `versions`: in the order in which they came, each change once; `refused`: nobody
    was there to answer."""

    def __init__(self, ask: Ask, wanted: int, every_s: float = 0.2) -> None:
        self.versions: list[str] = []
        self.wrong: list[str] = []
        self.answered = self.refused = 0
        self._ask, self._wanted, self._every_s = ask, wanted, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                got = self._ask()
            except httpx.HTTPError:  # it was killed, or is still loading
                self.refused += 1
            else:
                self._note([str(p["model_version"]) for p in got])

    def _note(self, versions: Sequence[str]) -> None:
        self.answered += 1
        if len(versions) != self._wanted or len(set(versions)) != 1:
            self.wrong.append(f"{len(versions)} answers of versions {sorted(set(versions))}")
        self.versions += [v for v in sorted(set(versions)) if self.versions[-1:] != [v]]
