"""A project's expansions in the store: what was made of a snapshot, and what writers answered.

`expansions/<human snapshot>.json` is written last and whole: what was decided, made, refused and
kept, and the challenger snapshot, if any. `written.jsonl` beside it grows batch by batch, keyed by
who was asked what, so that nothing is asked twice, whenever it was killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lora.store import ProjectStore, write_atomic


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

    def put(self, snapshot: str, record: Mapping[str, Any]) -> None:
        """Write what became of a snapshot's expansion; the last one written counts. Raises
        Interrupted where that snapshot is forgotten."""
        if snapshot in self._store.forgotten():
            raise Interrupted("its snapshot was to be forgotten")
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, sort_keys=True, ensure_ascii=False, indent=1)
        write_atomic(self._folder / f"{snapshot}.json", text)

    def get(self, snapshot: str) -> dict[str, Any] | None:
        """The record of a human snapshot; None while there is none."""
        return _read(self._folder / f"{snapshot}.json")

    def past(self) -> list[dict[str, Any]]:
        """What each challenger brought, as its verdict says it, oldest first."""
        found: list[tuple[str, dict[str, Any]]] = []
        for path in self._folder.glob("*.json"):
            record = _read(path) or {}
            verdict = (
                self._store.verdict(record["challenger"]) if record.get("challenger") else None
            )
            if verdict and verdict.get("gain"):
                found.append((str(verdict["at"]), verdict["gain"]))
        return [gain for _, gain in sorted(found, key=lambda f: f[0])]

    def human_of(self, challenger: str) -> str | None:
        """The human snapshot that a challenger was made from; None where it is none."""
        for path in sorted(self._folder.glob("*.json")):
            record = _read(path)
            if record is not None and record.get("challenger") == challenger:
                return path.stem
        return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogatepass")
    except FileNotFoundError:
        return None
    found: dict[str, Any] = json.loads(text)
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
        self._path, self._write, self._batch, self._go_on = path, write, batch, go_on
        self._known = dict(_lines(path, name))

    def __call__(self, prompts: Sequence[Question], /) -> Iterator[str | None]:
        """The answers, in order. Raises Interrupted when `go_on` says so; what was answered by then
        is kept."""
        for i in range(0, len(prompts), self._batch):
            some = prompts[i : i + self._batch]
            if any(p.digest not in self._known for p in some):
                if not self._go_on():
                    raise Interrupted("newer answers came; the expansion stops for them")
                said = list(self._write(some))
                self.asked += len(some)
                self._keep({p.digest: text for p, text in zip(some, said, strict=True)})
            yield from (self._known[p.digest] for p in some)

    def _keep(self, said: Mapping[str, str | None]) -> None:
        self._known.update(said)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        rows = ({"by": self.name, "asked": key, "said": text} for key, text in said.items())
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write("\n" + "\n".join(json.dumps(r) for r in rows))  # a cut line ends here
            handle.flush()
            os.fsync(handle.fileno())


def _lines(path: Path, name: str) -> Iterator[tuple[str, str | None]]:
    """What this writer said; a line that was cut off by a kill is passed over."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["by"] == name:
            yield row["asked"], row["said"]
