"""Answers of our backend to fuzzed tasks and configs, stored in a real Label Studio that checks
predictions: none may be refused. `make fuzz-stored`; `--answers`, `--seed`, `--report FILE`.

What Label Studio does not take itself (a task, a config) is counted and left out: nobody could
ever ask us about it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from sync.start.api import StudioApi, StudioRefused
from sync.start.studio import start_studio
from tests.fuzz.mutate import spiced, xml
from tests.fuzz.samples import SAMPLES, Sample
from tests.fuzz.serving import filled_store, open_backend, tiny_base

VALIDATION = "fflag_feat_utc_210_prediction_validation_15082025"
BATCH = 25  # tasks of one project


@dataclass
class Stored:
    """What came of it. `refused`: each answer that Label Studio did not take, with its reason."""

    seed: int
    stored: int = 0
    empty: int = 0
    configs: int = 0
    not_taken: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)


Keep = Callable[[Stored], None]


class AsciiApi(StudioApi):
    """Sends JSON in ASCII: half a character then goes over the wire as its escape."""

    def post(self, path: str, value: Any) -> Any:
        """One POST; raises StudioRefused."""
        headers = self._headers() | {"Content-Type": "application/json"}
        answer = self._http.post(path, content=json.dumps(value).encode(), headers=headers)
        if not answer.is_success:
            code = answer.status_code
            raise StudioRefused(f"POST {path}: {code} {answer.text[:300]}", code)
        return answer.json()


def run(api: AsciiApi, backend: FlaskClient, answers: int, seed: int, keep: Keep) -> Stored:
    """Store so many answers that say something, from as many projects as that takes; `keep` hears
    how far it is after each."""
    done, rng, number = Stored(seed), random.Random(f"stored {seed}"), 0
    while done.stored + len(done.refused) < answers:
        at = number % len(SAMPLES)
        changed = number >= len(SAMPLES)  # each config as it is once, then changed
        _one_project(api, backend, rng, at, changed, done)
        number += 1
        keep(done)
    return done


def _one_project(
    api: AsciiApi, backend: FlaskClient, rng: random.Random, at: int, changed: bool, done: Stored
) -> None:
    sample: Sample = SAMPLES[at]
    config = xml(rng, sample.config) if changed else sample.config
    body = {"title": f"fuzz {at}", "label_config": config}
    try:
        project = api.post("/api/projects/", body)
    except StudioRefused as refused:
        _count(done.not_taken, f"label config: {refused.status}")
        return
    done.configs += 1
    where = f"/api/projects/{project['id']}"
    try:
        tasks = _tasks(api, rng, where, int(project["id"]), sample, done)
        asked = {"project": str(at + 1), "label_config": project["label_config"], "tasks": tasks}
        answer = backend.post("/predict", json=asked)
        assert answer.status_code == 200, answer.text
        for task, said in zip(tasks, json.loads(answer.data)["results"], strict=True):
            _store(api, {**said, "task": task["id"]}, task, done)
    finally:
        api.call("DELETE", f"{where}/")


def _tasks(
    api: AsciiApi, rng: random.Random, where: str, project: int, sample: Sample, done: Stored
) -> list[dict[str, Any]]:
    """Tasks of odd texts, as Label Studio then has them."""
    for _ in range(BATCH):
        data = spiced(rng, dict(sample.data))
        if not _whole(data):  # it takes them where it is asked in ASCII, then cannot list its tasks
            _count(done.not_taken, "task: half a character, which Label Studio cannot give back")
            continue
        try:
            api.post(f"{where}/import", [{"data": data}])
        except StudioRefused as refused:
            _count(done.not_taken, f"task: {refused.status}")
    query = f"/api/tasks?project={project}&fields=all&page_size={BATCH}"
    found: list[dict[str, Any]] = api.call("GET", query)["tasks"]
    return found


def _whole(data: dict[str, Any]) -> bool:
    try:
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _store(api: AsciiApi, body: dict[str, Any], task: dict[str, Any], done: Stored) -> None:
    try:
        kept = api.post("/api/predictions/", body)
    except StudioRefused as refused:
        done.refused.append({"why": str(refused)[:500], "answer": body, "data": task["data"]})
        return
    if kept["result"] != body["result"]:
        done.refused.append({"why": "kept otherwise", "answer": body, "kept": kept["result"]})
    elif not body["result"]:
        done.empty += 1
    else:
        done.stored += 1
        for region in body["result"]:
            _count(done.kinds, region["type"])


def _count(counts: dict[str, int], what: str) -> None:
    counts[what] = Counter(counts)[what] + 1


def main(argv: list[str] | None = None) -> int:
    """0 when none was refused, else 1; the report on stdout and, where asked, in a file."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--answers", type=int, default=500)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--report", type=Path)
    own = asked.parse_args(argv)

    def keep(done: Stored) -> None:
        print(f"{done.stored} stored, {len(done.refused)} refused", file=sys.stderr)
        if own.report:
            own.report.write_text(json.dumps(asdict(done), indent=1) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory() as folder:
        base = tiny_base()
        store = filled_store(Path(folder) / "store", base)
        studio = start_studio(Path(folder) / "studio", {**os.environ, VALIDATION: "true"})
        try:
            with AsciiApi(studio.url, studio.token) as api, open_backend(store, base) as backend:
                done = run(api, backend, own.answers, own.seed, keep)
        finally:
            studio.process.stop()
    print(json.dumps(asdict(done), indent=1))
    return 1 if done.refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
