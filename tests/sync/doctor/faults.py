"""The faults that are planted, and for each the check that must see it.

A line of SEEN: name | check | level | words of the finding or its fix | which of the fifteen pains
with Label Studio it is about (0: none of them).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from jobs import WorkerSeen
from settings import Queue
from tests.sync.doctor.neighbours import jwt
from tests.sync.doctor.ward import Ward

Plant = Callable[[Ward], object]
DEAD = "http://127.0.0.1:9"
FAR = "redis://:p@10.0.0.9:6379/0"
HOOK = "http://elsewhere/hook"


@dataclass(frozen=True)
class Fault:
    """A fault, how it is planted, and what must be said of it."""

    name: str
    plant: Plant
    check: str
    level: str
    words: str
    pain: int


def _backend_is(**values: object) -> Plant:
    return lambda w: w.studio.backends[0].update(values)


def _project_is(**values: object) -> Plant:
    return lambda w: w.studio.project.update(values)


def _health_is(**values: object) -> Plant:
    return lambda w: w.backend.health.update(values)


def _hook_is(**values: object) -> Plant:
    return lambda w: w.studio.hooks[0].update(values)


def _jobs_are(**values: object) -> Plant:
    return lambda w: [setattr(w.jobs, name, value) for name, value in values.items()]


def _studio_is(**values: object) -> Plant:
    return lambda w: [setattr(w.studio, name, value) for name, value in values.items()]


def _more_hooks(url: str) -> Plant:
    return lambda w: w.studio.hooks.append({"id": 2, "url": url or f"{w.backend.url}/webhook"})


def _legacy_off(w: Ward) -> None:
    w.set("studio", token="f" * 40)
    w.studio.legacy_off = True


def _open_redis_elsewhere(w: Ward) -> None:
    w.jobs.stranger = True
    w.settings = replace(w.settings, queue=Queue(FAR))


def _many_versions(w: Ward) -> None:
    w.studio.versions.extend({"model_version": f"v{n}"} for n in range(4))


PLANTS: dict[str, Plant] = {
    "no studio": lambda w: w.set("studio", url=DEAD),
    "not a studio": lambda w: w.set("studio", url=w.backend.url),
    "another version": _studio_is(release="1.30.0"),
    "its clock": _studio_is(late_s=100.0),
    "its clock, far": _studio_is(late_s=900.0),
    "no token": lambda w: w.set("studio", token=""),
    "an access token": lambda w: w.set("studio", token=jwt("access")),
    "another personal token": lambda w: w.set("studio", token=jwt("refresh", n=1)),
    "legacy tokens off": _legacy_off,
    "a token soon over": lambda w: w.set("studio", token=jwt("refresh", exp=time.time() + 86_400)),
    "loopback for a far studio": lambda w: w.set("studio", url="http://studio.invalid"),
    "listens elsewhere": lambda w: w.set("sync", url="http://10.1.2.3:9"),
    "no backend": lambda w: w.set("backend", url=DEAD),
    "another server": lambda w: w.backend.health.pop("projects"),
    "an older backend": _health_is(version="0.0.9"),
    "a broken base": _health_is(error="base broke"),
    "still loading": _health_is(ready=False),
    "overload": _health_is(refused={"why": {"overloaded": 4}}),
    "a version that does not load": _health_is(projects={"1": {"error": "v3 does not fit"}}),
    "no password": lambda w: w.set("backend", password=""),
    "no sync": lambda w: w.set("sync", url=DEAD),
    "another secret in sync": lambda w: setattr(w.sync, "secret", "another"),
    "a loop in trouble": lambda w: w.sync.projects.update({"1": {"problem": "disk full"}}),
    "no database": lambda w: w.set("sync", log="postgresql://ann:hush@127.0.0.1:1/log"),
    "another database": lambda w: w.set("sync", log="mysql://ann:hush@db/log"),
    "no redis": _jobs_are(down=True),
    "an open redis elsewhere": _open_redis_elsewhere,
    "the clock of redis": _jobs_are(late_s=100.0),
    "no worker": _jobs_are(workers=[]),
    "a dead worker": _jobs_are(workers=[WorkerSeen("w", "busy", 900.0)]),
    "a long queue": _jobs_are(waiting=9),
    "failed jobs": _jobs_are(failed=2),
    "a training per answer": lambda w: w.set("train", every=1),
    "rare sweeps": lambda w: w.set("sync", sweep_s=86_400.0),
    "open on purpose": lambda w: w.set("backend", password="", open=True),
    "no such project": _studio_is(refused={"/api/projects/1": (404, None)}),
    "predictions hidden": _project_is(show_collab_predictions=False),
    "retrieved by page": _project_is(evaluate_predictions_automatically=True),
    "another order": _project_is(sampling="Sequential sampling"),
    "no model_version": _project_is(model_version=""),
    "an old model_version": _project_is(model_version="v1-0a1b2c3d"),
    "not connected": lambda w: w.studio.backends.clear(),
    "another backend": lambda w: w.studio.backends.append({"url": "http://old:9090"}),
    "connected twice": lambda w: w.studio.backends.append(dict(w.studio.backends[0])),
    "no password there": _backend_is(auth_method="NONE"),
    "too slow for it": _backend_is(state="ER", error_message="Read timed out."),
    "a wrong password there": _backend_is(state="ER", error_message="401 Client Error"),
    "unreached from there": _backend_is(state="DI", readable_state="Disconnected"),
    "no webhook": lambda w: w.studio.hooks.clear(),
    "a webhook switched off": _hook_is(is_active=False),
    "a webhook with another secret": _hook_is(headers={}),
    "deletions not told": _hook_is(actions=["ANNOTATION_CREATED"]),
    "its own webhook": _more_hooks(""),
    "webhooks of others": _more_hooks(HOOK),
    "the guard against the backend": _studio_is(guards={"/api/ml"}),
    "the guard against the webhook": _studio_is(guards={"/api/webhooks/"}),
    "no right to change": _studio_is(refused={"/api/ml": (403, None)}),
    "versions pile up": _many_versions,
    "no version": lambda w: w.studio.versions.append({"model_version": None}),
    "no predictions": lambda w: w.studio.versions.clear(),
    "no scores": _studio_is(tasks=[{"id": 1, "predictions": [{"id": 1, "score": None}]}]),
    "a cloud storage": _studio_is(storages=[{"id": 1}]),
}

SEEN = """
no studio | label studio | problem | start Label Studio | 0
not a studio | label studio | problem | not as Label Studio does | 0
another version | label studio | warning | 1.30.0 | 0
its clock | label studio's clock | warning | timedatectl | 0
its clock, far | label studio's clock | problem | behind this machine | 0
no token | token | problem | not set | 10
an access token | token | problem | five minutes | 10
another personal token | token | problem | Token is invalid | 10
legacy tokens off | token | problem | switches legacy tokens on | 10
a token soon over | token | warning | 1 more days | 10
loopback for a far studio | backend address | problem | ANNOTUNE_BACKEND_URL | 7
listens elsewhere | sync address | warning | ANNOTUNE_SYNC_HOST | 7
no backend | backend | problem | annotune logs --process backend | 4
another server | backend | problem | another server listens there | 8
an older backend | backend version | warning | 0.0.9 | 0
a broken base | backend model | problem | base broke | 0
still loading | backend model | warning | loading | 3
overload | backend load | warning | 4 requests refused | 6
a version that does not load | project 1 serving | problem | v3 does not fit | 11
no password | backend password | problem | not set | 0
no sync | sync | problem | annotune up | 7
another secret in sync | sync | problem | same ANNOTUNE_SYNC_SECRET | 10
a loop in trouble | project 1 loop | problem | disk full | 0
no database | log | problem | start its database | 0
another database | log | problem | the log is kept in SQLite | 0
no redis | redis | problem | start Redis | 7
an open redis elsewhere | redis password | problem | requirepass | 0
the clock of redis | redis' clock | warning | behind this machine | 0
no worker | worker | problem | annotune worker | 7
a dead worker | worker | problem | 900 s ago | 7
a long queue | queue | warning | 9 jobs wait | 6
failed jobs | queue | warning | 2 jobs | 6
a training per answer | training | warning | nearly every answer | 9
rare sweeps | deletions | warning | SWEEP_S=86400 | 15
open on purpose | open on purpose | warning | ANNOTUNE_BACKEND_OPEN | 0
no such project | project 1 settings | problem | HTTP 404 | 0
predictions hidden | project 1 shown | problem | Use predictions | 11
retrieved by page | project 1 retrieval | warning | no automatic retrieval | 5
another order | project 1 order | warning | annotune connect 1 | 14
no model_version | project 1 model_version | problem | not set | 14
an old model_version | project 1 model_version | warning | cold-00000000 serves | 12
not connected | project 1 backend | problem | annotune connect 1 | 11
another backend | project 1 other backend | warning | http://old:9090 | 8
connected twice | project 1 backend | warning | 2 times | 12
no password there | project 1 backend password | problem | annotune connect 1 | 10
too slow for it | project 1 backend | problem | ML_TIMEOUT_SETUP | 4
a wrong password there | project 1 backend | problem | another password | 10
unreached from there | project 1 backend | problem | firewall | 4
no webhook | project 1 webhook | problem | is gone | 15
a webhook switched off | project 1 webhook | problem | switched off | 7
a webhook with another secret | project 1 webhook | problem | another secret | 7
deletions not told | project 1 webhook | problem | ANNOTATIONS_DELETED | 15
its own webhook | project 1 webhooks | warning | cost each submit a call | 9
webhooks of others | project 1 webhooks | warning | 1 more are called | 9
the guard against the backend | project 1 backend guard | problem | ML_BLOCK_LOCAL_IP=false | 4
the guard against the webhook | project 1 webhook guard | problem | _PROTECTION_ENABLED=false | 7
no right to change | project 1 backend guard | warning | may change the project | 10
versions pile up | project 1 predictions | warning | 5 versions | 12
no version | project 1 predictions | warning | no version | 12
no predictions | project 1 predictions | problem | annotune once 1 | 13
no scores | project 1 scores | warning | 1 of 1 | 13
a cloud storage | project 1 sources | ok | no webhook | 15
"""


def _read() -> list[Fault]:
    rows = [[cell.strip() for cell in line.split("|")] for line in SEEN.strip().splitlines()]
    assert {row[0] for row in rows} == set(PLANTS)
    return [Fault(name, PLANTS[name], c, lev, words, int(p)) for name, c, lev, words, p in rows]


FAULTS = _read()
