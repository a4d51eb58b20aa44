"""Where a project stands: facts from the log and the store, and from neighbours that answer."""

from __future__ import annotations

from typing import Any

from jobs import QueueDown
from sync.backend_client import BackendDown
from sync.corrections import correction_rate
from sync.loop import World, time_to_train
from sync.studio_values import StudioError


def status(world: World, project: str) -> dict[str, Any]:
    """One project's state. A neighbour that does not answer is named under `problems`."""
    store, log = world.store.project(project), world.log
    counts, wanted = log.counts(project), log.wanted(project)
    problems: list[str] = []
    serving = None
    try:
        serving = world.backend.version(project, world.studio.project(project).config)
    except (BackendDown, StudioError) as down:
        problems.append(str(down))
    try:
        world.jobs.depth()
    except QueueDown as down:
        problems.append(str(down))
    return {
        "project": project,
        "title": log.title(project),
        "labels": counts.answers,
        "new_answers": counts.new,
        "blind_labels": counts.blind,
        "version": store.current().version,
        "serving": serving,
        "training": store.is_training() or wanted is not None,
        "decision": time_to_train(world, project).reason,
        "rounds": counts.rounds,
        "correction_rate": correction_rate(log, project).value,
        "last_verdict": log.last_verdict(project),
        "problems": problems,
    }
