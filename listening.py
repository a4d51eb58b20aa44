"""How a server of ours listens: waitress with limits, and errors in JSON.

A body is kept on disk while it comes in, before any route has seen it. So a large one must show
its credentials with its headers, and each request must be whole within WHOLE_S: strangers can
neither fill the disk nor hold all connections for ever.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.utilities import Error

CONNECTIONS = 200  # sockets open at once; Label Studio opens one or two per request it serves
IDLE_S = 120  # an idle connection is closed after this; longer than clients keep theirs
WHOLE_S = 120.0  # from a request's first byte to its last
SMALL = 64 * 1024  # bytes of headers, and of a body that comes without credentials

Allows = Callable[[Mapping[str, str]], bool]
"""Whether the headers (names as AUTHORIZATION or X_ANNOTUNE_SECRET) carry credentials."""


def make_server(
    app: Flask, host: str, port: int, *, threads: int, max_body: int, allows: Allows
) -> Any:
    """A listening server; `run()` serves until SystemExit, then lets requests finish (5 s).

    Raises OSError when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=128)
    server = create_server(
        app,
        sockets=[listener],
        threads=threads,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_S,
        max_request_body_size=max_body + 1,  # waitress refuses from its limit on
        max_request_header_size=SMALL,
        ident="annotune",
    )
    parser = type("Parser", (_Parser,), {"allows": staticmethod(allows)})
    server.channel_class = type("Channel", (_Channel,), {"parser_class": parser})
    return server


class _Unknown(Error):  # type: ignore[misc]  # waitress has no types
    code = 401
    reason = "Unauthorized"


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    allows: Allows

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        large = self.chunked or self.content_length > SMALL
        if large and not self.allows(self.headers):
            self.error = _Unknown(f"a body of more than {SMALL} bytes needs credentials")
            self.completed, self.expect_continue = True, False


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
    began = 0.0

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.began = time.monotonic()
        elif time.monotonic() - self.began > WHOLE_S:
            self.will_close = True  # waitress closes it on its next round
            return False
        return bool(super().received(data))
