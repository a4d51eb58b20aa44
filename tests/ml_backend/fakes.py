"""Stand-ins for the neighbours of ml_backend, and the recorded calls of a real Label Studio."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

from werkzeug.test import TestResponse

from jobs import QueueDown
from label_config import Choice, Prediction, Region, Schema, Span, Task, Written
from label_config.values import BLIND
from label_config.wire import task_texts

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("ANNOTUNE_SHARED") or ROOT.parent / "shared")
CAPTURES = SHARED / "captures"
NO_CAPTURES = (
    f"the recorded calls of Label Studio 1.23.2 are not at {CAPTURES}; set ANNOTUNE_SHARED to the "
    "folder that holds captures/"
)
XML = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>'
    '<Labels name="ner" toName="text"><Label value="PER"/><Label value="ORG"/></Labels></View>'
)


@cache
def captured(name: str) -> Any:
    """One recorded file, as JSON."""
    return json.loads((CAPTURES / name).read_text(encoding="utf-8"))


def said(answer: TestResponse) -> Any:
    """The JSON of an answer."""
    return json.loads(answer.data)


class FirstLabelLive:
    """Answers every control with its first label, for the whole text or for its first word, and a
    TextArea with that word."""

    def __init__(self, version: str = "v1-0a1b2c3d") -> None:
        self.now = version
        self.raises: Exception | None = None
        self.gate: Event | None = None  # set: predict waits for it
        self.inside = Semaphore(0)  # released once per predict that waits
        self.asked: list[tuple[str, Schema, tuple[Task, ...], bool]] = []
        self.blind: set[int] = set()
        self.vector: bytes | None = None  # of any text

    def version(self, project: str, schema: Schema) -> str:
        return self.now

    def health(self) -> dict[str, Any]:
        return {"base": "fake", "ready": True, "projects": {}, "queue": 0}

    def predict(
        self,
        project: str,
        schema: Schema,
        tasks: Sequence[Task],
        *,
        bulk: bool = False,
        timeout_s: float = 60,
    ) -> list[Prediction]:
        if self.raises:
            raise self.raises
        self.asked.append((project, schema, tuple(tasks), bulk))
        version = self.now
        if self.gate:
            self.inside.release()
            self.gate.wait(10)
        return [self._answer(schema, task, version) for task in tasks]

    def _answer(self, schema: Schema, task: Task, version: str) -> Prediction:
        if task.id in self.blind:
            return Prediction(task.id, (), 0.5, version, BLIND)
        texts = task_texts(schema, task.data)
        regions: list[Region] = []
        for c in (c for c in schema.controls if c.key in texts.by_key):
            if c.kind == "Choices":
                regions.append(Choice(c.name, c.to_name, c.values[:1], 0.9))
            else:
                text = texts.by_key[c.key]
                word = text.split()[0]
                at = text.index(word)
                if c.form == "text":
                    regions.append(Written(c.name, c.to_name, word, 0.7))
                    continue
                regions.append(Span(c.name, c.to_name, at, at + len(word), word, c.values[:1], 0.8))
        reason = "; ".join(texts.missing) or None
        score = 0.85 if regions else 0.5
        return Prediction(task.id, tuple(regions), score, version, reason, self.vector)


class ListedJobs:
    """Keeps what was enqueued in a list."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...], str | None]] = []

    def enqueue(self, function: str, *args: str, job_id: str | None = None) -> str:
        self.asked.append((function, args, job_id))
        return job_id or "made-up"


class DownJobs:
    """A queue whose Redis does not answer."""

    def enqueue(self, function: str, *args: str, job_id: str | None = None) -> str:
        raise QueueDown("the queue's Redis does not answer (ConnectionError)")
