"""How log lines of backend, sync and worker look: words for people, or, with
ANNOTUNE_LOG_FORMAT=json, a JSON object a line for whoever collects them.

Its fields: `at` (UTC, ISO 8601), `level`, `logger`, `message`, `pid`; where they apply `request`
(what X-Request-Id says), `job` (rq's id), `trace` (W3C trace id) and `error` (a traceback). A
training's own log stays words: people read it on the page.
"""

from __future__ import annotations

import json
import logging
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone

from opentelemetry.trace import format_trace_id, get_current_span

WORDS = "%(asctime)s %(levelname)s %(name)s %(message)s"
QUIET = ("httpx", "botocore")  # a line a request, a line a client

_request: ContextVar[str] = ContextVar("request", default="")
_job: ContextVar[str] = ContextVar("job", default="")


def set_up(environ: Mapping[str, str]) -> None:
    """Write this process's lines to stderr, from INFO on. A format that is none is the business of
    settings.load: here it counts as text, so that its complaint can be read."""
    handler = logging.StreamHandler(sys.stderr)
    as_json = environ.get("ANNOTUNE_LOG_FORMAT") == "json"
    handler.setFormatter(JsonLines() if as_json else logging.Formatter(WORDS))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for talkative in QUIET:
        logging.getLogger(talkative).setLevel(logging.WARNING)


def new_request() -> str:
    """A number for the request that this thread answers from now on; its lines carry it."""
    number = uuid.uuid4().hex[:12]
    _request.set(number)
    return number


@contextmanager
def of_job(number: str) -> Iterator[None]:
    """Lines written inside belong to this job."""
    before = _job.set(number)
    try:
        yield
    finally:
        _job.reset(before)


class JsonLines(logging.Formatter):
    """A record as one line of JSON; a `job` given as `extra` counts before the one at work."""

    def format(self, record: logging.LogRecord) -> str:
        span = get_current_span().get_span_context()
        told = {
            "at": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
            "request": _request.get(),
            "job": getattr(record, "job", "") or _job.get(),
            "trace": format_trace_id(span.trace_id) if span.is_valid else "",
            "error": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({k: v for k, v in told.items() if v}, ensure_ascii=False, default=str)
