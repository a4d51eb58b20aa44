"""Every failure as JSON: a message a client may read, and a request id to find it in the log.

Tracebacks go to the log alone, and without the errors' own messages: those may quote a body
(law 10).
"""

from __future__ import annotations

import logging
import traceback

from flask import Flask, Response, g, jsonify
from werkzeug.exceptions import HTTPException

from jobs import QueueDown
from lora.errors import NotReady
from ml_backend.calls import BadBody

log = logging.getLogger(__name__)

QUEUE_RETRY_S = 10


def answer_error(status: int, message: str, **headers: str) -> Response:
    """A JSON error answer of this request."""
    response = jsonify(error=message, request_id=g.get("request_id", ""))
    response.status_code = status
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


def register(app: Flask) -> None:
    """Give the app its one answer to each kind of failure."""
    app.register_error_handler(BadBody, _bad_body)
    app.register_error_handler(NotReady, _not_ready)
    app.register_error_handler(QueueDown, _queue_down)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _bad_body(error: BadBody) -> Response:
    return answer_error(error.status, str(error))


def _not_ready(error: NotReady) -> Response:
    return answer_error(503, str(error), Retry_After=str(max(1, error.retry_after)))


def _queue_down(error: QueueDown) -> Response:
    message = f"{error}; no training was asked for, try again when it runs"
    return answer_error(503, message, Retry_After=str(QUEUE_RETRY_S))


def _http(error: HTTPException) -> Response:
    response = answer_error(error.code or 500, error.description or error.name)
    if "Allow" in (headers := dict(error.get_headers())):
        response.headers["Allow"] = headers["Allow"]
    return response


def _unexpected(error: Exception) -> Response:
    log.error("request %s failed: %s", g.get("request_id", ""), where(error))
    return answer_error(500, "this request failed inside; the log has it under its request id")


def where(error: BaseException) -> str:
    """An error's type and frames, and its causes', without their messages."""
    parts: list[str] = []
    link: BaseException | None = error
    while link is not None and len(parts) < 5:
        parts.append(type(link).__name__ + "\n" + "".join(traceback.format_tb(link.__traceback__)))
        link = link.__cause__ or link.__context__
    return "caused by ".join(parts)
