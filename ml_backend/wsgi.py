"""waitress, set up for this app: one process, a fixed number of threads, JSON errors of its own.

waitress refuses a body over its limit before it has read it, in plain text; here it says so in
JSON like everything else.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from ml_backend.slots import RESERVED
from settings import Backend

CONNECTIONS = 200  # sockets open at once; Label Studio opens one or two per request it serves
IDLE_S = 120  # an idle connection is closed after this; longer than clients keep theirs


class _JsonErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    def execute(self) -> None:
        error = self.request.error
        body = json.dumps({"error": f"{error.reason}: {error.body}"}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [("Content-Type", "application/json"), ("Connection", "close")]
        self.close_on_finish = True
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    error_task_class = _JsonErrorTask


def make_server(app: Flask, settings: Backend) -> Any:
    """A listening server; `run()` serves until SystemExit, then lets requests finish (5 s).

    Raises OSError when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server((settings.host, settings.port), family=family, backlog=128)
    server = create_server(
        app,
        sockets=[listener],
        threads=settings.threads + RESERVED,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_S,
        max_request_body_size=settings.max_body + 1,  # waitress refuses from its limit on
        max_request_header_size=64 * 1024,
        ident="annotune",
    )
    server.channel_class = _Channel
    return server
