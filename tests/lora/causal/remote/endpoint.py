"""An OpenAI-compatible server for tests of writers: it answers by a function, or fails as told.

`faults` are used up one a request, before anything is answered: a status (with headers), or one of
the words of `_Handler`. `heard` are the bodies of all requests, also of those that failed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Fault = str | tuple[int, Any, dict[str, str]]


@dataclass
class Endpoint:
    """`say`: the text for a body; `hold`: requests wait for it; `tokens`: told as usage, if any."""

    say: Callable[[Body], Any]
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    tokens: tuple[int, int] | None = (10, 5)
    slow_s: float = 0.0
    url: str = ""
    heard: list[Body] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    most: int = 0
    under_way: int = 0
    hold: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.hold.set()

    def next_fault(self) -> Fault | None:
        with self.lock:
            return self.faults.pop(0) if self.faults else self.always


def prompt_of(body: Body) -> str:
    return str(body["prompt"] if "prompt" in body else body["messages"][0]["content"])


def answer(endpoint: Endpoint, path: str, body: Body) -> Any:
    text = endpoint.say(body)
    choice: Any = {"index": 0, "finish_reason": "stop"}
    if path == "/v1/chat/completions":
        choice["message"] = {"role": "assistant", "content": text}
    else:
        choice["text"] = text
    read, said = endpoint.tokens or (0, 0)
    usage = {"prompt_tokens": read, "completion_tokens": said}
    return {"choices": [choice]} | ({"usage": usage} if endpoint.tokens else {})


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with endpoint.lock:
                endpoint.heard.append(body)
                endpoint.keys.add(self.headers.get("Authorization"))
                endpoint.paths.add(self.path)
                endpoint.under_way += 1
                endpoint.most = max(endpoint.most, endpoint.under_way)
            endpoint.hold.wait(60)
            time.sleep(endpoint.slow_s)
            with endpoint.lock:
                endpoint.under_way -= 1
            with suppress(OSError):  # whoever asked has gone
                self._reply(body, endpoint.next_fault())

        def _reply(self, body: Body, fault: Fault | None) -> None:
            self.close_connection = True
            good = json.dumps(answer(endpoint, self.path, body)).encode()
            if fault is None:
                self._send(200, good, {}, len(good))
            elif isinstance(fault, tuple):
                status, told, headers = fault
                data = told if isinstance(told, bytes) else json.dumps(told).encode()
                self._send(status, data, headers, len(data))
            elif fault == "half":
                self._send(200, good[: len(good) // 2], {}, len(good))
            elif fault == "garbage":
                self._send(200, b"<html>oops</html>", {}, 17)
            elif fault == "drip":
                self._send(200, b"", {}, len(good))
                for byte in good:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.1)
            elif fault == "slow":
                time.sleep(2)
                self._send(200, good, {}, len(good))
            else:
                assert fault == "cut"  # the connection breaks before anything is said

        def _send(self, status: int, data: bytes, headers: dict[str, str], length: int) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.hold.set()
        http.shutdown()
        thread.join()
        http.server_close()
