"""What the store remembers of a project's versions beside CURRENT: marks, each in a small file.

Which ones served, which a person withdrew, which did not load, which waits for a person, and
whether only a named person may promote here.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lora.place import Place
from lora.raced import again
from lora.shapes import read_flag, read_list, read_one, read_words


@dataclass(frozen=True)
class Waiting:
    """A candidate that passed the gate and waits for a named person. `champion`: what it was judged
    against (None: the cold start)."""

    version: str
    champion: str | None
    snapshot: str
    reason: str
    since: str


class Marks:
    """One project's folder, its lock, and its marks; the ProjectStore adds the rest."""

    def __init__(self, place: Place, project: str) -> None:
        self.place = place
        self.folder = place.folder
        self.name = project

    def _ensure(self, *parts: str) -> Path:
        return self.place.ensure(*parts)

    def _locked(self) -> AbstractContextManager[None]:
        return self.place.alone()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Hold the project as it is: no version comes or goes, CURRENT does not move."""
        with self._locked():
            yield

    @contextmanager
    def connecting(self, patience_s: float) -> Iterator[bool]:
        """Hold the one place from which the project is set up in Label Studio; yields False when
        another process keeps it for `patience_s`."""
        with locked(self._ensure() / "connect.lock", patience_s) as free:
            yield free

    @contextmanager
    def hearing(self, patience_s: float) -> Iterator[bool]:
        """Hold the one place from which the project's tasks go into the log; yields False when
        another process keeps it for `patience_s`."""
        with locked(self._ensure() / "hear.lock", patience_s) as free:
            yield free

    def served(self) -> frozenset[str]:
        """Versions that CURRENT named at some time; others were never good enough to serve."""
        return frozenset(read_list(self.folder / "served.json", str))

    def _note_served(self, version: str) -> None:
        self.place.swap("served.json", json.dumps(sorted(self.served() | {version})))

    def withdrawn(self) -> frozenset[str]:
        """Versions that a person rolled back."""
        return frozenset(read_list(self.folder / "withdrawn.json", str))

    @again
    def set_withdrawn(self, version: str, withdrawn: bool) -> None:
        """Mark a version as rolled back by a person, or lift that mark."""
        with self._locked():
            self._withdraw(version, withdrawn)

    def _withdraw(self, version: str, withdrawn: bool) -> None:
        marks = set(self.withdrawn())
        if withdrawn != (version in marks):
            self.place.swap("withdrawn.json", json.dumps(sorted(marks ^ {version})))

    def quarantined(self) -> dict[str, str]:
        """Versions that did not load when they should have served, and why."""
        return read_words(self.folder / "quarantined.json")

    @again
    def quarantine(self, version: str, why: str | None) -> None:
        """Mark a version as one that does not load; `why` None: it does, the mark is lifted."""
        with self._locked():
            self._quarantine(version, why)

    def _quarantine(self, version: str, why: str | None) -> None:
        known = self.quarantined()
        marks = {k: v for k, v in known.items() if k != version}
        marks = marks if why is None else {**marks, version: why}
        if marks != known:
            text = json.dumps(marks, sort_keys=True, ensure_ascii=False)
            self.place.swap("quarantined.json", text)

    def unloadable_since(self) -> float:
        """When a version was last put into quarantine or let out, as a file's time; 0: never."""
        path = self.folder / "quarantined.json"
        return path.stat().st_mtime if path.exists() else 0.0

    # ---- where a person decides

    def publish_regulated(self, regulated: bool) -> None:
        """Say whether a named person must promote here, as the label config has it now."""
        if regulated != self.regulated():
            self.place.write("regulated.json", json.dumps(regulated))

    def regulated(self) -> bool:
        """What was published last; False where nothing was."""
        return read_flag(self.folder / "regulated.json")

    def wait_for_person(self, candidate: Waiting) -> None:
        """Have a candidate wait; it takes the place of an earlier one."""
        self.place.write("waiting.json", json.dumps(asdict(candidate), ensure_ascii=False))

    def _waiting(self) -> Waiting | None:
        return read_one(self.folder / "waiting.json", Waiting)


@contextmanager
def locked(path: Path, patience_s: float) -> Iterator[bool]:
    """Hold an flock on a file; yields False when another process keeps it for `patience_s`."""
    end = time.monotonic() + patience_s
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    yield False
                    return
                time.sleep(0.05)
        yield True
