"""Looks at a process all the while: how much it grew at most, and how much it still grew late."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from statistics import median

import psutil


@dataclass(frozen=True)
class Seen:
    """`grew_mb`: at most, since the first look; `grew_late_mb`: of the last quarter's median over
    the second one's, so that what fills up once is no growth; `more_handles`: at most."""

    grew_mb: float = 0.0
    grew_late_mb: float = 0.0
    more_handles: int = 0
    looks: int = 0


class Watched:
    """Looks from enter to exit, or until the process is gone."""

    def __init__(self, pid: int, every_s: float = 0.5) -> None:
        self._process, self._every_s = psutil.Process(pid), every_s
        self._looks: list[tuple[int, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watched:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        self._looks.append((self._process.memory_info().rss, self._process.num_fds()))

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._every_s):
                self._look()
            self._look()
        except psutil.Error:
            return  # it is gone: whoever asks it says so

    def grew_mb(self) -> float:
        return self.seen().grew_mb

    def seen(self) -> Seen:
        memory, handles = ([look[n] for look in self._looks] for n in (0, 1))
        return Seen(
            round((max(memory) - memory[0]) / 1e6, 1),
            round(grown(memory) / 1e6, 1),
            max(handles) - handles[0],
            len(memory),
        )


def grown(values: list[int]) -> float:
    """The median of the last quarter over that of the second one; 0 where there are too few."""
    part = len(values) // 4
    return median(values[-part:]) - median(values[part : 2 * part]) if part else 0.0
