"""What the backend's /metrics says, and that it asks for the password."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lora.errors import Overloaded
from ml_backend.app import create_app
from ml_backend.metrics import Metrics
from settings import Backend
from tests.ml_backend.fakes import XML, FirstLabelLive, ListedJobs

AUTH = ("u", "pw")


class Busy(FirstLabelLive):
    """Serves two projects, one not as it should be."""

    def health(self) -> dict[str, Any]:
        projects = {
            "7": {"version": "v3-0a1b2c3d", "base": "minilm", "error": None},
            "8": {"version": None, "base": None, "error": "v9 does not load"},
            "9": {"version": None, "base": None, "error": None, "asleep": True},
        }
        memory = {"used": 1000, "most": 5000}
        return {"ready": True, "queue": 3, "projects": projects, "memory": memory} | {
            "swaps": 2,
            "evictions": 1,
        }


def read(answer: Any) -> dict[str, float]:
    """Samples by name and labels, as Prometheus writes them."""
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for s in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(s.labels.items()))
            found[f"{s.name}{{{labels}}}" if labels else s.name] = s.value
    return found


def test_the_backend_tells_what_it_serves_and_how_busy_it_is() -> None:
    live, metrics = Busy(), Metrics("0.1.0")
    client = create_app(
        Backend(user="u", password="pw"), live, ListedJobs(), list, "0.1.0", metrics
    ).test_client()
    call = {"tasks": [{"id": 1, "data": {"text": "Alice"}}], "project": "7.1", "label_config": XML}
    assert client.post("/predict", json=call, auth=AUTH).status_code == 200
    live.raises = Overloaded("the lane is full", 2)
    assert client.post("/predict", json=call, auth=AUTH).status_code == 503
    metrics.observe("minilm", 5, 0.02)
    answer = client.get("/metrics", auth=AUTH)
    assert answer.mimetype == "text/plain"
    said = read(answer)
    wanted = {
        'annotune_request_duration_seconds_count{code="200",route="predict"}': 1,
        'annotune_request_duration_seconds_count{code="503",route="predict"}': 1,
        'annotune_batch_size_tasks_sum{base="minilm"}': 5,
        'annotune_inference_duration_seconds_bucket{base="minilm",le="0.025"}': 1,
        'annotune_requests_refused_total{why="overloaded"}': 1,
        'annotune_requests_refused_total{why="not ready"}': 0,
        'annotune_requests_refused_total{why="inference server down"}': 0,
        'annotune_active_version_info{base="minilm",project="7",version="v3-0a1b2c3d"}': 1,
        'annotune_active_version_info{base="",project="8",version="cold"}': 1,
        'annotune_project_error{project="7"}': 0,
        'annotune_project_error{project="8"}': 1,
        "annotune_model_ready": 1,
        "annotune_batches_waiting": 3,
        "annotune_requests_running": 0,
        "annotune_swaps_total": 2,
        "annotune_evictions_total": 1,
        "annotune_adapter_memory_bytes": 1000,
        "annotune_adapter_memory_limit_bytes": 5000,
    }
    assert {name: said.get(name) for name in wanted} == wanted
    assert not any('project="9"' in name for name in said if "active_version" in name)


@pytest.mark.parametrize("auth", [None, ("u", "wrong")])
def test_it_wants_the_password(auth: tuple[str, str] | None) -> None:
    client = create_app(
        Backend(user="u", password="pw"), FirstLabelLive(), ListedJobs(), list
    ).test_client()
    assert client.get("/metrics", auth=auth).status_code == 401


def test_no_word_of_a_request_becomes_a_label() -> None:
    client = create_app(Backend(), FirstLabelLive(), ListedJobs(), list).test_client()
    client.get("/s3cret-path")
    answer = client.get("/metrics")
    assert 'route="unknown"' in answer.text and "s3cret" not in answer.text
