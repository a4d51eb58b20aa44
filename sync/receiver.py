"""Sync's own HTTP door: Label Studio's webhooks, and a health page. A webhook is only a nudge.

Nothing of the payload is believed: it names a project to look at, and says whether ids may have
vanished. Answering is a dictionary write, so it takes milliseconds even while a round runs. Every
route wants the secret, /metrics as a bearer too; without it /health says only whether all is
well, for probes. The operators' page (sync/page/) comes in by the same door, with a password and
sessions of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

import log_lines
import tracing
from metering import Metering
from sync.log_engine import LogDown

logger = logging.getLogger(__name__)

SECRET_HEADER = "X-Annotune-Secret"  # noqa: S105  # nosec B105  # a header's name
DELETIONS = {"TASKS_DELETED", "ANNOTATIONS_DELETED"}
LARGEST = 32_000_000  # bytes; an ANNOTATIONS_CREATED of a bulk action carries whole tasks
ACTIONS = [
    "TASKS_CREATED",
    "TASKS_DELETED",
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "PROJECT_UPDATED",
]


class Secret:
    """The shared secret, compared in constant time; raises ValueError where there is none."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("the webhook receiver needs a secret")
        self._digest = _digest(secret)

    def matches(self, given: str | None) -> bool:
        return hmac.compare_digest(_digest(given or ""), self._digest)

    def is_in(self, headers: Mapping[str, str]) -> bool:
        """Whether headers as listening.py has them carry it."""
        return self.matches(headers.get(SECRET_HEADER.upper().replace("-", "_")))


def create_app(
    secret: str,
    nudge: Callable[[str, bool], bool],
    health: Callable[[], dict[str, Any]],
    *,
    page: Blueprint | None = None,
    metering: Metering | None = None,
) -> Flask:
    """The receiver. `nudge(project, deletions)` wakes the loop; False: it knows no such project.
    `page`: the operators' page, which has a door of its own (sync/page/door.py); `metering` is
    shown on /metrics.

    Raises ValueError without a secret.
    """
    app = Flask("annotune.sync", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST
    known = Secret(secret)
    app.register_error_handler(Exception, _failed)

    numbers = metering or Metering("")

    def trusted() -> bool:
        given = request.headers.get(SECRET_HEADER)
        if request.endpoint == "metrics" and request.authorization is not None and not given:
            given = request.authorization.token  # a bearer's: Prometheus sends that
        return known.matches(given)

    @app.before_request
    def enter() -> tuple[Response, int] | None:
        g.request_id, g.began = log_lines.new_request(), time.monotonic()
        if request.endpoint == "show_health" or (page and request.blueprint == page.name):
            return None
        if trusted():
            return None
        return jsonify(error=f"the header {SECRET_HEADER} is missing or wrong"), 401

    @app.after_request
    def leave(response: Response) -> Response:
        took = time.monotonic() - g.began
        numbers.answered(request.endpoint or "unknown", response.status_code, took)
        response.headers["X-Request-Id"] = g.request_id
        return response

    @app.get("/metrics", endpoint="metrics")
    def show_metrics() -> Response:
        return Response(numbers.text(), content_type=numbers.content_type)

    @app.post("/webhook")
    def webhook() -> tuple[Response, int]:
        body = _body()
        project = body.get("project") if isinstance(body, dict) else None
        number = project.get("id") if isinstance(project, dict) else None
        if not isinstance(number, int) or isinstance(number, bool):
            return jsonify(error="a JSON object with project.id is needed"), 400
        deletions = isinstance(body, dict) and _is_deletion(body.get("action"))
        carried = request.headers.get(tracing.HEADER)
        with tracing.span("webhook", carried, project=str(number)) as told:
            known = nudge(str(number), deletions)
            told.tell(connected=known)
        return jsonify(status="ok" if known else "not a connected project"), 200

    @app.get("/health")
    def show_health() -> tuple[Response, int]:
        told = health()
        return jsonify(told if trusted() else {"status": told["status"]}), 200

    if page is not None:
        app.register_blueprint(page)
    return app


def _body() -> object:
    """The request's JSON; None where it is none. The action decides nothing but when to look."""
    try:
        return json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError):
        return None


def _is_deletion(action: object) -> bool:
    return isinstance(action, str) and action in DELETIONS


def _failed(error: Exception) -> tuple[Response, int]:
    """Every failure as JSON; what it says inside goes to the log, without the error's own words."""
    if isinstance(error, HTTPException):
        return jsonify(error=error.description or error.name), error.code or 500
    if isinstance(error, LogDown):  # the operators' page reads the log; it names no values
        return jsonify(error=str(error)), 503
    frames = "".join(traceback.format_tb(error.__traceback__))
    number = g.get("request_id", "")
    logger.error("request %s failed: %s\n%s", number, type(error).__name__, frames)
    told = "this request failed inside; the log has it under its request id"
    return jsonify(error=told, request_id=number), 500


def _digest(text: str) -> bytes:
    """Of one length, so that the time a comparison takes tells nothing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
