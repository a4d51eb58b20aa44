"""Where OpenTelemetry's exporter can send to: OTLP over HTTP, read by the protocol's own schema."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Sent:
    """A span as it came. `trace`, `id`, `parent`: hexadecimal; `links`: ids of spans."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    facts: dict[str, Any]
    error: str
    """Of its status, where that is an error."""
    events: int


@dataclass
class Collector:
    """What was sent so far."""

    url: str
    raw: list[bytes] = field(default_factory=list)
    spans: list[Sent] = field(default_factory=list)

    def env(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}

    def above(self, span: Sent) -> list[Sent]:
        """Its ancestors, the nearest first, as far as they came."""
        known, found = {s.id: s for s in self.spans if s.trace == span.trace}, [span]
        while found[-1].parent in known:
            found.append(known[found[-1].parent])
        return found[1:]

    def behind(self, span: Sent) -> list[Sent]:
        """All that it goes on with, its trace's own and linked ones, as far as they came."""
        known, found = {s.id: s for s in self.spans}, [span]
        for one in found:
            ids = [i for i in (one.parent, *one.links) if i in known]
            found += [known[i] for i in ids if known[i] not in found]
        return found[1:]


@contextmanager
def collecting() -> Iterator[Collector]:
    """One that runs on loopback, on a free port."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            made.raw.append(body)
            made.spans += _read(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    made = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _read(body: bytes) -> Iterator[Sent]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        about = _facts(resource.resource.attributes)
        for scope in resource.scope_spans:
            for s in scope.spans:
                yield Sent(
                    about["service.name"],
                    s.name,
                    s.trace_id.hex(),
                    s.span_id.hex(),
                    s.parent_span_id.hex(),
                    tuple(link.span_id.hex() for link in s.links),
                    _facts(s.attributes),
                    s.status.message if s.status.code == 2 else "",
                    len(s.events),
                )


def _facts(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}
