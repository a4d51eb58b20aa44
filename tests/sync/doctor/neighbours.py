"""Label Studio, sync's receiver and Redis as a doctor meets them, with faults to plant.

Label Studio and the receiver are real HTTP servers; what they answer are plain attributes.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from jobs import QueueDown, QueueSeen, WorkerSeen
from sync.receiver import ACTIONS, SECRET_HEADER
from tests.sync.house import CONFIG

SECRET = "s3cret-of-the-webhook"
BLOCKED = "URL resolves to a reserved network address (block: 127.0.0.0/8)"


def jwt(kind: str, **claims: object) -> str:
    """A token that looks like Label Studio's; nobody checks its signature."""
    parts = ({"alg": "HS256"}, {"token_type": kind, **claims})
    coded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*coded, "signature"])


PERSONAL = jwt("refresh")


@dataclass
class StudioServer:
    """A Label Studio with one project, "1". `refused`: paths answered with (status, body)."""

    url: str = ""
    release: str = "1.23.2"
    token: str = PERSONAL
    legacy_off: bool = False
    late_s: float = 0.0
    project: dict[str, Any] = field(default_factory=dict)
    backends: list[dict[str, Any]] = field(default_factory=list)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    storages: list[dict[str, Any]] = field(default_factory=list)
    guards: set[str] = field(default_factory=set)
    refused: dict[str, tuple[int, Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def connect(self, backend: str, sync: str) -> None:
        """As `annotune connect 1` leaves it, with `cold-00000000` serving."""
        self.project = {
            "title": "fake",
            "label_config": CONFIG,
            "show_collab_predictions": True,
            "evaluate_predictions_automatically": False,
            "sampling": "Uncertainty sampling",
            "model_version": "cold-00000000",
        }
        self.backends = [
            {
                "url": backend,
                "state": "CO",
                "title": "cold-00000000",
                "auth_method": "BASIC_AUTH",
                "basic_auth_user": "annotune",
            }
        ]
        headers = {SECRET_HEADER: SECRET}
        self.hooks = [
            {"id": 1, "url": f"{sync}/webhook", "actions": ACTIONS, "is_active": True}
            | {"headers": headers}
        ]
        self.versions = [{"model_version": "cold-00000000", "count": 30}]
        self.tasks = [{"id": 1, "predictions": [{"id": 1, "score": 0.5}]}]

    def answer(self, method: str, path: str, sent: Any, given: str) -> tuple[int, Any]:
        if path in self.refused:
            return self.refused[path]
        open_ = {"/health": {"status": "UP"}, "/api/version/": {"release": self.release}}
        if path in open_:
            return 200, open_[path]
        if path == "/api/token/refresh/":
            known = sent.get("refresh") == self.token
            return (200, {"access": "acc"}) if known else (401, {"detail": "Token is invalid"})
        wanted = "Bearer acc" if self.token == PERSONAL else f"Token {self.token}"
        if self.legacy_off:
            return 401, {"detail": "legacy token authentication has been disabled"}
        if given != wanted:
            return 401, {"detail": "Invalid token."}
        if method == "POST":
            return self._probed(path, sent)
        found = {
            "/api/current-user/whoami": {"email": "ann@house"},
            "/api/projects/1": self.project,
            "/api/ml": self.backends,
            "/api/webhooks/": self.hooks,
            "/api/projects/1/model-versions/": {"static": self.versions},
            "/api/tasks/": {"tasks": self.tasks},
            "/api/storages/": self.storages,
        }
        return (200, found[path]) if path in found else (404, {"detail": "Not found."})

    def _probed(self, path: str, sent: Any) -> tuple[int, Any]:
        """The guard first, then the fault that keeps anything from being made."""
        if path in self.guards:
            return 403, {"detail": BLOCKED}
        lacks = "basic_auth_pass" not in sent and sent.get("auth_method") == "BASIC_AUTH"
        if lacks or not set(sent.get("actions", ACTIONS)) <= set(ACTIONS):
            return 400, {"detail": "Validation error"}
        self.made.append(path)
        return 201, {}


@dataclass
class ReceiverServer:
    """Sync's receiver: /health alone."""

    url: str = ""
    projects: dict[str, Any] = field(default_factory=lambda: {"1": {"problem": None}})
    secret: str = SECRET

    def answer(self, method: str, path: str, sent: Any, given: str) -> tuple[int, Any]:
        told: dict[str, Any] = {"status": "UP"}
        return 200, {**told, "projects": self.projects} if given == self.secret else told


@contextmanager
def serving(server: Any, credentials: str) -> Iterator[None]:
    """It listens on loopback until the block ends. `credentials`: the header that has them."""

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = self.headers.get(credentials, "")
            path = urlsplit(self.path).path
            status, body = server.answer(self.command, path, json.loads(raw or b"{}"), given)
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _reply

        def date_time_string(self, timestamp: float | None = None) -> str:
            late = timedelta(seconds=getattr(server, "late_s", 0.0))
            return format_datetime(datetime.now(timezone.utc) - late, usegmt=True)

        def log_message(self, format: str, *args: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        web.shutdown()
        web.server_close()
        thread.join()


@dataclass
class SeenJobs:
    """A queue as `Jobs.look` tells it."""

    down: bool = False
    stranger: bool = False
    late_s: float = 0.0
    waiting: int = 0
    failed: int = 0
    workers: list[WorkerSeen] = field(default_factory=lambda: [WorkerSeen("w1", "idle", 3.0)])

    def look(self) -> QueueSeen:
        if self.down:
            raise QueueDown("the queue's Redis does not answer (ConnectionError)")
        at = datetime.now(timezone.utc) - timedelta(seconds=self.late_s)
        return QueueSeen("redis 7.0.0", at, self.waiting, self.failed, tuple(self.workers))

    def answers_strangers(self) -> bool:
        return self.stranger
