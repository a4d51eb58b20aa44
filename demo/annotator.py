"""A simulated annotator: takes the next task, looks at what is shown, accepts or corrects it.

It speaks Label Studio's own HTTP API and knows the right answers, nothing else of the program. Its
lead time is the time that really passed, thinking included, so that the log's clock is honest.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.rows import Row
from sync.start.api import StudioApi, StudioRefused
from sync.start.label_config import CHOICES, LABELS, TEXT

Regions = list[dict[str, Any]]
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before the submit is pressed again


@dataclass(frozen=True)
class Answered:
    """One submitted answer. `shown`: a prediction was visible; `changed`: it was not kept as is."""

    task: int
    shown: bool
    changed: bool
    version: str | None
    at: float  # monotonic time at which Label Studio's reply to the submit came
    resubmitted: int = 0  # how often Label Studio failed before


class Annotator:
    """Answers one project's tasks. `pace`: mean seconds of thought; corrections take twice that."""

    def __init__(
        self,
        api: StudioApi,
        project: int,
        gold: Mapping[str, Row],
        seed: int = 0,
        pace: float = 0.3,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._project = project
        self._gold = gold
        self._random = random.Random(seed)  # nosec B311  # drawn again from a seed
        self._pace = pace
        self._sleep = sleep
        self.resubmitted = 0

    def answer_next(self) -> Answered | None:
        """Answer the next task; None when Label Studio has no further one.

        Raises StudioRefused.
        """
        task = self._next_task()
        if task is None:
            return None
        opened = time.monotonic()
        newest = newest_prediction(task)
        shown = newest if newest and newest["result"] else None
        row = self._gold[task["data"]["text"]]
        accepted = shown is not None and same_answer(shown["result"], row)
        self._think(accepted)
        result = plain(shown["result"]) if shown and accepted else write_answer(row, shown)
        body = {
            "result": result,
            "lead_time": round(time.monotonic() - opened, 3),
            "was_cancelled": False,
            "unique_id": str(uuid.uuid4()),
            # as the editor does: an empty (blind) prediction is named too, though nothing was seen
            "parent_prediction": newest["id"] if newest else None,
        }
        path = f"/api/tasks/{task['id']}/annotations/"
        before = self.resubmitted
        self._insist("POST", path, params={"project": self._project}, json=body)
        version = shown["model_version"] if shown else None
        return Answered(
            task["id"],
            shown is not None,
            bool(shown) and not accepted,
            version,
            time.monotonic(),
            self.resubmitted - before,
        )

    def _insist(self, method: str, path: str, **options: Any) -> Any:
        """A call, repeated as a person would press the button again when Label Studio fails.

        On SQLite it answers 500 ("database is locked") while a bulk write takes longer than 5 s.
        An annotation's unique_id makes repeating safe: 409 says that it is stored already.
        """
        for wait in WAITS:
            try:
                return self._api.call(method, path, **options)
            except StudioRefused as error:
                if error.status == 409:
                    return None
                if error.status < 500:
                    raise
            self.resubmitted += method == "POST"
            self._sleep(wait)
        return self._api.call(method, path, **options)

    def _next_task(self) -> dict[str, Any] | None:
        try:
            task: dict[str, Any] = self._insist("GET", f"/api/projects/{self._project}/next")
        except StudioRefused as error:
            if error.status == 404:
                return None
            raise
        return task

    def _think(self, accepted: bool) -> None:
        self._sleep(self._pace * (1 if accepted else 2) * self._random.uniform(0.5, 1.5))


def newest_prediction(task: Mapping[str, Any]) -> dict[str, Any] | None:
    """The prediction the editor starts from; an empty one shows nothing, its task is blind."""
    predictions: Sequence[dict[str, Any]] = task.get("predictions") or ()
    return max(predictions, key=lambda p: int(p["id"]), default=None)


def same_answer(result: Sequence[Mapping[str, Any]], row: Row) -> bool:
    """True when the regions say exactly what the row says."""
    label, spans = read_answer(result)
    right = {(s.start, s.end, s.label) for s in row.spans}
    return label == row.label and spans == right


def read_answer(
    result: Sequence[Mapping[str, Any]],
) -> tuple[str | None, set[tuple[int, int, str]]]:
    """The chosen label and the spans of a `result`."""
    label: str | None = None
    spans: set[tuple[int, int, str]] = set()
    for region in result:
        value = region["value"]
        if region["from_name"] == CHOICES:
            label = value["choices"][0]
        elif region["from_name"] == LABELS:
            spans.add((value["start"], value["end"], value["labels"][0]))
    return label, spans


def write_answer(row: Row, shown: Mapping[str, Any] | None = None) -> Regions:
    """The row as a `result`; a region that was shown right keeps its id, as in the editor."""
    wanted: list[tuple[str, str, dict[str, Any]]] = []
    if row.label is not None:
        wanted.append((CHOICES, "choices", {"choices": [row.label]}))
    for span in row.spans:
        text = row.text[span.start : span.end]
        value = {"start": span.start, "end": span.end, "text": text, "labels": [span.label]}
        wanted.append((LABELS, "labels", value))
    known = {_key(r): r["id"] for r in (shown or {}).get("result", ()) if "id" in r}
    regions: Regions = []
    for name, kind, value in wanted:
        region = {"from_name": name, "to_name": TEXT, "type": kind, "value": value}
        regions.append({**region, "id": known.get(_key(region)) or uuid.uuid4().hex[:10]})
    return regions


def _key(region: Mapping[str, Any]) -> tuple[object, ...]:
    value = region["value"]
    labels = tuple(value.get("choices") or value.get("labels") or ())
    return (region["from_name"], value.get("start"), value.get("end"), labels)


def plain(result: Sequence[Mapping[str, Any]]) -> Regions:
    """The regions without the model's scores: what a person submits is theirs."""
    return [{k: v for k, v in region.items() if k != "score"} for region in result]
