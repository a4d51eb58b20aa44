"""What `annotune up` writes: a file a process in HOME/logs, kept short; and reading them together.

The files are opened to append, so the supervisor may cut one off while a process writes to it.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROCESSES = ("backend", "sync", "worker")
LARGEST = 20_000_000  # bytes of a log; one older part of as many is kept beside it
TAIL = 1_000_000  # bytes at its end that are looked at for the last lines
LOOK_S = 0.3
AT = re.compile(r'(?:{"at": ")?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]?\d*)')


class NoLogs(Exception):
    """There is no such log; the message says where it would be and who writes it."""


@dataclass(frozen=True)
class Line:
    """One line, and whose it is."""

    process: str
    text: str

    @property
    def plain(self) -> str:
        """Without signs that move a terminal's cursor, or more."""
        return "".join(c if c.isprintable() or c == "\t" else "?" for c in self.text)


def log_file(home: Path, process: str) -> Path:
    """Where the supervisor has a process write to."""
    return home.resolve() / "logs" / f"{process}.log"


def keep_short(path: Path) -> None:
    """Move a log that has grown too long into `.1`, in place of the one before; what is written at
    that very moment may be lost, and all of it where there is no room to keep it."""
    older = path.with_name(f"{path.name}.1")
    with suppress(FileNotFoundError):
        if path.stat().st_size <= LARGEST:
            return
        try:
            shutil.copyfile(path, older)
        except OSError:
            older.unlink(missing_ok=True)
        os.truncate(path, 0)


def last_lines(home: Path, processes: Sequence[str], count: int) -> list[Line]:
    """The last lines of these processes, in the order of their times. Raises NoLogs."""
    found: list[tuple[str, Line]] = []
    for process in processes:
        at = ""
        for text in tail(_existing(home, process)):
            begins = AT.match(text)  # a traceback's lines stay with their first
            at = begins[1].replace("T", " ").replace(",", ".") if begins else at
            found.append((at, Line(process, text)))
    found.sort(key=lambda pair: pair[0])
    return [line for _, line in found[-count:]] if count else []


def follow(home: Path, processes: Sequence[str], stop: threading.Event) -> Iterator[Line]:
    """What they write from now on, until `stop`; a log that was cut off is read from its start."""
    places = {p: log_file(home, p) for p in processes}
    return _followed(places, {p: size_of(path) for p, path in places.items()}, stop)


def _followed(
    places: Mapping[str, Path], read: dict[str, int], stop: threading.Event
) -> Iterator[Line]:
    while not stop.is_set():
        for process, path in places.items():
            size = size_of(path)
            if size < read[process]:
                read[process] = 0
            if size > read[process]:
                yield from read_new(process, path, read)
        stop.wait(LOOK_S)


def read_new(process: str, path: Path, read: dict[str, int]) -> Iterator[Line]:
    """Whole lines only: half a line waits for its other half."""
    with suppress(FileNotFoundError), path.open("rb") as log:  # it was there a moment ago
        log.seek(read[process])
        some = log.read(TAIL)
        whole, newline, half = some.rpartition(b"\n")
        if len(half) == TAIL:  # no end in sight: as it is
            whole, newline = half, b""
        read[process] += len(whole) + len(newline)
        for raw in whole.split(b"\n") if whole or newline else ():
            yield Line(process, raw.decode("utf-8", "replace"))


def tail(path: Path) -> list[str]:
    """The lines at its end."""
    with path.open("rb") as log:
        size = log.seek(0, 2)
        log.seek(max(0, size - TAIL))
        lines = log.read().decode("utf-8", "replace").splitlines()
    return lines[1:] if size > TAIL else lines


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _existing(home: Path, process: str) -> Path:
    path = log_file(home, process)
    if not path.is_file():
        raise NoLogs(
            f"there is no {path}: `annotune up` writes it; under a supervisor of your own ask that "
            "one (docker compose logs, journalctl)"
        )
    return path
