"""Asks a real Prometheus every query of the dashboard: `make panels ENV_FILE=HOME/annotune.env`.

Prometheus (PROMETHEUS, else the one on the PATH) runs with deploy/prometheus.yml and alerts.yml,
their addresses and secrets those of the annotune that the file belongs to, which must be running. A
panel without data is wrong unless it says itself why it may be empty (`noValue`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess  # nosec B404  # lists, no shell
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from sync.start.process import LOOPBACK, free_port

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
EVERY_S, SCRAPES, RATE = 5, 6, "1m"
PATIENCE_S = 300.0


def configured(folder: Path, env: Mapping[str, str]) -> Path:
    """deploy/prometheus.yml for this annotune, in `folder` with all that it names."""
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": f"{EVERY_S}s", "evaluation_interval": f"{EVERY_S}s"}
    ports = {"annotune-backend": "ANNOTUNE_BACKEND_PORT", "annotune-sync": "ANNOTUNE_SYNC_PORT"}
    for job in config["scrape_configs"]:
        target = f"{LOOPBACK}:{env[ports[job['job_name']]]}"
        job["static_configs"] = [{"targets": [target]}]
    for name, value in (
        ("backend-password", env["ANNOTUNE_BACKEND_PASSWORD"]),
        ("sync-secret", env["ANNOTUNE_SYNC_SECRET"]),
        ("alerts.yml", (DEPLOY / "alerts.yml").read_text(encoding="utf-8")),
        ("prometheus.yml", yaml.safe_dump(config)),
    ):
        (folder / name).write_text(value, encoding="utf-8")
    return folder / "prometheus.yml"


@contextmanager
def prometheus(program: str, env: Mapping[str, str]) -> Iterator[httpx.Client]:
    """A Prometheus of our own, once it has scraped both servers SCRAPES times."""
    with tempfile.TemporaryDirectory(prefix="annotune-panels-") as name:
        folder, port = Path(name), free_port()
        command = [program, f"--config.file={configured(folder, env)}", "--log.level=error"]
        command += [f"--storage.tsdb.path={folder / 'data'}"]
        command += [f"--web.listen-address={LOOPBACK}:{port}"]
        run = subprocess.Popen(command)  # nosec B603  # a list of our own words
        try:
            with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", trust_env=False) as http:
                until = time.monotonic() + PATIENCE_S
                while not scraped(http):
                    if run.poll() is not None or time.monotonic() > until:
                        sys.exit(f"panels: {program} did not scrape both servers")
                    time.sleep(1.0)
                yield http
        finally:
            run.terminate()
            run.wait()


def scraped(http: httpx.Client) -> bool:
    """Whether both jobs were up for SCRAPES scrapes; a server that refuses us ends it."""
    try:
        found = asked(http, "/api/v1/query", query="sum_over_time(up[1h])")["result"]
    except httpx.TransportError:
        return False  # not up yet
    for target in asked(http, "/api/v1/targets")["activeTargets"]:
        if "HTTP status" in target["lastError"]:  # late is no reason to give up, a refusal is
            sys.exit(f"panels: {target['labels']['job']}: {target['lastError']}")
    return len(found) == 2 and all(float(one["value"][1]) >= SCRAPES for one in found)


def asked(http: httpx.Client, path: str, **params: str) -> Any:
    answer = http.get(path, params=params)
    if answer.is_error:
        sys.exit(f"panels: {path} {params}: {answer.text}")
    return answer.json()["data"]


def numbers(http: httpx.Client, query: str) -> list[str]:
    """What a query gave over the time of the scrapes, NaN left out."""
    plain, now = query.replace("$__rate_interval", RATE).replace("$project", ".*"), time.time()
    over = {"start": f"{now - EVERY_S * SCRAPES}", "end": f"{now}", "step": f"{EVERY_S}"}
    found = asked(http, "/api/v1/query_range", query=plain, **over)["result"]
    return [value for line in found for _, value in line["values"] if value != "NaN"]


def main() -> None:
    program = os.environ.get("PROMETHEUS") or shutil.which("prometheus")
    if program is None or len(sys.argv) != 2:
        sys.exit("panels: PROMETHEUS=/path/to/prometheus make panels ENV_FILE=HOME/annotune.env")
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    env = dict(line.split("=", 1) for line in lines if "=" in line)
    board = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    wrong = 0
    with prometheus(program, env) as http:
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                found = numbers(http, target["expr"])
                why = panel["fieldConfig"]["defaults"].get("noValue")
                wrong += not found and not why
                told = found[-1] if found else f"empty: {why}" if why else "EMPTY"
                print(f"{panel['title']} | {target.get('legendFormat', '')} | {told}")
        for group in asked(http, "/api/v1/rules")["groups"]:
            for rule in group["rules"]:
                wrong += rule["health"] != "ok"
                print(f"{rule['name']} | {rule['health']} | {rule['state']}")
    sys.exit(f"panels: {wrong} without data or with an error" if wrong else 0)


if __name__ == "__main__":
    main()
