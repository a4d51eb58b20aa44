"""The backend and the receiver of webhooks, as they are reached from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from settings import Settings
from settings_guard import missing_password
from sync.doctor.ask import Answer, NoAnswer, ask
from sync.doctor.finding import Finding, ok, problem, warning
from sync.receiver import SECRET_HEADER
from sync.release import own_release

GIVES_UP_S = {"health": 1.0, "setup": 3.0}  # Label Studio: ML_TIMEOUT_HEALTH, ML_TIMEOUT_SETUP
START = "start it: annotune up; its log: annotune logs --process backend"


def backend(settings: Settings) -> Iterator[Finding]:
    """Reached, with our password, of our version, loaded, and quick enough for Label Studio."""
    own = settings.backend
    if missing := missing_password(settings):
        yield problem("backend password", missing, "annotune init makes one")
    url = own.url.rstrip("/")
    auth: dict[str, Any] = {"auth": (own.user, own.password)} if own.password else {}
    try:
        health = ask("GET", f"{url}/health", **auth)
    except NoAnswer as down:
        yield problem("backend", f"no answer from {down}", START, 4, 11)
        return
    if health.status == 401:
        fix = "give it and sync the same ANNOTUNE_BACKEND_USER and _PASSWORD, start both again"
        yield problem("backend password", f"{url} refuses ours (HTTP 401)", fix, 10)
        return
    if not health.fine or health.part("status") != "UP" or "projects" not in health.body:
        fix = "set ANNOTUNE_BACKEND_URL to annotune's backend; another server listens there"
        yield problem("backend", f"{url} is no backend of annotune ({health.said})", fix, 1, 8)
        return
    yield from _says(health)
    yield quick("backend time", "health", health.seconds)


def quick(check: str, route: str, seconds: float) -> Finding:
    """How near an answer came to where Label Studio stops to wait."""
    limit = GIVES_UP_S[route]
    seen = f"/{route} took {seconds:.2f} s; Label Studio gives up after {limit:g} s"
    if seconds > limit:
        fix = f"give the backend's machine room, or raise ML_TIMEOUT_{route.upper()} there"
        return problem(check, seen, fix, 3, 4)
    if seconds > limit / 2:
        return warning(check, seen, "what else works on the backend's machine?", 3, 4)
    return ok(check, seen, 3, 4)


def _says(health: Answer) -> Iterator[Finding]:
    theirs, ours = health.part("version"), own_release()
    if theirs != ours:
        fix = "install the same annotune on both, start the backend again"
        yield warning("backend version", f"it runs {theirs}, this is {ours}", fix)
    else:
        yield ok("backend version", f"{theirs}, as here")
    if error := health.part("error"):
        yield problem(
            "backend model", str(error), "mend the base it names, start the backend again"
        )
    elif not health.part("ready"):
        fix = "wait a minute; if it stays so: annotune logs --process backend"
        yield warning("backend model", "it is still loading", fix, 3)
    else:
        base = health.part("base")
        name = base.get("name") if isinstance(base, Mapping) else base
        yield ok("backend model", f"{name} is loaded and stays so between requests", 3)
    yield _refused(health.part("refused"))
    projects = health.part("projects")
    for project, told in projects.items() if isinstance(projects, Mapping) else ():
        if isinstance(told, Mapping) and told.get("error"):
            fix = f"annotune versions {project}; promote a good one, or: annotune train {project}"
            yield problem(f"project {project} serving", str(told["error"]), fix, 11)


def _refused(told: object) -> Finding:
    why = told.get("why") if isinstance(told, Mapping) else None
    full = int(why.get("overloaded") or 0) if isinstance(why, Mapping) else 0
    if full:
        seen = f"{full} requests refused since it started, as too much waited"
        return warning(
            "backend load", seen, "retrieve fewer predictions at once: sync does it", 5, 6
        )
    return ok("backend load", "no request refused for load since it started", 5, 6)


def receiver(settings: Settings) -> Iterator[Finding]:
    """Sync's door for webhooks, at the address that Label Studio is given."""
    url = f"{settings.sync.url.rstrip('/')}/health"
    if not settings.sync.secret:
        yield problem("sync", "ANNOTUNE_SYNC_SECRET is not set", "annotune init makes one")
        return
    try:
        got = ask("GET", url, headers={SECRET_HEADER: settings.sync.secret})
    except NoAnswer as down:
        fix = "start it: annotune up; its log: annotune logs --process sync"
        yield problem("sync", f"no answer from {down}", fix, 7, 15)
        return
    projects = got.part("projects")
    if not got.fine or got.part("status") not in {"UP", "DEGRADED"}:
        fix = "set ANNOTUNE_SYNC_URL to sync's receiver; another server listens there"
        yield problem("sync", f"{url} is not sync ({got.said})", fix, 7)
    elif not isinstance(projects, Mapping):
        fix = "give sync and this command the same ANNOTUNE_SYNC_SECRET, start sync again"
        yield problem("sync", f"{url} does not take our secret", fix, 10)
    else:
        yield ok("sync", f"{url} answers, {len(projects)} projects in its loop", 7)
        for project, told in projects.items():
            if isinstance(told, Mapping) and told.get("problem"):
                fix = f"annotune status {project}; annotune logs --process sync"
                yield problem(f"project {project} loop", str(told["problem"]), fix)
