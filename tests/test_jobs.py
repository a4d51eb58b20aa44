"""The queue's door: by name and JSON, once per id, and quick to say that Redis is down."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from rq import Callback, Queue
from rq.serializers import JSONSerializer

from jobs import Jobs, QueueDown
from sync.start.process import start
from sync.start.redis_server import RedisServer, find_redis, start_redis


def test_a_dead_redis_is_reported_within_half_a_second() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    jobs = Jobs(f"redis://:hush@127.0.0.1:{port}/0")
    before = time.monotonic()
    with pytest.raises(QueueDown) as down:
        jobs.enqueue("sync.jobs.ask", "1")
    assert time.monotonic() - before < 0.5
    assert "hush" not in str(down.value) and "hush" not in repr(jobs)


def test_a_redis_that_never_answers_is_reported_within_half_a_second() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        before = time.monotonic()
        with pytest.raises(QueueDown):
            Jobs(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0").state("x")
        assert time.monotonic() - before < 0.6


@pytest.mark.real
def test_an_id_is_queued_once_and_again_after_it_ended(redis_server: RedisServer) -> None:
    jobs = Jobs(redis_server.url, name="test-once")
    assert jobs.state("j1")[0] == "unknown"
    jobs.enqueue("operator.abs", "-3", job_id="j1")  # abs of a str fails: the job ends
    jobs.enqueue("operator.abs", "-3", job_id="j1")
    assert (jobs.depth(), jobs.state("j1")[0]) == (1, "waiting")
    _work_burst(redis_server.url, "test-once")
    assert (jobs.depth(), jobs.state("j1")[0]) == (0, "ended")
    jobs.enqueue("operator.abs", "-3", job_id="j1")
    assert jobs.state("j1")[0] == "waiting"
    jobs.forget("j1")
    assert (jobs.depth(), jobs.state("j1")[0]) == (0, "unknown")


@pytest.mark.real
def test_a_queue_tells_what_waits_who_works_and_what_time_it_has(
    redis_server: RedisServer,
) -> None:
    jobs = Jobs(redis_server.url, name="test-look")
    jobs.enqueue("operator.abs", "-3", job_id="j1")
    seen = jobs.look()
    assert (seen.waiting, seen.failed, seen.workers) == (1, 0, ())
    assert abs(seen.at.timestamp() - time.time()) < 5 and seen.server.strip() != "redis"
    assert not jobs.answers_strangers()  # it has a password
    _work_burst(redis_server.url, "test-look")
    assert jobs.look().failed == 1


@pytest.mark.real
def test_a_worker_runs_what_we_named_and_nothing_else(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """Redis is written by somebody else: another function, callbacks, an address to post to."""
    name, here = "test-named", str(tmp_path / "made")
    with closing(Redis.from_url(redis_server.url)) as connection:
        queue = Queue(name, connection=connection, serializer=JSONSerializer)
        queue.enqueue("os.mkdir", here, job_id="theirs")
        queue.enqueue("os.path.exists", here, on_success=Callback("os.mkdir"), job_id="named")
        code = (
            "import sys; from jobs import Jobs\n"
            "Jobs(sys.argv[1], sys.argv[2]).work(['os.path.exists'], burst=True)"
        )
        argv = [sys.executable, "-c", code, redis_server.url, name]
        subprocess.run(argv, check=True, timeout=60, cwd=Path(__file__).parents[1])
        theirs, named = (queue.fetch_job(job) for job in ("theirs", "named"))
        assert theirs is not None and named is not None
        assert (theirs.get_status(), named.get_status()) == ("failed", "finished")
        ended = theirs.latest_result()
        assert ended is not None and "none of ours" in str(ended.exc_string)
        assert not Path(here).exists()


@pytest.mark.real
def test_a_job_goes_on_while_redis_is_away_and_its_worker_does_the_next_one(
    tmp_path: Path,
) -> None:
    """rq's own worker ends at its first word to Redis that is not taken; it speaks every 5 s."""
    redis, made = start_redis(tmp_path / "redis", os.environ), tmp_path / "made"
    again, jobs = redis.process, Jobs(redis.url, "test-away")
    worker = _shell(jobs)
    try:
        jobs.enqueue("os.system", f"touch {made}-begun; sleep 18; touch {made}", job_id="long")
        _until(Path(f"{made}-begun").exists)
        redis.process.stop()
        time.sleep(12)
        conf = str(tmp_path / "redis" / "redis.conf")
        again = start("redis", [find_redis(os.environ), conf], tmp_path / "redis", os.environ)
        _until(made.exists)
        jobs.enqueue("os.system", f"touch {made}-next", job_id="next")
        _until(Path(f"{made}-next").exists)
        assert worker.poll() is None
    finally:
        worker.terminate()
        again.stop()
    assert "job long goes on" in worker.communicate(timeout=60)[1]


@pytest.mark.real
def test_a_redis_that_takes_no_word_ends_no_job_and_no_worker(tmp_path: Path) -> None:
    """A full disk makes it read-only; an admin may, too. A signal comes while it is."""
    redis, made = start_redis(tmp_path / "redis", os.environ), tmp_path / "made"
    jobs = Jobs(redis.url, "test-full")
    worker = _shell(jobs)
    try:
        jobs.enqueue("os.system", f"touch {made}-begun; sleep 9; touch {made}", job_id="long")
        _until(Path(f"{made}-begun").exists)
        with closing(Redis.from_url(redis.url)) as connection:
            connection.config_set("min-replicas-to-write", 1)
            time.sleep(6)
            worker.terminate()
            _until(made.exists)
            connection.config_set("min-replicas-to-write", 0)
        said = worker.communicate(timeout=60)[1]
    finally:
        worker.kill()
        redis.process.stop()
    assert "Redis takes no word (" in said and "job long goes on" in said
    assert "told to stop, the worker ends its job first" in said


def _shell(jobs: Jobs) -> subprocess.Popen[str]:
    """A worker that runs shell lines."""
    code = "import sys; from jobs import Jobs\nJobs(sys.argv[1], sys.argv[2]).work(['os.system'])"
    argv = [sys.executable, "-c", code, jobs.url, jobs.name]
    return subprocess.Popen(argv, cwd=Path(__file__).parents[1], stderr=subprocess.PIPE, text=True)


def _until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def _work_burst(url: str, name: str) -> None:
    code = (
        "import sys; from redis import Redis; from rq import Queue, Worker\n"
        "from rq.serializers import JSONSerializer as S\n"
        "c = Redis.from_url(sys.argv[1])\n"
        "Worker([Queue(sys.argv[2], connection=c, serializer=S)], connection=c, serializer=S)"
        ".work(burst=True)"
    )
    subprocess.run([sys.executable, "-c", code, url, name], check=True, timeout=60)
