"""Redis and the workers behind it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from jobs import Jobs, QueueDown
from settings import Settings
from settings_guard import is_loopback
from sync.doctor.finding import Finding, ok, problem, warning
from sync.doctor.studio import clock


def queue(settings: Settings, jobs: Jobs) -> Iterator[Finding]:
    """Reached, with a password where it needs one, on time, and with a worker alive."""
    where = urlsplit(settings.queue.url)
    host = where.hostname or "this machine"
    try:
        seen = jobs.look()
    except QueueDown as down:
        fix = "start Redis; or mend host and password in ANNOTUNE_QUEUE_URL (or _URL_FILE)"
        yield problem("redis", f"{host}: {down}", fix, 7)
        return
    yield ok("redis", f"{seen.server} at {host} answers")
    yield clock("redis' clock", seen.at)
    local = where.scheme == "unix" or is_loopback(where.hostname or "localhost")
    if not jobs.answers_strangers():
        yield ok("redis password", "it answers nobody without the password")
    elif local:
        yield ok("redis password", "none, on this machine only")
    else:
        fix = "requirepass in redis.conf, then ANNOTUNE_QUEUE_URL=redis://:PASSWORD@HOST:6379/0"
        yield problem("redis password", f"{host} answers without a password", fix)
    start = "start one: annotune up, or: annotune worker; its log: annotune logs --process worker"
    alive = seen.alive
    if alive:
        words = ", ".join(f"{w.name[:40]} {w.state}" for w in alive[:5])
        yield ok("worker", f"{len(alive)} alive on queue {settings.queue.name}: {words}", 7)
    elif seen.workers:
        quiet = min(w.quiet_s for w in seen.workers)
        yield problem("worker", f"the last one was heard {quiet:.0f} s ago", start, 7)
    else:
        yield problem(
            "worker", f"none on queue {settings.queue.name}: nothing is trained", start, 7
        )
    if seen.waiting and len(alive) < seen.waiting:
        fix = "nothing, if they get fewer; another worker takes some: annotune worker"
        yield warning("queue", f"{seen.waiting} jobs wait for {len(alive)} workers", fix, 6)
    else:
        yield ok("queue", f"{seen.waiting} jobs wait", 6)
    if seen.failed:
        fix = "annotune logs --process worker; a snapshot is tried again by itself"
        yield warning("queue", f"{seen.failed} jobs failed within a day", fix, 6)
