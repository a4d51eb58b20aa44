"""A tiny HTTP backend for tests of sync: says /health, /setup and /predict as Label Studio asks.

It knows one Choices control "intent" on "text"; a task's confidence is `scores[text]`, else 0.5,
its answer `labels[text]`, else `label`. Vectors are said to who asks for them, where it has some.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class StubBackend:
    """What it answers, and what it was asked."""

    url: str = ""
    version: str = "cold-00000000"
    label: str = "A"
    scores: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    vectors: dict[str, bytes] = field(default_factory=dict)
    blind: set[int] = field(default_factory=set)
    busy: int = 0
    health: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def predicted(self) -> list[int]:
        """Ids of the tasks it was asked to predict, in order."""
        return [
            t["id"] for path, _, body in self.asked if path == "/predict" for t in body["tasks"]
        ]

    def answer(self, path: str, body: dict[str, Any], vectors: bool = False) -> dict[str, Any]:
        if path == "/setup":
            return {"model_version": self.version}
        if path == "/predict":
            return {"results": [self._predict(task, vectors) for task in body["tasks"]]}
        return {"status": "UP", **self.health}

    def _predict(self, task: dict[str, Any], vectors: bool) -> dict[str, Any]:
        text = task["data"]["text"]
        region: dict[str, Any] = {
            "id": "r1",
            "from_name": "intent",
            "to_name": "text",
            "type": "choices",
            "value": {"choices": [self.labels.get(text, self.label)]},
        }
        if text in self.scores:
            region["score"] = self.scores[text]
        result = [] if task["id"] in self.blind else [region]
        raw = self.vectors.get(text) if vectors else None
        said = {"vector": base64.b64encode(raw).decode()} if raw else {}
        score = self.scores.get(text, 0.5)
        return {"result": result, "score": score, "model_version": self.version, **said}


class _Handler(BaseHTTPRequestHandler):
    stub: StubBackend

    def do_GET(self) -> None:
        self._reply(200, self.stub.answer(self.path, {}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/predict" and self.stub.busy:
            self.stub.busy -= 1
            self._reply(503, {"error": "busy"})
            return
        self.stub.asked.append((self.path, dict(self.headers), body))
        vectors = "X-Annotune-Vectors" in self.headers
        self._reply(200, self.stub.answer(self.path, body, vectors))

    def _reply(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if status == 503:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def stub_backend() -> Iterator[StubBackend]:
    """The stub, listening on loopback until the block ends."""
    stub = StubBackend()
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
