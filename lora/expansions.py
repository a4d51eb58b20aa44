"""A project's expansions in the store: what was made of a snapshot, and what writers answered.

`expansions/<human snapshot>.json` is written last and whole: what was decided, made, refused and
kept, and the challenger snapshot, if any. `written.jsonl` beside it grows batch by batch, keyed by
who was asked what, so that nothing is asked twice, whenever it was killed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from lora.atomic import read_json
from lora.marks import locked
from lora.store import ProjectStore
from lora.written import Answer, Written

ASKED = "review-asked.json"  # beside the records


GAVE_WAY = "newer answers came, or something is to be forgotten; the expansion stops for that"


class Interrupted(Exception):
    """An expansion gave way to something that matters more; it can be taken up again."""


class Question(Protocol):
    """A prompt, as far as keeping its answer goes (augment.values.Prompt)."""

    @property
    def digest(self) -> str: ...


class Expansions:
    """The expansions of one project."""

    def __init__(self, store: ProjectStore) -> None:
        self._store = store
        self._folder = store.folder / "expansions"

    @property
    def written(self) -> Path:
        """Where answers of writers are kept."""
        return self._folder / "written.jsonl"

    @contextmanager
    def expanding(self, patience_s: float = 2.0) -> Iterator[bool]:
        """Hold the project's one place of an expansion: two would ask a writer the same twice.

        Yields False where another process keeps it; the kernel takes it from one that died.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._store.sole(self._folder / "expand.lock", "expand", patience_s) as ours:
            yield ours

    def is_expanding(self) -> bool:
        """True while some process expands."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / "expand.lock", 0) as free:
            return not free or self._store.place.is_leased("expand")

    def put(self, snapshot: str, record: Mapping[str, Any]) -> None:
        """Write what became of a snapshot's expansion; the last one written counts. Raises
        Interrupted where that snapshot is forgotten."""
        if snapshot in self._store.forgotten():
            raise Interrupted("its snapshot was to be forgotten")
        text = json.dumps(record, sort_keys=True, ensure_ascii=False, indent=1)
        self._store.place.write(f"expansions/{snapshot}.json", text)

    def get(self, snapshot: str) -> dict[str, Any] | None:
        """The record of a human snapshot; None while there is none."""
        return _read(self._folder / f"{snapshot}.json")

    def drop(self, snapshots: Set[str]) -> None:
        """Remove what became of these: records of them, of challengers among them, of children
        that were made of them and approved beside others; and what writers said, a cache of which
        nobody knows whose children it has."""
        for human, record in list(self._records()):
            made_of = (record.get("review") or {}).get("made_of")
            if not snapshots.isdisjoint({human, made_of, *challengers_of(record)}):
                self._store.place.remove(f"expansions/{human}.json")
        if snapshots:
            self.written.unlink(missing_ok=True)

    def ask_review(self, snapshot: str) -> None:
        """Note that somebody wants people to see the children of this human snapshot."""
        self._store.place.write(f"expansions/{ASKED}", json.dumps({"snapshot": snapshot}))

    def review_asked(self) -> str | None:
        """The human snapshot that `ask_review` named, until it is answered."""
        asked = _read(self._folder / ASKED)
        return str(asked["snapshot"]) if asked else None

    def answer_review(self) -> None:
        """The review that was asked for is there, or can never be."""
        self._store.place.remove(f"expansions/{ASKED}")

    def _records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Human snapshots with their records."""
        for path in sorted(self._folder.glob("*.json")):
            if path.name != ASKED and (record := _read(path)) is not None:
                yield path.stem, record

    def past(self) -> list[dict[str, Any]]:
        """What each challenger brought, as its verdict says it, oldest first."""
        found: list[tuple[str, dict[str, Any]]] = []
        for _, record in self._records():
            for challenger in challengers_of(record):
                verdict = self._store.verdict(challenger)
                if verdict and verdict.get("gain"):
                    found.append((str(verdict["at"]), verdict["gain"]))
        return [gain for _, gain in sorted(found, key=lambda f: f[0])]

    def tried(self) -> dict[str, tuple[int, int]]:
        """By kind of transform how many candidates were made so far, and how many of them kept."""
        found: dict[str, tuple[int, int]] = {}
        for human, record in self._records():
            if (record.get("review") or {}).get("made_of", human) != human:
                continue  # the children of another record, which people approved since
            for kind, counts in (record.get("funnel") or {}).get("by_transform", {}).items():
                made, kept = found.get(kind, (0, 0))
                found[kind] = made + counts["made"], kept + counts["kept"]
        return found

    def human_of(self, challenger: str) -> str | None:
        """The human snapshot that a challenger was made from; None where it is none."""
        made = (human for human, record in self._records() if challenger in challengers_of(record))
        return next(made, None)


def challengers_of(record: Mapping[str, Any]) -> list[str]:
    """The challengers that were made of a snapshot, the last one last: `former` ones learned from
    children before people had looked at these."""
    last = record.get("challenger")
    return [*record.get("former", ()), *([last] if last else [])]


def _read(path: Path) -> dict[str, Any] | None:
    found: dict[str, Any] | None = read_json(path, None)
    return found


class Kept:
    """A writer whose answers are kept in a file and not asked for again.

    Asked in batches of `batch`: one of which any answer is missing is asked whole, since what a
    local writer says depends on whom it is asked with.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        write: Callable[[Sequence[Any]], Iterator[str | None]],
        batch: int,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name, self.asked = name, 0
        self._write, self._batch, self._go_on = write, batch, go_on
        self._written = Written(path, name)

    def __call__(self, prompts: Sequence[Question], /) -> Iterator[str | None]:
        """The answers, in order. Raises Interrupted when `go_on` says so; what was answered by then
        is kept."""
        for i in range(0, len(prompts), self._batch):
            some = prompts[i : i + self._batch]
            if any(p.digest not in self._written.said for p in some):
                if not self._go_on():
                    raise Interrupted(GAVE_WAY)
                said = list(self._write(some))
                self.asked += len(some)
                told = zip(some, said, strict=True)
                self._written.keep({p.digest: Answer(text) for p, text in told})
            yield from (self._written.said[p.digest].text for p in some)
