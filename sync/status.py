"""Where a project stands: facts from the log and the store, and from neighbours that answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs import QueueDown
from lora.store import ProjectStore
from sync.agreement import together
from sync.backend_client import BackendDown
from sync.bias import meter
from sync.curve import curve_of
from sync.groups import is_blind
from sync.hooks import trouble
from sync.loop import World, time_to_train
from sync.ordered import order_of
from sync.readings import by_task, rate_of, read_answers
from sync.service_client import SyncDown
from sync.studio_values import StudioError
from sync.terms import Terms, terms_or_default

NO_WORKER = (
    "no worker is alive at the queue, so nothing is trained: annotune up, or annotune worker"
)
WAITS = "changes are heard by asking alone, until a running sync sets it up again"


def status(world: World, project: str, ask: bool = True) -> dict[str, Any]:
    """One project's state. A neighbour that does not answer is named under `problems`; without
    `ask` none is asked, and `serving` is what was shown last."""
    store, log = world.store.project(project), world.log
    counts, wanted = log.counts(project), log.wanted(project)
    serving, refused, config, problems = None, None, log.config(project), list[str]()
    if ask:
        serving, refused, config, problems = _neighbours(world, project, config)
    elif shown := log.versions(project):
        serving = shown[-1].version
    terms = terms_or_default(world.settings, config)
    problems += terms.problems if config else ()  # nothing was heard of it yet
    problems += [store.place.problem] if store.place.problem else []
    note = _other_share(world, project, terms)
    problems += [note] if note else []
    problems += [
        f"{version} is in quarantine, as it does not load: {why}; once it is mended: annotune "
        f"promote {project} {version}"
        for version, why in store.quarantined().items()
        if version in (store.current().version, store.current().previous)
    ]
    readings = read_answers(log, project, terms.schema)
    problems += meter(readings, log.rounds(project))["warnings"]
    return {
        "project": project,
        "title": log.title(project),
        "labels": counts.answers,
        "new_answers": counts.new,
        "blind_labels": counts.blind,
        "base": terms.base,
        "target": terms.settings.gate.target or None,
        "blind_share": terms.settings.blind.share,
        "regulated": terms.regulated,
        "version": store.current().version,
        "serving": serving,
        "order": order_of(store),
        "refused": refused,
        "waiting": _waiting(store),
        "training": store.is_training() or wanted is not None,
        "decision": time_to_train(world, project, terms).reason,
        "rounds": counts.rounds,
        "correction_rate": rate_of(readings).value,
        "agreement": together(terms.schema, by_task(readings)).same,
        "curve": curve_of(log, project).sentence,
        "last_verdict": log.last_verdict(project),
        "problems": problems,
    }


def _neighbours(
    world: World, project: str, config: str
) -> tuple[str | None, dict[str, Any] | None, str, list[str]]:
    """What serves, what was refused, the label config as it is now, and what is wrong with
    whom."""
    serving, refused, problems = None, None, list[str]()
    try:
        config = world.studio.project(project).config
        serving = world.backend.version(project, config)
        wrong = trouble(world.settings, world.studio.webhooks(project))
        problems += [f"our webhook in Label Studio {wrong}; {WAITS}"] if wrong else []
        refused = _refused(project, world.backend.health())
    except (BackendDown, StudioError) as down:
        problems.append(str(down))
    try:
        problems += [] if world.jobs.look().alive else [NO_WORKER]
    except QueueDown as down:
        problems.append(str(down))
    try:
        found = world.service.problem(project) if world.service else None
        problems += [found] if found and found not in problems else []
    except SyncDown as down:
        problems.append(str(down))
    return serving, refused, config, problems


def _refused(project: str, health: Mapping[str, Any]) -> dict[str, Any]:
    """What the backend turned away since it started. `requests`: of all projects; `why` and `last`
    of them; `rows`: by inference servers; `controls`: of this project, left to people, and why."""
    own = _part(_part(health, "projects"), project)
    bases = [_part(_part(health, "bases"), name) for name in _part(health, "bases")]
    told = _part(health, "refused")
    return {
        "requests": int(told.get("requests") or 0),
        "why": dict(_part(told, "why")),
        "last": told.get("last"),
        "rows": sum(int(base.get("refused") or 0) for base in bases),
        "controls": dict(_part(own, "refused")),
    }


def _part(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A part of what the backend says; an older one does not say all of it."""
    found = of.get(key)
    return found if isinstance(found, Mapping) else {}


def _waiting(store: ProjectStore) -> str | None:
    """The candidate that a named person may promote, and how."""
    found = store.waiting()
    if found is None:
        return None
    return (
        f"{found.version}, since {found.since[:16]}Z, for a person: annotune promote {store.name} "
        f"{found.version} --as NAME ({found.reason})"
    )


def _other_share(world: World, project: str, terms: Terms) -> str | None:
    """Says so when groups were drawn under another blind share: a side, once drawn, is for ever."""
    share, drawn = terms.settings.blind.share, world.log.drawn_groups(project)
    other = sum(is_blind(project, group, share) != blind for group, blind in drawn.items())
    if not other:
        return None
    return (
        f"blind share {share:g} holds for new task groups only: {other} of {len(drawn)} keep the "
        "side they were drawn on before"
    )
