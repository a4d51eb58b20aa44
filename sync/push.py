"""Speaking: Label Studio gets the serving version's predictions, in the order that teaches most.

Resumable without doubles, though Label Studio refuses none: each prediction is noted in the log
before it is sent, and before anything is sent Label Studio is asked which tasks hold the version
already. Only when no unanswered task lacks it does the project show the new version; the old
one's predictions stay until every task that was open at that moment is closed again.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx

from label_config.fetch import NotFetched
from label_config.wire import read_result, write_result
from settings import Backend, Settings
from sync import log_tables
from sync.backend_client import BackendDown, certificates
from sync.log import Log
from sync.log_shown import VersionSince
from sync.log_tasks import LoggedTask
from sync.order import Guess, answer_of, blind_places, drawn_by
from sync.studio_values import NewPrediction, ProjectInfo, StudioLike, StudioRejected
from sync.terms import Terms
from sync.typical import KNOWN, LEAST, Line, Taught, Way, is_early, labels_of, places

T = TypeVar("T")
Wire = list[dict[str, Any]]
BULK = {"X-Annotune-Priority": "bulk"}
VECTORS = {"X-Annotune-Vectors": "1"}
OURS = re.compile(r"^(cold-[0-9a-f]{8}(-[0-9a-f]{4})?|v\d+-[0-9a-f]{8}(\+[0-9a-f]{8})?)$")
BUDGET_S = 20.0  # a turn also has to listen; what is left goes in the next one
AT_ONCE = 250  # predictions in one import
BODY = 4_000_000  # characters of task data in one request to the backend
ASK_S = 120.0
TRIES = 4
LONGEST_WAIT_S = 5.0
LONGEST_VECTOR = 65_536  # bytes


@dataclass(frozen=True)
class Pushed:
    """What one push did. `left`: unanswered tasks still without this version; `way`: how the front
    of the queue was ordered, where it was."""

    version: str
    shown: int = 0
    blind: int = 0
    left: int = 0
    switched: bool = False
    problem: str | None = None
    way: Way | None = None


class OtherVersion(Exception):
    """The backend has moved on to another version; the next turn starts over with that one."""


def push(
    log: Log,
    studio: StudioLike,
    project: str,
    terms: Terms,
    version: str,
    budget_s: float = BUDGET_S,
) -> Pushed:
    """Renew what unanswered tasks show, blind ones last, then let the project show `version`.

    Returns early with `left` when the time is spent, with `problem` when the backend answers with
    another version or a task vanished meanwhile. Raises BackendDown and StudioError.
    """
    settings, info = terms.settings, studio.project(project)
    lacking = log.lacking(project, version)
    whole = info.model_version != version or log.unconfirmed(project, version)
    if lacking or whole:
        first = 0 if whole else min(lacking)  # new tasks have the highest ids: few are asked for
        held = studio.tasks_with_version(project, version, first)
        log.believe(project, version, held, first)
        lacking = log.lacking(project, version)
    shown = sorted(
        (task for task, blind in lacking.items() if not blind),
        key=lambda task: drawn_by(project, task),  # each part a fair sample of all
    )
    blind = [task for task, blind in lacking.items() if blind]
    open_ = log.waiting(project) if shown else 0
    done, ends = 0, time.monotonic() + budget_s
    way: Way | None = None
    try:
        with _Asker.open(project, terms, version, ends) as asker:
            while shown:
                if time.monotonic() >= ends:
                    return Pushed(version, shown=done, left=len(lacking) - done, way=way)
                line = Line(open_ - len(shown), open_)
                part = shown[: line.room or AT_ONCE]
                known = {task.id: task for task in log.tasks(project, part)}
                tasks = [known[task] for task in part if task in known]
                made, how = _ordered(log, asker, tasks, line)
                for some in _parts(made, AT_ONCE):
                    _send(log, studio, project, some)
                shown = [task.id for task in tasks[len(made) :]] + shown[len(part) :]
                done, way = done + len(made), how or way
        for some in _parts(_placed(settings, log, project, version, blind), AT_ONCE):
            _send(log, studio, project, some)
    except OtherVersion as moved:
        return Pushed(version, shown=done, left=len(lacking) - done, problem=str(moved), way=way)
    except StudioRejected:
        log.bury(project, set(log.sides(project)) - studio.task_ids(project))
        problem = "Label Studio refused predictions; tasks that are gone were taken out"
        return Pushed(version, shown=done, left=len(lacking) - done, problem=problem, way=way)
    switched = _show(settings, log, studio, info, version)
    return Pushed(version, shown=done, blind=len(blind), switched=switched, way=way)


def retire(
    log: Log, studio: StudioLike, project: str, lock_s: float, quiet_s: float = 0.0
) -> list[str]:
    """Remove predictions of our old versions once no task opened under them can still be open.

    Label Studio deletes a version in one transaction; on SQLite a submit at that moment waits and,
    after 5 s, fails. So it is done when nobody answered for `quiet_s`, or at last after twice the
    lock time. Returns the versions removed. Predictions that others imported are never touched.
    """
    if log.quiet_for(project) < quiet_s:
        lock_s *= 2
    history = log.versions(project)
    gone: list[str] = []
    for version in log.standing_versions(project) if history else []:
        current = history[-1].version
        if version == current or not OURS.match(version):
            continue
        ended = _ended(log, project, version, history)
        if ended and log_tables.now() - ended >= timedelta(seconds=lock_s):
            studio.delete_predictions(project, version)
            studio.set_model_version(project, current)  # the deletion cleared it
            log.removed(project, version)
            gone.append(version)
    return gone


def _ended(
    log: Log, project: str, version: str, history: Sequence[VersionSince]
) -> datetime | None:
    """When the project stopped showing a version; None for one that is still on its way in."""
    after = [b for a, b in zip(history, history[1:], strict=False) if a.version == version]
    if after:
        return after[-1].visible_from
    since = history[-1].visible_from
    newest = log.newest(project, version)
    return since if newest is None or newest <= since else None


def _ordered(
    log: Log, asker: _Asker, tasks: Sequence[LoggedTask], line: Line
) -> tuple[list[NewPrediction], Way | None]:
    """Predictions of the first of these tasks, of all where there is time, scored by their place;
    and how a part of the front was ordered."""
    front = line.room > 0 and len(tasks) >= LEAST
    made = asker.predictions(tasks, vectors=front)
    guesses, labels = [guess for guess, _ in made], labels_of(asker.terms.schema)
    taught = _taught(log, asker, labels, front and any(g.vector for g in guesses))
    found, way = places(asker.project, guesses, taught, labels, line)
    scored = [NewPrediction(g.task, wire, found[g.task], asker.version) for g, wire in made]
    return scored, way if front else None


def _taught(log: Log, asker: _Asker, labels: int, vectors: bool) -> Taught:
    """`vectors`: they are of use. Only those of a few answered tasks are asked for, and only while
    typical tasks come first."""
    learned = not asker.version.startswith("cold-")
    if not vectors:
        return Taught(0, (), learned)
    waiting, sides = log.unanswered(asker.project), log.sides(asker.project)
    answered = [task for task, blind in sides.items() if not blind and task not in waiting]
    late = time.monotonic() >= asker.ends
    if late or not is_early(labels, len(answered), learned):
        return Taught(len(answered), (), learned)
    some = sorted(answered, key=lambda task: drawn_by(asker.project, task))[:KNOWN]
    made = asker.predictions(log.tasks(asker.project, some), vectors=True)
    return Taught(len(answered), [g.vector for g, _ in made if g.vector], learned)


def _send(log: Log, studio: StudioLike, project: str, predictions: Sequence[NewPrediction]) -> None:
    log.plan(project, predictions)
    studio.import_predictions(project, predictions)
    log.confirm(project, predictions)


def _placed(
    settings: Settings, log: Log, project: str, version: str, blind: Sequence[int]
) -> list[NewPrediction]:
    """Empty predictions for blind tasks; their scores are places in the queue of those waiting."""
    if not blind:
        return []
    counts = log.counts(project)
    queue: dict[bool, dict[int, float]] = {False: {}, True: {}}
    for task, is_blind, score in log.queue(project, version):
        queue[is_blind][task] = score
    places = blind_places(
        queue[False],
        queue[True],
        sorted(blind, key=lambda task: drawn_by(project, task)),
        served=counts.answers + counts.skips,
        labelled=counts.blind,
        rule=settings.blind,
    )
    return [NewPrediction(task, (), score, version) for task, score in places.items()]


def _show(
    settings: Settings, log: Log, studio: StudioLike, info: ProjectInfo, version: str
) -> bool:
    """Backend title = project.model_version = version; both, or no order or no refresh works.

    Label Studio takes a model version that has predictions or is a title. The project goes first
    where it can: once the old title is gone and still named, tasks open without any prediction.
    """
    project, switched = info.id, info.model_version != version
    if switched:
        there = bool(log.tasks_showing(project, version))
        if there:
            studio.set_model_version(project, version)
        _rename(settings.backend, studio, project, version)
        if not there:
            studio.set_model_version(project, version)
    log.see_version(project, version)
    return switched


def _rename(mine: Backend, studio: StudioLike, project: str, version: str) -> None:
    url = mine.url.rstrip("/")
    for backend in studio.backends(project):
        if backend.url.rstrip("/") == url and backend.title != version:
            studio.rename_backend(project, backend.id, url, version, mine.user, mine.password)


def _parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]


@dataclass(frozen=True)
class _Asker:
    """Asks the backend's /predict, in small batches that give way to annotators' own requests."""

    client: httpx.Client
    batch: int
    project: str
    terms: Terms
    version: str
    ends: float

    @classmethod
    @contextmanager
    def open(cls, project: str, terms: Terms, version: str, ends: float) -> Iterator[_Asker]:
        mine = terms.settings.backend
        auth = (mine.user, mine.password) if mine.password else None
        url = mine.url.rstrip("/")
        with httpx.Client(
            base_url=url,
            auth=auth,
            headers=BULK,
            timeout=ASK_S,
            trust_env=False,
            verify=certificates(),
        ) as client:
            yield cls(client, terms.settings.sync.batch, project, terms, version, ends)

    def predictions(
        self, tasks: Sequence[LoggedTask], *, vectors: bool
    ) -> list[tuple[Guess, Wire]]:
        """One a task, in order; AT_ONCE at least, the others as long as there is time. Raises
        BackendDown, or OtherVersion when it is not ours."""
        made: list[tuple[Guess, Wire]] = []
        for batch in self._batches(tasks):
            if len(made) >= AT_ONCE and time.monotonic() >= self.ends:
                break
            answers = self._ask(batch, vectors)
            made += [self._read(t, a) for t, a in zip(batch, answers, strict=True)]
        return made

    def _batches(self, tasks: Sequence[LoggedTask]) -> Iterator[list[LoggedTask]]:
        batch: list[LoggedTask] = []
        size = 0
        for task in tasks:
            length = len(json.dumps(task.data))
            if batch and (len(batch) == self.batch or size + length > BODY):
                yield batch
                batch, size = [], 0
            batch.append(task)
            size += length
        if batch:
            yield batch

    def _ask(self, batch: Sequence[LoggedTask], vectors: bool) -> list[Any]:
        body = {
            "tasks": [{"id": t.id, "data": t.data} for t in batch],
            "project": self.project,
            "label_config": self.terms.config,
            "params": {"login": None, "password": None, "context": None},  # nosec B105  # no password
        }
        try:
            answer = self._post(body, VECTORS if vectors else {})
            results = answer.raise_for_status().json()["results"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            what = type(error).__name__
            if isinstance(error, httpx.HTTPStatusError):
                what = f"HTTP {error.response.status_code}"
            raise BackendDown(f"the backend's /predict failed: {what}") from error
        if not isinstance(results, list) or len(results) != len(batch):
            raise BackendDown(f"the backend's /predict did not answer each of {len(batch)} tasks")
        return results

    def _post(self, body: object, headers: Mapping[str, str]) -> httpx.Response:
        """POST, waiting as long as a busy backend asks for, a few times."""
        for _ in range(TRIES - 1):
            answer = self.client.post("/predict", json=body, headers=headers)
            if answer.status_code not in (429, 503):
                return answer
            asked = answer.headers.get("Retry-After", "1")
            wait = float(asked) if asked.isdecimal() else 1.0
            time.sleep(min(wait, LONGEST_WAIT_S))
        return self.client.post("/predict", json=body, headers=headers)

    def _read(self, task: LoggedTask, answer: Any) -> tuple[Guess, Wire]:
        """One answer, checked: Label Studio would store anything."""
        version = answer.get("model_version") if isinstance(answer, dict) else None
        if version != self.version:
            raise OtherVersion(f"the backend answers with {version}, not with {self.version}")
        score = answer.get("score")
        if not isinstance(score, (int, float)) or not 0 <= score <= 1:
            raise BackendDown(f"the backend's score of task {task.id} is no number in [0, 1]")
        schema, vector = self.terms.schema, _vector(answer.get("vector"))
        try:
            data = self.terms.fetched(task.data)
        except NotFetched:  # the backend could not read it either
            return Guess(task.id, (), float(score), vector), []
        regions = read_result(schema, data, answer.get("result")).regions
        wire = write_result(schema, task.id, regions, data)
        return Guess(task.id, answer_of(schema, regions), float(score), vector), wire


def _vector(raw: object) -> bytes | None:
    """A text's vector as the backend says it; None of what is none."""
    try:
        found = base64.b64decode(raw, validate=True) if isinstance(raw, str) else b""
    except ValueError:
        return None
    return found if 0 < len(found) <= LONGEST_VECTOR else None
