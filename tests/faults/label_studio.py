"""A Label Studio on a socket that fails as it is told: tests.sync.fake_studio behind the real wire.

`script` holds faults; each request takes the first one whose `at` is in its method and path. Only
what sync asks for is answered.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sync.studio_values import (
    NewPrediction,
    NoSuchProject,
    SeenAnnotation,
    SeenPrediction,
    StudioRejected,
    TaskState,
)
from tests.sync.fake_studio import FakeStudio

FORM = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Fault:
    """What happens to one request. `done`: only after it took effect there (its answer is lost)."""

    at: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    half: bool = False
    silent_s: float = 0.0
    drip_s: float = 0.0
    done: bool = False
    meanwhile: Callable[[], object] | None = None


@dataclass
class Wire:
    """The fake, where it listens, and what was asked of it."""

    studio: FakeStudio
    url: str = ""
    script: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, what: str) -> Fault | None:
        self.asked.append(what)
        found = next((f for f in self.script if f.at in what), None)
        if found:
            self.script.remove(found)
        return found


@contextmanager
def label_studio(studio: FakeStudio, host: str = "127.0.0.1") -> Iterator[Wire]:
    """Listening, on loopback by default, until the block ends."""
    wire = Wire(studio)
    handler = type("Handler", (_Handler,), {"wire": wire})
    server = ThreadingHTTPServer((host, 0), handler)
    server.daemon_threads = True
    wire.url = f"http://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    wire: Wire
    protocol_version = "HTTP/1.0"  # a connection a request, as behind a proxy that keeps none

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        fault = self.wire.take(f"{self.command} {self.path}") or Fault()
        if fault.meanwhile:
            fault.meanwhile()
        if fault.silent_s:
            time.sleep(fault.silent_s)
        status, said = fault.status, {"detail": "as told"}
        if not fault.status or fault.done:
            with self.wire.lock:
                status, said = self._answer(body)
            status = fault.status or status
        self._send(status, b"" if status == 204 else json.dumps(said).encode(), fault)

    do_GET = do_POST = do_PATCH = do_DELETE = _any

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.wire.studio.now(), usegmt=True)

    def _answer(self, body: Any) -> tuple[int, Any]:
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        try:
            return answer(self.wire.studio, self.command, parts.path.strip("/"), query, body)
        except NoSuchProject:
            return 404, {"detail": "Not found."}
        except StudioRejected as error:
            return 400, {"detail": str(error)}

    def _send(self, status: int, raw: bytes, fault: Fault) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if fault.half:
            raw = raw[: len(raw) // 2]
        try:
            for byte in raw if fault.drip_s else ():
                self.wfile.write(bytes([byte]))
                time.sleep(fault.drip_s)
            if not fault.drip_s:
                self.wfile.write(raw)
        except OSError:
            pass  # the reader has given up, as it should

    def log_message(self, format: str, *args: object) -> None:
        pass


def answer(
    studio: FakeStudio, method: str, path: str, query: dict[str, str], body: Any
) -> tuple[int, Any]:
    """What Label Studio 1.23.2 answers, as far as sync reads it."""
    match [method, *path.split("/")[1:]]:
        case ["GET", "projects", project]:
            return 200, _project(studio, project)
        case ["PATCH", "projects", project]:
            if "model_version" in body:
                studio.set_model_version(project, body["model_version"])
            if "sampling" in body:
                studio.set_sampling(project, body["sampling"])
            return 200, _project(studio, project)
        case ["GET", "tasks"]:
            return 200, {"tasks": _listed(studio, query)}
        case ["POST", "projects", project, "import", "predictions"]:
            made = [
                NewPrediction(p["task"], p["result"], p["score"], p["model_version"]) for p in body
            ]
            return 201, {"created": studio.import_predictions(project, made)}
        case ["DELETE", "projects", project, "model-versions"]:
            studio.delete_predictions(project, body["model_version"])
            return 200, {"deleted_predictions": 1}
        case ["GET", "ml"]:
            return 200, [_backend(asdict(b)) for b in studio.mine]
        case ["POST", "ml"]:
            made_one = studio.connect_backend("1", body["url"], body["title"])
            return 201, _backend(asdict(made_one))
        case ["PATCH", "ml", number]:
            renamed = studio.rename_backend("1", int(number), body["url"], body["title"])
            return 200, _backend(asdict(renamed))
        case ["GET", "webhooks"]:
            return 200, [_hook(asdict(h)) for h in studio.hooks]
        case ["POST", "webhooks"]:
            hook = studio.add_webhook("1", body["url"], body["actions"], body["headers"])
            return 201, _hook(asdict(hook))
        case ["DELETE", "webhooks", number]:
            studio.remove_webhook(int(number))
            return 204, None
    raise AssertionError(f"the fake knows no {method} {path}")


def _project(studio: FakeStudio, project: str) -> dict[str, Any]:
    info = studio.project(project)
    return {
        "id": int(info.id),
        "title": info.title,
        "label_config": info.config,
        "model_version": info.model_version,
        "sampling": info.sampling,
        "task_number": info.tasks,
    }


def _backend(b: dict[str, Any]) -> dict[str, Any]:
    shown = {"id": b["id"], "url": b["url"], "title": b["title"], "model_version": b["version"]}
    return {**shown, "state": "CO", "project": 1}


def _hook(h: dict[str, Any]) -> dict[str, Any]:
    return {**h, "actions": list(h["actions"]), "is_active": h["active"]}


def _listed(studio: FakeStudio, query: dict[str, str]) -> list[dict[str, Any]]:
    """One page: filtered, ordered, cut."""
    studio._heard(query["project"])
    asked = json.loads(query["query"])
    rows = [_row(state) for state in studio.tasks.values()]
    for item in asked["filters"]["items"]:
        rows = [row for row in rows if _fits(row, item)]
    key = asked["ordering"][0].removeprefix("tasks:")
    rows.sort(key=lambda row: (row[key], row["id"]))
    return rows[: int(query["page_size"])]


def _fits(row: dict[str, Any], item: dict[str, Any]) -> bool:
    held, wanted = row[item["filter"].removeprefix("filter:tasks:")], item["value"]
    if isinstance(held, str) and item["operator"] != "contains":  # times, in whatever form
        held, wanted = (datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (held, wanted))
    return bool(
        {
            "greater_or_equal": lambda: held >= wanted,
            "greater": lambda: held > wanted,
            "equal": lambda: held == wanted,
            "contains": lambda: wanted in held,
        }[item["operator"]]()
    )


def _row(state: TaskState) -> dict[str, Any]:
    versions = ", ".join(sorted({p.version for p in state.predictions}))
    return {
        "id": state.task.id,
        "data": dict(state.task.data),
        "updated_at": state.updated_at.strftime(FORM),
        "annotations": [_annotation(a) for a in state.annotations],
        "predictions": [_prediction(p) for p in state.predictions],
        "predictions_model_versions": versions,
    }


def _annotation(a: SeenAnnotation) -> dict[str, Any]:
    return {
        "id": a.id,
        "result": a.result,
        "completed_by": a.author,
        "created_at": a.created_at.strftime(FORM),
        "updated_at": a.updated_at.strftime(FORM),
        "was_cancelled": a.cancelled,
        "parent_prediction": a.parent_prediction,
    }


def _prediction(p: SeenPrediction) -> dict[str, Any]:
    shown = {"id": p.id, "model_version": p.version, "score": p.score, "result": p.result}
    return {**shown, "created_at": p.created_at.strftime(FORM)}


def at_one_moment(studio: FakeStudio, moment: datetime) -> None:
    """Give every task one `updated_at`, as a bulk action does."""
    for number, state in studio.tasks.items():
        studio.tasks[number] = replace(state, updated_at=moment)
