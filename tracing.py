"""OpenTelemetry traces: one from a webhook over turn and job to the promotion. Off until somebody
says where to send them, in OpenTelemetry's own environment variables.

No text of any task, label or error goes into a span: names, ids, counts, kinds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

logger = logging.getLogger(__name__)

WHERE = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
HEADER = "traceparent"  # W3C Trace Context
FLUSH_S = 3.0

Fact = str | int | float | bool
KINDS = {"webhook": SpanKind.SERVER, "job": SpanKind.CONSUMER}  # of spans; the others are internal

_tracer = trace.get_tracer("annotune")
_form = TraceContextTextMapPropagator()


class Told:
    """A span that is open. `kept`: whether it is sent when it ends."""

    def __init__(self, span: Span) -> None:
        self._span, self.kept = span, True

    def tell(self, **facts: Fact) -> None:
        """Add what was found out meanwhile."""
        for name, fact in facts.items():
            self._span.set_attribute(f"annotune.{name}", fact)


_open: ContextVar[Told | None] = ContextVar("open", default=None)


def start(service: str, env: Mapping[str, str]) -> bool:
    """Send this process's spans to where OTEL_EXPORTER_OTLP_ENDPOINT (or ..._TRACES_ENDPOINT) says,
    by OTLP over HTTP; whether there is such a place. The SDK reads its other variables itself
    (headers, time-out, sampler). A second call changes nothing; without the SDK there is a warning,
    and no traces."""
    if not any(env.get(name) for name in WHERE):
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry's SDK is not installed: "
            "pip install 'annotune[tracing]'; going on without traces"
        )
        return False
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return True
    named = Resource.create({SERVICE_NAME: env.get("OTEL_SERVICE_NAME") or service})
    provider = TracerProvider(resource=named)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True


def flush() -> None:
    """Send what has ended so far, for a process that is about to be gone; for FLUSH_S at most (the
    exporter's own tries go on for OTEL_EXPORTER_OTLP_TIMEOUT, 10 s, whatever it is told)."""
    provider: Any = trace.get_tracer_provider()
    if hasattr(provider, "force_flush"):
        flushing = threading.Thread(target=provider.force_flush, daemon=True)
        flushing.start()
        flushing.join(FLUSH_S)


@contextmanager
def span(
    name: str, parent: str | None = None, links: Sequence[str] = (), **facts: Fact
) -> Iterator[Told]:
    """Time what happens inside. `parent`, `links`: what `carried` gave, elsewhere or earlier; what
    is no such thing counts as none. An exception is told by its kind alone: its words may quote."""
    context = _form.extract({HEADER: parent}) if parent else None
    others = [Link(found) for found in map(_read, links) if found.is_valid]
    made = _tracer.start_span(name, context, KINDS.get(name, SpanKind.INTERNAL), links=others)
    told = Told(made)
    told.tell(**facts)
    before = _open.set(told)
    try:
        with trace.use_span(made, record_exception=False, set_status_on_exception=False):
            yield told
    except Exception as error:
        made.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        _open.reset(before)
        if told.kept:
            made.end()


def carried() -> str | None:
    """The open span as a `traceparent`, to be handed on; None where nothing is traced. What was
    handed on is kept."""
    if not get_current_span().get_span_context().is_valid:
        return None
    if told := _open.get():
        told.kept = True
    written: dict[str, str] = {}
    _form.inject(written)
    return written.get(HEADER)


def link(carried: str) -> None:
    """Say that the open span turned out to go on with another trace, too; its own needs no link."""
    span, other = get_current_span(), _read(carried)
    if other.is_valid and other.trace_id != span.get_span_context().trace_id:
        span.add_link(other)


def _read(parent: str) -> trace.SpanContext:
    return get_current_span(_form.extract({HEADER: parent})).get_span_context()
