"""The queue's door: the one file that imports rq and redis.

Jobs travel as a dotted name and JSON arguments, never as pickles. Redis holds nothing that
matters (law 2): sync asks again for whatever is missing, so a wiped queue costs a delay only.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue, Worker
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

QUEUE = "annotune"
CONNECT_S = 0.4  # a caller in a request must hear "down" within half a second


class QueueDown(Exception):
    """Redis does not answer; the message says where it was looked for (never with the password)."""


@dataclass(frozen=True)
class Jobs:
    """A queue at one Redis URL. `timeout_s` bounds a job's run; rq kills its work-horse after it."""

    url: str
    name: str = QUEUE
    timeout_s: int = 3600

    def _connect(self, read_s: float = CONNECT_S) -> Redis:
        return Redis.from_url(
            self.url,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=read_s,
            retry=Retry(NoBackoff(), 0),
        )

    def _queue(self, connection: Redis) -> Queue:
        return Queue(self.name, connection=connection, serializer=JSONSerializer)

    def enqueue(self, function: str, *args: str, job_id: str | None = None) -> str:
        """Put `function(*args)` in the queue and return the job's id.

        With a `job_id` that is already waiting or running nothing is added. Raises QueueDown.
        """
        job_id = job_id or uuid.uuid4().hex
        try:
            connection = self._connect()
            if self.alive(job_id):
                return job_id
            queue = self._queue(connection)
            try:
                job = Job.fetch(job_id, connection=connection, serializer=JSONSerializer)
                job.delete(remove_from_queue=True)  # finished or abandoned: make room for the new run
            except NoSuchJobError:
                pass
            queue.enqueue(
                function,
                *args,
                job_id=job_id,
                unique=True,
                job_timeout=self.timeout_s,
                result_ttl=3600,
                failure_ttl=86400,
            )
        except DuplicateJobError:
            return job_id
        except RedisError as error:
            raise QueueDown(f"the queue's Redis does not answer ({type(error).__name__})") from error
        return job_id

    def alive(self, job_id: str) -> bool:
        """True when the job waits, or runs under a worker whose heartbeat is fresh. Raises QueueDown."""
        try:
            connection = self._connect()
            try:
                job = Job.fetch(job_id, connection=connection, serializer=JSONSerializer)
            except NoSuchJobError:
                return False
            if job.is_queued:
                return job_id in self._queue(connection).job_ids
            return bool(
                job.is_started and job.worker_name and self._worker_lives(connection, job.worker_name)
            )
        except RedisError as error:
            raise QueueDown(f"the queue's Redis does not answer ({type(error).__name__})") from error

    @staticmethod
    def _worker_lives(connection: Redis, name: str) -> bool:
        return any(w.name == name for w in Worker.all(connection=connection, serializer=JSONSerializer))

    def check(self) -> None:
        """Raises QueueDown when Redis does not answer."""
        try:
            self._connect().ping()
        except RedisError as error:
            raise QueueDown(f"the queue's Redis does not answer ({type(error).__name__})") from error

    def depth(self) -> int:
        """How many jobs wait. Raises QueueDown."""
        try:
            return int(self._queue(self._connect()).count)
        except RedisError as error:
            raise QueueDown(f"the queue's Redis does not answer ({type(error).__name__})") from error

    def work(self, burst: bool = False) -> None:
        """Run a worker in this process until it is told to stop (a process entry, not for requests)."""
        connection = Redis.from_url(self.url)
        queue = self._queue(connection)
        worker = Worker(
            [queue],
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=60,
            job_monitoring_interval=5,
        )
        worker.work(burst=burst, with_scheduler=False, logging_level="WARNING")
