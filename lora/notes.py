"""What sync tells the backend through the store, and what the backend asks of sync there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone

from lora.shapes import read_list, read_object, read_texts
from lora.wishes import Wishes


class Notes(Wishes):
    """A project's published lists, and the note that somebody wants a training; part of the
    ProjectStore."""

    def publish_blind(self, tasks: Iterable[int]) -> None:
        """Publish the ids whose predictions are withheld; the backend follows the file."""
        self._publish("blind.json", json.dumps(sorted(set(tasks))))

    def _publish(self, name: str, text: str) -> None:
        path = self.folder / name
        if not path.exists() or path.read_bytes() != text.encode():
            self.place.write(name, text)

    def blind(self) -> frozenset[int]:
        return frozenset(read_list(self.folder / "blind.json", int))

    def publish_pool(self, texts: Sequence[Mapping[str, str]]) -> None:
        """Publish texts by data key of unlabelled, never blind tasks; the cold start follows it."""
        text = json.dumps([dict(t) for t in texts], sort_keys=True, ensure_ascii=True)
        self._publish("pool.json", text)

    def pool(self) -> tuple[Mapping[str, str], ...]:
        """What was published last; nothing where nothing was."""
        return tuple(read_texts(self.folder / "pool.json"))

    def ask(self, by: str, trace: str | None = None) -> None:
        """Leave a note that a person wants a training now; sync picks it up on its next turn.
        `trace`: the `traceparent` (W3C) that the turn goes on with."""
        stamp = datetime.now(timezone.utc).isoformat()
        told = {"by": by, "at": stamp} | ({"trace": trace} if trace else {})
        self.place.write("asked.json", json.dumps(told))

    def asked(self) -> dict[str, str] | None:
        return read_object(self.folder / "asked.json")

    def answer_ask(self) -> None:
        """Take the note away once the training it asked for is decided."""
        self.place.remove("asked.json")
