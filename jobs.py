"""The queue's door: the one file that imports rq and redis.

Jobs travel as a dotted name and JSON arguments, never as pickles. Redis holds nothing that
matters (law 2): sync asks again for whatever is missing, so a wiped queue costs a delay only.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

from redis import Redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue, Worker
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

import log_lines
import tracing

logger = logging.getLogger(__name__)

STALE_S = 120.0  # a worker says that it lives every few seconds, and once a job a minute
CONNECT_S = 0.4  # a caller in a request must hear "down" within half a second

State = Literal["waiting", "started", "ended", "unknown"]


class QueueDown(Exception):
    """Redis does not answer."""


class NotOurs(Exception):
    """A job names a function that is none of ours; the message names it."""


@dataclass(frozen=True)
class WorkerSeen:
    """A worker as Redis knows it. `quiet_s`: since it last said that it lives."""

    name: str
    state: str
    quiet_s: float


@dataclass(frozen=True)
class QueueSeen:
    """A queue at one moment, and its Redis: which one, and what time it has."""

    server: str
    at: datetime
    waiting: int
    failed: int
    workers: tuple[WorkerSeen, ...]

    @property
    def alive(self) -> tuple[WorkerSeen, ...]:
        """The workers that were heard lately."""
        return tuple(w for w in self.workers if w.quiet_s < STALE_S)


@dataclass(frozen=True)
class Jobs:
    """One queue at one Redis URL; rq kills a job's work-horse after `timeout_s`."""

    url: str = field(repr=False)
    name: str = "annotune"
    timeout_s: int = 3600

    @contextmanager
    def _queue(self) -> Iterator[Queue]:
        connection = Redis.from_url(
            self.url,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=CONNECT_S,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            yield Queue(self.name, connection=connection, serializer=JSONSerializer)
        except RedisError as error:
            kind = type(error).__name__
            raise QueueDown(f"the queue's Redis does not answer ({kind})") from error
        finally:
            connection.close()

    def enqueue(self, function: str, *args: str, job_id: str | None = None) -> str:
        """Put `function(*args)` in the queue and return the job's id.

        While a job of this id waits or runs nothing is added; one that ended makes room.
        Raises QueueDown within half a second when Redis does not answer.
        """
        job_id = job_id or uuid.uuid4().hex
        carried = tracing.carried()
        with self._queue() as queue:
            job = _fetch(queue, job_id)
            if job and _state(queue, job) == "ended":
                job.delete()
            try:
                queue.enqueue(
                    function,
                    *args,
                    job_id=job_id,
                    unique=True,
                    job_timeout=self.timeout_s,
                    result_ttl=3600,
                    failure_ttl=86400,
                    meta={tracing.HEADER: carried} if carried else None,
                )
            except DuplicateJobError:
                return job_id  # it waits or runs: that is what was asked for
        logger.info("queued job %s", job_id, extra={"job": job_id})
        return job_id

    def state(self, job_id: str) -> tuple[State, float]:
        """Where a job stands, and for how many seconds it has run. Raises QueueDown.

        `unknown`: Redis never heard of it. `started` is what the queue last heard: a worker
        killed outright leaves it so, and the caller must look at the trainer's lock to tell.
        """
        with self._queue() as queue:
            job = _fetch(queue, job_id)
            if job is None:
                return "unknown", 0.0
            since = job.started_at.replace(tzinfo=timezone.utc) if job.started_at else None
            seconds = (datetime.now(timezone.utc) - since).total_seconds() if since else 0.0
            return _state(queue, job), seconds

    def forget(self, job_id: str) -> None:
        """Drop a job, so that its id can be enqueued again. Raises QueueDown."""
        with self._queue() as queue:
            if job := _fetch(queue, job_id):
                job.delete()

    def depth(self) -> int:
        """How many jobs wait. Raises QueueDown."""
        with self._queue() as queue:
            return int(queue.count)

    def look(self) -> QueueSeen:
        """The queue, its Redis and its workers, for people. Raises QueueDown."""
        with self._queue() as queue:
            told: Any = queue.connection.info("server")
            seconds, micros = queue.connection.time()
            at = datetime.fromtimestamp(seconds + micros / 1e6, timezone.utc)
            workers = Worker.all(queue=queue, serializer=JSONSerializer)
            return QueueSeen(
                server=f"{told.get('server_name', 'redis')} {told.get('redis_version', '')}",
                at=at,
                waiting=int(queue.count),
                failed=int(queue.failed_job_registry.count),
                workers=tuple(_worker(w, at) for w in workers),
            )

    def answers_strangers(self) -> bool:
        """Whether this Redis answers without the password of ours, if any."""
        connection = Redis.from_url(
            self.url,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=CONNECT_S,
            retry=Retry(NoBackoff(), 0),
        )
        for known in ("username", "password"):
            connection.connection_pool.connection_kwargs.pop(known, None)
        try:
            return bool(connection.ping())
        except RedisError:
            return False
        finally:
            connection.close()

    def work(self, functions: Collection[str], burst: bool = False) -> None:
        """Run these functions, and no others, until told to stop (a process entry, not for
        requests); with `burst` until the queue is empty."""
        connection = Redis.from_url(self.url, socket_connect_timeout=5)
        kind = type("Job", (_Ours,), {"functions": frozenset(functions)})
        queue = Queue(self.name, connection=connection, serializer=JSONSerializer, job_class=kind)
        worker = _Steady(
            [queue],
            connection=connection,
            serializer=JSONSerializer,
            job_class=kind,
            worker_ttl=60,
            job_monitoring_interval=5,
        )
        worker.work(logging_level="WARNING", burst=burst)


class _Steady(Worker):
    """A worker whose job outlives Redis: rq's own ends, and its job with it, at the first word to
    Redis that is not taken. A training needs Redis for nothing before it is done."""

    def maintain_heartbeats(self, job: Job) -> None:
        with _without_redis(f"job {job.id} goes on"):
            super().maintain_heartbeats(job)

    def set_current_job_working_time(
        self, current_job_working_time: float, pipeline: Pipeline | None = None
    ) -> None:
        with _without_redis(f"the job goes on after {current_job_working_time:.0f} s"):
            super().set_current_job_working_time(current_job_working_time, pipeline)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        with _without_redis("the worker goes on"):
            super().heartbeat(timeout, pipeline)

    def set_shutdown_requested_date(self) -> None:
        with _without_redis("told to stop, the worker ends its job first"):
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call]


@contextmanager
def _without_redis(then: str) -> Iterator[None]:
    try:
        yield
    except RedisError as error:  # a full or read-only one answers, and takes no word
        logger.warning("Redis takes no word (%s); %s", type(error).__name__, then)


class _Ours(Job):
    """A job that runs what we named and nothing else: whoever can write to Redis could otherwise
    have a worker call any function of any installed package, or any address."""

    functions: frozenset[str] = frozenset()
    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Any:
        if self.instance or self.func_name not in self.functions:
            raise NotOurs(f"a job asks for {str(self.func_name)[:80]!r}; it is none of ours")
        return super().func

    def perform(self) -> Any:
        """What it does, in a span of its own; in rq's work-horse, which ends with it."""
        parent = self.meta.get(tracing.HEADER)
        tracing.start("annotune-worker", os.environ)
        try:
            given = parent if isinstance(parent, str) else None
            with log_lines.of_job(self.id), tracing.span("job", given, job=self.id):
                return super().perform()
        finally:
            tracing.flush()

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """rq would post to an address that the job names."""


def _worker(worker: BaseWorker, now: datetime) -> WorkerSeen:
    heard = worker.last_heartbeat
    since = (now - heard.replace(tzinfo=timezone.utc)).total_seconds() if heard else float("inf")
    return WorkerSeen(worker.name, str(worker.get_state()), since)


def _fetch(queue: Queue, job_id: str) -> Job | None:
    try:
        return Job.fetch(job_id, connection=queue.connection, serializer=JSONSerializer)
    except NoSuchJobError:
        return None


def _state(queue: Queue, job: Job) -> State:
    if job.is_queued:
        return "waiting" if job.id in queue.job_ids else "ended"
    return "started" if job.is_started else "ended"
