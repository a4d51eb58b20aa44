"""The predictions that a project holds: how many versions, with scores or without, and where its
tasks come from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from settings import Settings
from sync.doctor.ask import Asker
from sync.doctor.finding import Finding, ok, problem, warning

MANY = 3  # versions: the one that serves, the one before while tasks are open, one on its way
SAMPLE = 20
UNNAMED = {None, "", "undefined"}


def predictions(settings: Settings, ask: Asker, project: str) -> Iterator[Finding]:
    """The versions that pile up there, and predictions that no version is known of."""
    check = f"project {project} predictions"
    got = ask("GET", f"api/projects/{project}/model-versions/", {"extended": "true"})
    rows = got.part("static")
    if not got.fine or not isinstance(rows, list):
        yield problem(check, f"versions cannot be listed ({got.said})", "see the token's finding")
        return
    found = [r for r in rows if isinstance(r, Mapping)]
    named = [r for r in found if r.get("model_version") not in UNNAMED]
    if len(named) < len(found):
        seen = "some have no version: they are shown and counted by nobody, and never replaced"
        fix = "Data Manager: filter 'Prediction model versions is empty', Delete Predictions"
        yield warning(check, seen, fix, 12)
    if not named:
        seen = "there are none: people see no answers, and the order is random"
        fix = f"annotune once {project}; is sync running?"
        yield problem(check, seen, fix, 11, 13, 14)
        return
    if len(named) > MANY:
        seen = f"{len(named)} versions are kept, which mixes their scores"
        fix = "is sync running? it removes them ANNOTUNE_STUDIO_LOCK_S after a swap"
        yield warning(check, seen, fix, 12, 13)
    else:
        yield ok(check, f"{len(named)} versions are kept", 12)


def scores(settings: Settings, ask: Asker, project: str) -> Iterator[Finding]:
    """Whether predictions have a score to sort by."""
    check = f"project {project} scores"
    # the newest, by key: any other form of asking makes Label Studio read all tasks
    query = json.dumps({"ordering": ["-tasks:id"]})
    asked: dict[str, Any] = {"project": project, "fields": "all", "page_size": SAMPLE}
    got = ask("GET", "api/tasks/", {**asked, "query": query})
    tasks = got.part("tasks")
    if not got.fine or not isinstance(tasks, list):
        yield problem(check, f"tasks cannot be listed ({got.said})", "see the token's finding")
        return
    held = [p for t in tasks if isinstance(t, Mapping) for p in t.get("predictions") or ()]
    bare = [p for p in held if isinstance(p, Mapping) and p.get("score") is None]
    if bare:
        seen = f"{len(bare)} of {len(held)} of the newest predictions have no score to sort by"
        fix = "delete these versions' predictions; sync writes a score with each"
        yield warning(check, seen, fix, 13)
    elif held:
        yield ok(check, f"all of the newest {len(held)} predictions have one", 13)


def sources(settings: Settings, ask: Asker, project: str) -> Iterator[Finding]:
    """Tasks of a cloud storage come without a webhook."""
    check = f"project {project} sources"
    got = ask("GET", "api/storages/", {"project": project})
    if not got.fine or not isinstance(got.body, list):
        yield warning(
            check, f"storages cannot be listed ({got.said})", "nothing, if there are none"
        )
    elif got.body:
        seen = f"{len(got.body)} cloud storages, which send no webhook: new tasks are heard of "
        seen += f"by asking, within {settings.sync.quiet_s:g} s"
        yield ok(check, seen, 15)
    else:
        yield ok(check, "no cloud storage", 15)
