"""Numbers in Prometheus' own form, read back by its own parser."""

from __future__ import annotations

import time

from prometheus_client.parser import text_string_to_metric_families

from metering import Metering, gauge


def test_requests_are_counted_by_route_and_status() -> None:
    numbers = Metering("0.1.0")
    numbers.answered("predict", 200, 0.03)
    numbers.answered("predict", 503, 0.001)
    numbers.look(lambda: [gauge("annotune_answer", "A number.", 42)])
    samples = [
        s for f in text_string_to_metric_families(numbers.text().decode()) for s in f.samples
    ]
    counted = {
        (s.labels["route"], s.labels["code"]): s.value
        for s in samples
        if s.name == "annotune_request_duration_seconds_count"
    }
    assert counted == {("predict", "200"): 1, ("predict", "503"): 1}
    values = {s.name: s.value for s in samples}
    assert values["annotune_answer"] == 42 and values["process_resident_memory_bytes"] > 1e6
    told = next(s for s in samples if s.name == "annotune_build_info")
    assert told.labels == {"version": "0.1.0"}


def test_two_servers_in_one_process_count_apart() -> None:
    one, two = Metering(""), Metering("")
    one.answered("health", 200, 0.1)
    assert b"annotune_request_duration_seconds_count{" in one.text()
    assert b"annotune_request_duration_seconds_count{" not in two.text()


def test_counting_costs_a_request_next_to_nothing() -> None:
    """The bound is loose, for a machine that does other things; it took 1.5 us when idle."""
    numbers = Metering("")
    took = []
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(200):
            numbers.answered("predict", 200, 0.03)
        took.append((time.perf_counter() - began) / 200)
    assert min(took) < 100e-6
