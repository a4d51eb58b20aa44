"""A project's doubts in the store: which answers of a snapshot a model that never saw them would
not have given. Ids, labels and numbers, no texts; written whole, by the job `sync.jobs.doubt`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from lora.atomic import read_json
from lora.store import ProjectStore

KEPT = 3  # snapshots whose doubts stay; people look at the newest one's
JUDGED = ("one", "ordinal", "many", "spans")
"""Forms of controls whose answers can be doubted, where their labels are the config's."""


@dataclass(frozen=True)
class Doubt:
    """A row that the model disagrees with, in the control where it does so most. `given`, `said`:
    the labels of the answer, and of the model (of spans those of the words most in doubt, none
    where nothing is marked); `margin`: the chance of what was given less that of what the model
    says instead, below 0; `sure`: the model is as sure of its own label as it is of that label's
    own rows, so that confident learning counts the answer as wrong."""

    row: str
    task: int
    annotation: int | None
    control: str
    given: tuple[str, ...]
    said: tuple[str, ...]
    margin: float
    sure: bool

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Doubt:
        return cls(**{**raw, "given": tuple(raw["given"]), "said": tuple(raw["said"])})


class Doubts:
    """The doubts of one project."""

    def __init__(self, store: ProjectStore) -> None:
        self._store = store
        self._folder = store.folder / "doubts"

    @contextmanager
    def looking(self, patience_s: float = 2.0) -> Iterator[bool]:
        """Hold the project's one place of a look: two would do the same work side by side. Yields
        False where another process keeps it; the kernel takes it from one that died."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._store.sole(self._folder / "doubt.lock", "doubt", patience_s) as ours:
            yield ours

    def put(self, snapshot: str, found: Sequence[Doubt]) -> bool:
        """Write what is doubted of a snapshot's rows, the worst first; False where that snapshot
        is forgotten by now. Of older snapshots a few are left, the rest goes."""
        if snapshot in self._store.forgotten():
            return False
        text = json.dumps([asdict(d) for d in found], sort_keys=True, ensure_ascii=False)
        self._store.place.write(f"doubts/{snapshot}.json", text)
        if snapshot in self._store.forgotten():  # meanwhile
            self.drop({snapshot})
            return False
        made = sorted(self._folder.glob("*.json"), key=lambda p: p.stat().st_mtime_ns)
        self.drop({path.stem for path in made[:-KEPT]})
        return True

    def has(self, snapshot: str) -> bool:
        """Whether anybody looked."""
        return (self._folder / f"{snapshot}.json").exists()

    def get(self, snapshot: str) -> list[Doubt] | None:
        """What is doubted of a snapshot, the worst first; None while nobody looked."""
        raw = read_json(self._folder / f"{snapshot}.json", None)
        return None if raw is None else [Doubt.from_dict(one) for one in raw]

    def drop(self, snapshots: Set[str]) -> None:
        """Remove what was doubted of these."""
        for snapshot in snapshots:
            self._store.place.remove(f"doubts/{snapshot}.json")
