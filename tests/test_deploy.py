"""deploy/: what dashboard and alerts name is on our own /metrics, and promtool reads it all."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from jobs import QueueSeen, WorkerSeen
from lora.errors import Overloaded
from ml_backend.app import create_app
from ml_backend.metrics import Metrics
from settings import Backend
from sync import metrics
from sync.metrics import SyncMetrics
from tests.ml_backend.fakes import XML, FirstLabelLive, ListedJobs

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
RULES: dict[str, Any] = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
SCRAPES: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
NAMED = re.compile(r"\b((?:annotune|process)_[a-z_]+)(\{[^}]*\})?")
PROMETHEUS_OWN = {"up"}  # written by Prometheus itself

Labels = dict[str, set[str]]


class ServingLive(FirstLabelLive):
    def health(self) -> dict[str, Any]:
        serves = {"version": "v1-0a1b2c3d", "base": "minilm", "error": None}
        memory = {"used": 1, "most": 2}
        told = {"ready": True, "queue": 0, "projects": {"1": serves}, "memory": memory}
        return {**told, "swaps": 0, "evictions": 0}


def backend_said() -> str:
    counted = Metrics("0.1.0")
    counted.observe("minilm", 3, 0.1)
    live = ServingLive()
    live.raises = Overloaded("the lane is full", 2)
    app = create_app(Backend(), live, ListedJobs(), list, "0.1.0", counted)
    client = app.test_client()
    task = {"id": 1, "data": {"text": "Alice"}}
    client.post("/predict", json={"tasks": [task], "project": "1.1", "label_config": XML})
    return client.get("/metrics").text


def sync_said() -> str:
    counts = SimpleNamespace(tasks=9, answers=5, blind=1, new=2, oldest_new_s=3.0, rounds=1)
    verdict = {"promoted": True, "gate": {"looks": [{"look": {"value": 0.1}}]}}
    log = SimpleNamespace(
        connected=lambda: ["1"],
        counts=lambda p: counts,
        last_verdict=lambda p: verdict,
    )
    place = SimpleNamespace(current=lambda: SimpleNamespace(version="v1-0a1b2c3d"))
    seen = QueueSeen("redis 7", None, 0, 0, (WorkerSeen("w", "idle", 1.0),))  # type: ignore[arg-type]
    world: Any = SimpleNamespace(
        log=log,
        store=SimpleNamespace(project=lambda p: place),
        jobs=SimpleNamespace(look=lambda: seen),
    )
    told = SyncMetrics(world, lambda: {"projects": {"1": {"ok_at": 1.0}}}, "0.1.0")
    told.answered("webhook", 200, 0.001)
    return told.text().decode()


@cache
def exposed() -> dict[str, Labels]:
    """Every sample on either /metrics: its name, its labels and their values."""
    found: dict[str, Labels] = {}
    for said in (backend_said(), sync_said()):
        for family in text_string_to_metric_families(said):
            for s in family.samples:
                labels = found.setdefault(s.name, {})
                for name, value in s.labels.items():
                    labels.setdefault(name, set()).add(value)
    return found


@pytest.fixture(autouse=True)
def rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics.SyncMetrics, "_accepted", lambda self, project: 0.9)


def panels() -> Iterator[dict[str, Any]]:
    for panel in BOARD["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries() -> list[str]:
    """Every query of the dashboard and of the alerts."""
    asked = [t["expr"] for p in panels() for t in p.get("targets", ())]
    asked += [v["query"]["query"] for v in BOARD["templating"]["list"] if v["type"] == "query"]
    return asked + [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]


def test_every_metric_that_is_asked_for_is_there_with_its_labels() -> None:
    there, asked = exposed(), set()
    scraped = {"job", "instance"}  # labels that Prometheus adds
    for query in queries():
        assert NAMED.search(query) or PROMETHEUS_OWN & set(re.findall(r"\w+", query)), query
        for name, labels in NAMED.findall(query):
            assert name in there, f"{query}: nothing of ours says {name}"
            wanted = set(re.findall(r"(\w+)\s*=", labels)) - scraped
            assert wanted <= set(there[name]), f"{query}: {name} has {set(there[name])}"
            asked.add(name)
        for by in re.findall(r"\b(?:by|on) \(([^)]*)\)", query):
            known = set().union(*(there[name] for name, _ in NAMED.findall(query))) | scraped
            assert {word.strip() for word in by.split(",")} <= known, query
    assert len(asked) > 20


def test_all_that_we_measure_is_on_the_dashboard_or_in_an_alert() -> None:
    text = " ".join(queries())
    plain = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in exposed()}
    ours = {name for name in plain if name.startswith("annotune_")}
    unused = {name for name in ours if name not in text}
    assert unused == {"annotune_build_info", "annotune_rounds", "annotune_gate_promoted"}


def test_the_values_of_labels_that_are_asked_for_exist() -> None:
    routes = re.findall(r'route="(\w+)"', " ".join(queries()))
    app = create_app(Backend(), FirstLabelLive(), ListedJobs(), list)
    assert routes and set(routes) <= set(app.view_functions)
    jobs = {scrape["job_name"] for scrape in SCRAPES["scrape_configs"]}
    assert set(re.findall(r'job="([\w-]+)"', " ".join(queries()))) <= jobs


def test_panels_have_their_own_ids_places_and_words() -> None:
    drawn = list(panels())
    assert len({p["id"] for p in drawn}) == len(drawn)
    cells = [
        (x, y)
        for p in drawn
        for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
        for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    for panel in drawn:
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"] and panel["targets"]
            assert panel["datasource"]["uid"] == "${datasource}"


def test_every_alert_says_how_bad_what_and_what_to_do() -> None:
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len({r["alert"] for r in rules}) == len(rules) > 10
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"] and rule["annotations"]["fix"]


def promtool(*arguments: str, where: Path = DEPLOY) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not here; it is in Debian's package prometheus")
    done = subprocess.run(
        [program, *arguments], cwd=where, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_rules_and_the_dashboards_queries(tmp_path: Path) -> None:
    asked = [q for p in panels() for q in (t["expr"] for t in p.get("targets", ()))]
    plain = [q.replace("$__rate_interval", "1m").replace("$project", ".*") for q in asked]
    rules = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(plain)]
    (tmp_path / "panels.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "p", "rules": rules}]})
    )
    assert f"{len(rules)} rules" in promtool("check", "rules", str(tmp_path / "panels.yml"))
    assert "rules found" in promtool("check", "rules", "alerts.yml")


def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    text = (DEPLOY.parent / "tests" / "alerts.yml").read_text(encoding="utf-8")
    (tmp_path / "told.yml").write_text(text.replace("ALERTS", str(DEPLOY / "alerts.yml")))
    promtool("test", "rules", "told.yml", where=tmp_path)
