"""Traces: off until asked for, one from webhook to job, and never a word of anybody's text."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

import tracing
from sync.connect import connect
from sync.decide import Decision
from sync.receiver import SECRET_HEADER, create_app
from sync.service import LINKS, Service
from sync.start.redis_server import RedisServer
from tests.collector import collecting
from tests.sync.house import House

ROOT = Path(__file__).parents[2]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Spans of this process, kept in memory."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def test_off_nothing_is_traced_and_what_would_send_it_is_not_even_loaded() -> None:
    code = (
        "import sys, tracing, sync.cli, jobs\n"
        "assert not tracing.start('x', {})\n"
        "with tracing.span('a') as told:\n"
        "    told.tell(n=1)\n"
        "    assert tracing.carried() is None\n"
        "tracing.flush()\n"
        "assert not {'opentelemetry.sdk.trace', 'google.protobuf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)


def test_without_the_sdk_a_warning_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with caplog.at_level(logging.WARNING):
        assert not tracing.start("x", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert "pip install 'annotune[tracing]'" in caplog.text


def test_an_error_is_told_by_its_kind_alone(kept: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError), tracing.span("a", project="7"):
        raise ValueError("a sentence of Anna's")
    (span,) = kept.get_finished_spans()
    assert span.status.description == "ValueError" and not span.events
    assert dict(span.attributes or {}) == {"annotune.project": "7"}
    assert "Anna" not in span.to_json()


def test_a_span_is_sent_where_it_is_kept_or_was_handed_on(kept: InMemorySpanExporter) -> None:
    with tracing.span("quiet") as told:
        told.kept = False
    with tracing.span("handed on") as told:
        told.kept = False
        carried = tracing.carried()
    with tracing.span("after", carried):
        pass
    handed, after = kept.get_finished_spans()
    assert (handed.name, after.name) == ("handed on", "after")
    assert after.parent is not None and handed.context is not None
    assert after.parent.span_id == handed.context.span_id


@pytest.mark.parametrize("bad", ["", "x", "00-0-0-0", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_what_is_no_trace_counts_as_none(kept: InMemorySpanExporter, bad: str) -> None:
    with tracing.span("a", bad, links=[bad]):
        pass
    (span,) = kept.get_finished_spans()
    assert span.parent is None and not span.links


def test_a_turn_goes_on_with_the_webhook_that_woke_it(
    kept: InMemorySpanExporter, house: House
) -> None:
    connect(house.world, "1")
    service = Service(house.world)
    service.turn("1")
    assert not kept.get_finished_spans(), "nobody asked for it, and it started nothing"

    client = create_app("s3cret", service.nudge, dict).test_client()
    for _ in range(LINKS + 3):
        body = {"action": "ANNOTATION_CREATED", "project": {"id": 1}}
        client.post("/webhook", json=body, headers={SECRET_HEADER: "s3cret"})
    service.turn("1")
    *hooks, turn = kept.get_finished_spans()
    assert [h.name for h in hooks] == ["webhook"] * (LINKS + 3) and turn.name == "turn"
    assert turn.parent is not None and hooks[0].context is not None
    assert turn.parent.span_id == hooks[0].context.span_id
    named = {link.context.span_id for link in turn.links}
    assert named == {h.context.span_id for h in hooks[1:LINKS] if h.context}
    kept.clear()
    service.turn("1")
    assert not kept.get_finished_spans(), "the webhooks had their turn"


def test_a_turn_goes_on_with_the_trace_of_who_pressed_start_training(
    kept: InMemorySpanExporter, house: House
) -> None:
    connect(house.world, "1")
    with tracing.span("start training"):
        house.world.store.project("1").ask("Label Studio's Start Training", trace=tracing.carried())
    service = Service(house.world)
    house.answer(1)
    service.turn("1")
    begun, turn = kept.get_finished_spans()
    told = dict(turn.attributes or {})
    assert told == {"annotune.project": "1", "annotune.trains": False, "annotune.problem": False}
    assert turn.parent is not None and begun.context is not None
    assert (turn.name, turn.parent.span_id) == ("turn", begun.context.span_id)


def test_a_turn_that_was_on_as_start_training_was_pressed_links_to_it(
    kept: InMemorySpanExporter, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(house.world, "1")
    service, store = Service(house.world), house.world.store.project("1")
    service.turn("1")
    house.answer(6)

    def press(*_: object) -> Decision:
        with tracing.span("start training", f"00-{1:032x}-{2:016x}-01"):  # another process's
            store.ask("Label Studio's Start Training", trace=tracing.carried())
        return Decision(True, "asked for")

    monkeypatch.setattr("sync.loop.time_to_train", press)
    with tracing.span("webhook"):
        service.nudge("1", False)
    service.turn("1")
    spans = {s.name: s for s in kept.get_finished_spans()}
    hook, begun, turn = spans["webhook"].context, spans["start training"].context, spans["turn"]
    assert hook and begun and turn.parent and turn.parent.span_id == hook.span_id
    assert [link.context.span_id for link in turn.links] == [begun.span_id]


@pytest.mark.real
def test_a_job_goes_on_with_the_trace_that_put_it_in_the_queue(redis_server: RedisServer) -> None:
    """Its process ends with it, and what it has to tell gets out first. What somebody else wrote
    into Redis for a trace is no trace."""
    with collecting() as collector:
        code = (
            "import os, sys, tracing\nfrom jobs import Jobs\n"
            "tracing.start('asks', os.environ)\n"
            "jobs = Jobs(sys.argv[1], sys.argv[2])\n"
            "with tracing.span('turn', project='7'):\n"
            "    jobs.enqueue('os.path.exists', 'x', job_id='good')\n"
            "    jobs.enqueue('os.listdir', '/no/such/place', job_id='bad')\n"
        )
        _python(code, redis_server.url, "test-trace", env=collector.env())
        with closing(Redis.from_url(redis_server.url)) as connection:
            queue = Queue("test-trace", connection=connection, serializer=JSONSerializer)
            queue.enqueue("os.path.exists", "x", job_id="odd", meta={"traceparent": ["x"]})
        _python(WORK, redis_server.url, "test-trace", env=collector.env())
        turn, *jobs = collector.spans
        good, bad, odd = jobs
    assert (turn.service, turn.name, turn.parent) == ("asks", "turn", "")
    assert {(j.service, j.name) for j in jobs} == {("annotune-worker", "job")}
    assert [j.facts["annotune.job"] for j in jobs] == ["good", "bad", "odd"]
    assert good.parent == bad.parent == turn.id and odd.parent == ""
    assert (good.error, bad.error) == ("", "FileNotFoundError")
    assert not any(b"/no/such/place" in raw for raw in collector.raw)


@pytest.mark.real
def test_a_job_does_not_wait_for_a_collector_that_is_gone(redis_server: RedisServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free.getsockname()[1]}"}
        gone["OTEL_EXPORTER_OTLP_TIMEOUT"] = "60"
    code = "import sys\nfrom jobs import Jobs\n"
    code += "Jobs(sys.argv[1], sys.argv[2]).enqueue('os.path.exists', 'x', job_id='j')"
    _python(code, redis_server.url, "test-gone", env={})
    within = "import tracing, time\nbegan = time.monotonic()\n" + WORK
    within += "\nassert time.monotonic() - began < 30"
    _python(within, redis_server.url, "test-gone", env=gone)
    with closing(Redis.from_url(redis_server.url)) as connection:
        queue = Queue("test-gone", connection=connection, serializer=JSONSerializer)
        job = queue.fetch_job("j")
        assert job is not None and job.get_status() == "finished"


WORK = (
    "import sys\nfrom jobs import Jobs\n"
    "Jobs(sys.argv[1], sys.argv[2]).work(['os.path.exists', 'os.listdir'], burst=True)"
)


def _python(code: str, *args: str, env: dict[str, str]) -> None:
    argv = [sys.executable, "-c", code, *args]
    subprocess.run(argv, check=True, timeout=60, cwd=ROOT, env={**os.environ, **env})
