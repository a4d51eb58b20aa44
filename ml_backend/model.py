"""The model as Label Studio's ML backends know it: setup, predict, fit, as in label-studio-ml 2.x.

One cheap object per request around the shared `live` and `jobs`; here a task from the wire becomes
a Task, and what the model says becomes an answer that Label Studio can store.
"""

from __future__ import annotations

import base64
import logging
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import tracing
from label_config import (
    Choice,
    Control,
    Prediction,
    Quantity,
    Region,
    Schema,
    Span,
    Task,
    Written,
)
from label_config.fetch import Fetcher
from label_config.values import BLIND
from label_config.wire import Texts, read_task, task_texts, write_prediction
from ml_backend.fetching import fetch_texts
from ml_backend.mentions import Suggested, mentions
from ml_backend.ports import JobsLike, LiveLike

log = logging.getLogger(__name__)

ASK = "sync.jobs.ask"  # by name: sync lives on the same floor and is not imported
ANSWER_S = 90.0  # Label Studio gives up after 100 s (ML_TIMEOUT_PREDICT)
MANY = 16  # more tasks than this are no annotator's: they yield to interactive requests
EMPTY_SCORE = 0.5  # of answers nobody made: neither first nor last in the uncertainty order


class BrokenAnswer(RuntimeError):
    """The model broke its promise: one prediction per task, all of one version."""


@dataclass(frozen=True)
class AnnotuneModel:
    """One project's model, as seen by one request."""

    live: LiveLike
    jobs: JobsLike
    project_id: str
    schema: Schema
    fetcher: Fetcher = field(default_factory=lambda: Fetcher(()))
    suggested: Suggested = field(default_factory=Suggested)

    def setup(self) -> str:
        """The version that predictions carry now; never waits for a model."""
        return self.live.version(self.project_id, self.schema)

    def predict(
        self,
        tasks: Sequence[object],
        context: Mapping[str, object] | None = None,
        *,
        bulk: bool = False,
        vectors: bool = False,
        **_: object,
    ) -> list[dict[str, Any]]:
        """One valid prediction per task, in order, all of one version.

        `context` (regions just drawn, of an interactive call): the answer to its one task is then
        where else these stand, and nothing on a blind task. `vectors`: each with its text's, where
        an encoder answers, for sync. Raises NotReady or Overloaded before any work.
        """
        began = time.monotonic()
        wanted = [self._read(raw) for raw in tasks]
        fetched = fetch_texts(self.fetcher, self.schema, wanted)
        read = [task for task, _ in fetched]
        left = ANSWER_S - (time.monotonic() - began)
        predictions = self._ask(read, bulk or len(read) > MANY, left) if read else []
        suggests = context is not None and "result" in context
        if context is not None and suggests:
            predictions = [
                self._suggested(task, raw, context, p)
                for task, raw, p in zip(read, tasks, predictions, strict=True)
            ]
        sendable = [
            self._sendable(task, replace(p, reason=p.reason if why is None else why))
            for (task, why), p in zip(fetched, predictions, strict=True)
        ]
        self._record(sendable)
        made = [
            write_prediction(self.schema, p, task.data)
            for task, p in zip(read, sendable, strict=True)
        ]
        if suggests:
            _name_anew(made)
        if vectors:
            for one, p in zip(made, sendable, strict=True):
                one |= {"vector": base64.b64encode(p.vector).decode()} if p.vector else {}
        return made

    def _suggested(
        self, task: Task, raw: object, context: Mapping[str, object], told: Prediction
    ) -> Prediction:
        if told.reason == BLIND or not isinstance(raw, Mapping):
            return replace(told, regions=())
        found = mentions(self.schema, task, raw, context, told.regions, self.suggested)
        return replace(told, regions=found)

    def fit(self, event: str, data: Mapping[str, Any] | None = None, **_: object) -> str | None:
        """Ask sync for a training on START_TRAINING and return the job's id; else nothing.

        The asking is all: sync decides and freezes the snapshot. Raises jobs.QueueDown.
        """
        if event != "START_TRAINING":
            return None
        with tracing.span("start training", project=self.project_id):
            return self.jobs.enqueue(ASK, self.project_id, job_id=f"ask-{self.project_id}")

    def _read(self, raw: object) -> Task:
        task = read_task(raw, self.project_id) if isinstance(raw, Mapping) else None
        return task if isinstance(task, Task) else Task(0, self.project_id, {})

    def _ask(self, tasks: list[Task], bulk: bool, within_s: float) -> list[Prediction]:
        if not self.schema.controls:  # nothing a model could say: no need to wait for one
            version = self.setup()
            reason = "the label config has no control that is predicted"
            return [Prediction(t.id, (), EMPTY_SCORE, version, reason) for t in tasks]
        got = self.live.predict(self.project_id, self.schema, tasks, bulk=bulk, timeout_s=within_s)
        versions = {p.model_version for p in got}
        if len(got) != len(tasks) or len(versions) != 1:
            raise BrokenAnswer(
                f"{len(got)} predictions of versions {sorted(versions)} for {len(tasks)} tasks"
            )
        return got

    def _sendable(self, task: Task, prediction: Prediction) -> Prediction:
        """The prediction without the regions that Label Studio could not show."""
        if not prediction.regions:
            return prediction
        texts = task_texts(self.schema, task.data)
        kept: list[Region] = []
        faults: list[str] = []
        for region in prediction.regions:
            fault = _fault(self.schema, texts, kept, region)
            if fault:
                faults.append(fault)
            else:
                kept.append(region)
        if not faults:
            return prediction
        return replace(prediction, regions=tuple(kept), reason=faults[0])

    def _record(self, predictions: list[Prediction]) -> None:
        """Say in one line why answers are empty or short; the reasons hold no task's text."""
        for reason, n in Counter(p.reason for p in predictions if p.reason).most_common(5):
            log.info("project %s: %d x %s", self.project_id, n, reason)


def _name_anew(made: Sequence[Mapping[str, Any]]) -> None:
    """Give each region an id that no other has. The editor takes a suggestion whose id stands
    already for that region and writes over it, and a prediction's ids are numbered from the first
    region on, as those of any other answer to the task."""
    for one in made:
        for item in one["result"]:
            item["id"] = secrets.token_hex(5)


def _fault(schema: Schema, texts: Texts, before: Sequence[Region], region: Region) -> str | None:
    """Why a region must not be sent, or None; Label Studio itself stores anything."""
    control = schema.control(region.from_name)
    if control is None or control.to_name != region.to_name:
        return "the model answered a control that is not in the label config"
    if not isinstance(region, _KINDS.get(control.form, Choice)):
        return f"the model answered {control.name!r} with another kind of region"
    if isinstance(region, Quantity):
        fault = _number_fault(control, region)
    elif any(map(_no_text, _said(region))):
        fault = f"the answer to {control.name!r} holds a NUL or half a character"
    elif isinstance(region, Written):
        fault = None
    else:
        fault = _labels_fault(control, texts, region)
    if fault:
        return fault
    if isinstance(region, Span):
        if texts.by_key.get(control.key, "")[region.start : region.end] != region.text:
            return f"the model gave {control.name!r} a span that does not lie in the text"
    elif any(r.from_name == region.from_name for r in before):
        return f"the model answered {control.name!r} twice"
    return None


_KINDS: Mapping[str, type] = {"spans": Span, "number": Quantity, "text": Written}


def _number_fault(control: Control, region: Quantity) -> str | None:
    low, high = control.low, control.high
    if (low is not None and region.value < low) or (high is not None and region.value > high):
        return f"the model gave {control.name!r} a number out of its bounds"
    return None


def _said(region: Choice | Span | Written) -> tuple[str, ...]:
    """What a region says in a person's or the model's own words: a task's text may hold anything,
    and so may the labels that it brings."""
    if isinstance(region, Choice):
        return region.labels
    return (region.text, *(region.labels if isinstance(region, Span) else ()))


def _no_text(text: str) -> bool:
    """Whether PostgreSQL's jsonb refuses it, with all that is stored in the same request."""
    return "\0" in text or any("\ud800" <= c <= "\udfff" for c in text)


def _labels_fault(control: Control, texts: Texts, region: Choice | Span) -> str | None:
    known = {label.value for label in texts.options.get(control.name, ())} or set(control.values)
    if not set(region.labels) <= known:
        return f"the model answered {control.name!r} with a label it does not have"
    if len(region.labels) > 1 and not control.multiple:
        return f"the model gave {control.name!r}, which takes one label, several"
    return None
