"""The routes, exactly as Label Studio 1.23.2 uses them.

Each one reads a call (calls.py), asks the model (model.py) and answers JSON; nothing else happens
here. Every route but GET / wants the credentials, /health too: its 401 is what makes Label Studio
say "authentication parameters ... are incorrect" when a backend is connected, and its answer names
projects and versions. GET / says only that the process lives, for probes without credentials.
"""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, jsonify, request

import log_lines
from label_config import Schema
from label_config.fetch import Fetcher
from ml_backend import faults
from ml_backend.auth import BasicAuth
from ml_backend.calls import BadBody, read_body, read_predict, read_setup, read_webhook
from ml_backend.configs import Configs
from ml_backend.mentions import Suggested
from ml_backend.metrics import Metrics
from ml_backend.model import AnnotuneModel
from ml_backend.ports import JobsLike, LiveLike, VersionsLike
from ml_backend.refusals import Refusals
from ml_backend.slots import Slots
from settings import Backend

log = logging.getLogger(__name__)

PRIORITY = "X-Annotune-Priority"
VECTORS = "X-Annotune-Vectors"


def create_app(
    settings: Backend,
    live: LiveLike,
    jobs: JobsLike,
    versions: VersionsLike,
    release: str = "",
    metrics: Metrics | None = None,
) -> Flask:
    """The WSGI app over a serving model, the queue's door and the store's versions. `metrics` are
    shown on /metrics.

    Raises ValueError when settings.urls lists what is no address.
    """
    app = Flask("ml_backend", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the provider in use has it
    faults.register(app)
    metrics = metrics or Metrics(release)
    _guard(app, BasicAuth(settings.user, settings.password), metrics)
    refusals, slots = Refusals(), Slots(settings.threads)
    _add_lists(app, live, versions, release, refusals)
    metrics.watch(live.health, refusals.report, lambda: slots.running)
    fetcher = Fetcher(settings.urls.split(","))
    configs = Configs(bool(settings.urls))
    _add_calls(app, live, jobs, slots, fetcher, configs, refusals)
    return app


def _guard(app: Flask, auth: BasicAuth, metrics: Metrics) -> None:
    """Number each request, let in who may come in, log and count what came of it (never what it
    held)."""

    @app.get("/metrics", endpoint="metrics")
    def show_metrics() -> Response:
        return Response(metrics.text(), content_type=metrics.content_type)

    @app.before_request
    def enter() -> Response | None:
        g.request_id, g.began = log_lines.new_request(), time.monotonic()
        if request.endpoint == "root" or auth.allows(request.headers.get("Authorization")):
            return None
        return faults.answer_error(
            401, "wrong or missing credentials", WWW_Authenticate='Basic realm="annotune"'
        )

    @app.after_request
    def leave(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        took, route = time.monotonic() - g.began, request.endpoint or "unknown"
        metrics.answered(route, response.status_code, took)
        quiet = route in {"root", "health", "metrics"} and response.status_code == 200
        log.log(
            logging.DEBUG if quiet else logging.INFO,
            "%s %s -> %d in %.0f ms (request %s)",
            request.method,
            request.endpoint or "unknown route",  # the path itself may hold anything
            response.status_code,
            1000 * took,
            g.request_id,
        )
        return response


def _add_lists(
    app: Flask, live: LiveLike, versions: VersionsLike, release: str, refusals: Refusals
) -> None:
    @app.get("/")
    def root() -> Response:
        return jsonify(name="annotune ml backend", status="UP")

    @app.get("/health")
    def health() -> Response:
        said = {"status": "UP", "version": release, "refused": refusals.report()}
        return jsonify({**said, **live.health()})

    @app.get("/versions", endpoint="versions")
    def list_versions() -> Response:
        return jsonify(versions=list(versions()))


def _add_calls(
    app: Flask,
    live: LiveLike,
    jobs: JobsLike,
    slots: Slots,
    fetcher: Fetcher,
    configs: Configs,
    refusals: Refusals,
) -> None:
    suggested = Suggested()

    @app.post("/setup")
    def setup() -> Response:
        call = read_setup(_body())
        configs.remember(call.project, call.config)
        model = AnnotuneModel(live, jobs, call.project, configs.schema(call.config))
        return jsonify(model_version=model.setup())

    @app.post("/predict")
    def predict() -> Response:
        bulk = request.headers.get(PRIORITY, "").lower() == "bulk"
        with refusals.noted(), slots.take(bulk):
            call = read_predict(_body())
            config = configs.last(call.project) if call.config is None else call.config
            if config is None:
                raise BadBody("label_config is absent or null, and /setup was not called before")
            schema = configs.schema(config)
            model = AnnotuneModel(live, jobs, call.project, schema, fetcher, suggested)
            vectors = VECTORS in request.headers
            results = model.predict(call.tasks, call.context, bulk=bulk, vectors=vectors)
        version = results[0]["model_version"] if results else model.setup()
        return jsonify(results=results, model_version=version)

    @app.post("/webhook")
    def webhook() -> tuple[Response, int]:
        call = read_webhook(_body())
        model = AnnotuneModel(live, jobs, call.project or "", Schema(()))
        job = model.fit(call.action)
        if job is None:
            return jsonify(ignored=call.action[:64]), 200
        return jsonify(job=job), 201


def _body() -> dict[str, object]:
    """The request's JSON object. JSON must be announced: a web page of a stranger cannot do that
    across origins without asking first, so a browser on this machine is no way in."""
    if not request.is_json:
        raise BadBody(f"Content-Type is {request.mimetype[:80]!r}; send application/json")
    return dict(read_body(request.get_data(cache=False)))
