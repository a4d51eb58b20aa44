"""What is to be forgotten, and what was: notes in the store, where sync and workers both look.

A wish stays until all of it is done, so that whatever is cut off is begun again. Snapshots that
were forgotten are remembered by their hash alone: a worker that trains on one comes to nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from lora.marks import Marks
from lora.raced import again
from lora.shapes import read_list, read_words

Kind = Literal["task", "annotation", "annotator"]


@dataclass(frozen=True)
class Wish:
    """One thing to forget, by its id in Label Studio; `there`: delete it there too. `at`, ISO 8601,
    names the wish."""

    kind: Kind
    id: int
    at: str
    by: str
    login: str = ""
    why: str = ""
    there: bool = False

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.id}"


class Wishes(Marks):
    """A project's wishes, and what came of them; part of the ProjectStore."""

    @again
    def wish(self, wish: Wish) -> None:
        """Note something to forget; sync does it on its next turn."""
        with self._locked():
            self._write_wishes([*self.wishes(), wish])

    def wishes(self) -> list[Wish]:
        """What is to be forgotten, the oldest first."""
        return read_list(self.folder / "wishes.json", Wish)

    @again
    def granted(self, wish: Wish) -> None:
        """It is done, all of it."""
        with self._locked():
            self._write_wishes([w for w in self.wishes() if w != wish])

    def _write_wishes(self, wishes: list[Wish]) -> None:
        text = json.dumps([asdict(w) for w in wishes], ensure_ascii=False)
        self.place.swap("wishes.json", text)

    def forgotten(self) -> frozenset[str]:
        """Hashes of snapshots that were forgotten."""
        return frozenset(read_list(self.folder / "forgotten.json", str))

    def retired(self) -> dict[str, str]:
        """Versions that learned from what was to be forgotten, and when they went."""
        return read_words(self.folder / "retired.json")

    def _forget_snapshots(self, digests: frozenset[str]) -> None:
        marks = json.dumps(sorted(self.forgotten() | digests))
        self.place.swap("forgotten.json", marks)

    def _recall(self, digest: str) -> None:
        marks = json.dumps(sorted(self.forgotten() - {digest}))
        self.place.swap("forgotten.json", marks)

    def _retire(self, versions: dict[str, str]) -> None:
        text = json.dumps({**versions, **self.retired()}, sort_keys=True)
        self.place.swap("retired.json", text)
