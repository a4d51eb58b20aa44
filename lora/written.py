"""What writers were asked and what they said, on disk: one line each, only ever added to.

A line that a kill cut off is passed over; the next one begins on a new line. Two kinds: `asked`
with what was `said`, and `asking`, put down before a request that leaves this machine, so that one
whose answer never came is known.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora.atomic import sync_folder


@dataclass(frozen=True)
class Answer:
    """What a writer said. `text`: None where it said nothing, and then `why`, where that is known;
    `tokens`: what reading and writing took; `of`: the expansion that it was asked for."""

    text: str | None
    tokens: int = 0
    why: str = ""
    of: str = ""


@dataclass
class Written:
    """The file, as one writer sees it. Any thread may add to it. `asked`: how many requests were
    sent for an expansion, by its name, those of earlier processes included."""

    path: Path
    name: str
    said: dict[str, Answer] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for row in _rows(self.path, self.name):
            of = str(row.get("of", ""))
            if "asking" in row:
                self.asked[of] = self.asked.get(of, 0) + 1
            elif "asked" in row:
                told = row.get("tokens", 0), row.get("why", ""), of
                self.said[row["asked"]] = Answer(row["said"], *told)

    def asking(self, digest: str, of: str) -> None:
        """Note that a request is about to be sent."""
        with self._lock:
            self.asked[of] = self.asked.get(of, 0) + 1
            self._add([{"asking": digest, "of": of}])

    def keep(self, said: Mapping[str, Answer]) -> None:
        """Put answers down, by what was asked; they are on the disk when this returns."""
        with self._lock:
            self.said.update(said)
            self._add([{"asked": digest, **_told(a)} for digest, a in said.items()])

    def _add(self, rows: list[dict[str, Any]]) -> None:
        new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write("".join("\n" + json.dumps({"by": self.name, **row}) for row in rows))
            handle.flush()
            os.fsync(handle.fileno())
        if new:
            sync_folder(self.path.parent)


def _told(answer: Answer) -> dict[str, Any]:
    more = {"tokens": answer.tokens, "why": answer.why, "of": answer.of}
    return {"said": answer.text, **{k: v for k, v in more.items() if v}}


def _rows(path: Path, name: str) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row["by"] == name:
                yield row
