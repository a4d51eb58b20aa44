"""Sync's own HTTP door: Label Studio's webhooks, and a health page. A webhook is only a nudge.

Nothing of the payload is believed: it names a project to look at, and says whether ids may have
vanished. Answering is a dictionary write, so it takes milliseconds even while a round runs.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request

SECRET_HEADER = "X-Annotune-Secret"
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


def create_app(
    secret: str, nudge: Callable[[str, bool], bool], health: Callable[[], dict[str, Any]]
) -> Flask:
    """The receiver. `nudge(project, deletions)` wakes the loop; False: it knows no such project."""
    app = Flask("annotune.sync")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST

    @app.post("/webhook")
    def webhook() -> tuple[Response, int]:
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            return jsonify(error=f"the header {SECRET_HEADER} is missing or wrong"), 401
        body = request.get_json(silent=True)
        project = body.get("project") if isinstance(body, dict) else None
        number = project.get("id") if isinstance(project, dict) else None
        if not isinstance(number, int):
            return jsonify(error="a JSON object with project.id is needed"), 400
        deletions = isinstance(body, dict) and body.get("action") in DELETIONS
        known = nudge(str(number), deletions)
        return jsonify(status="ok" if known else "not a connected project"), 200

    @app.get("/health")
    def show_health() -> tuple[Response, int]:
        return jsonify(health()), 200

    return app
