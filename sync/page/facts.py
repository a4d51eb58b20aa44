"""What the page shows of a project: the figures of the commands, put side by side.

`status`, `curve`, `versions`, `augment`, `audit` and `people` have the truth; this file only asks
them, and asks again what is costly where something has changed, or seldom.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from jobs import QueueDown
from lora.store import ProjectStore
from settings import Settings
from sync.audit import hear_moves
from sync.augmented import NothingToExpand, augmented
from sync.backend_client import BackendDown
from sync.corrected import by_version, over_time
from sync.curve import curve_of
from sync.lineage import versions
from sync.logs import Line, tail
from sync.loop import World
from sync.page.words import advice, sentence
from sync.readings import read_answers
from sync.status import status
from sync.terms import terms_or_default
from sync.trainings import log_of, running

Facts = dict[str, Any]
HOUSE = "*"
"""The key of what is not of one project: queue and backend."""
LATEST_S = 300.0  # costly figures are read again after so long though nothing stirred
REST = 10  # times as long as a costly read took nothing is read again
DEEDS = 30  # entries of the audit log
LOG_LINES = 20


@dataclass
class _Costly:
    """What was read last of a project, of which state, how long that took."""

    facts: Facts
    stamp: object
    at: float
    took_s: float


@dataclass
class Source:
    """Reads for the page; `health`: sync's own, of Service. One thread gathers, any may drop."""

    world: World
    health: Callable[[], Mapping[str, Any]]
    _costly: dict[str, _Costly] = field(default_factory=dict)
    _deeds: Counter[str] = field(default_factory=Counter)

    def gather(self, key: str) -> Facts:
        """The facts of one project, or of the house."""
        return self._house() if key == HOUSE else self._project(key)

    def drop(self, project: str) -> None:
        """Somebody acted: read all of it again."""
        self._deeds[project] += 1
        self._costly.pop(project, None)

    def _house(self) -> Facts:
        """Who of the neighbours answers, and how much waits."""
        found: Facts = {"queue": None, "problems": [], "backend": None}
        try:
            found["queue"] = self.world.jobs.depth()
        except QueueDown as down:
            found["problems"].append(str(down))
        try:
            found["backend"] = str(self.world.backend.health().get("status") or "UP")
        except BackendDown as down:
            found["problems"].append(str(down))
        return found

    def _project(self, project: str) -> Facts:
        store, log = self.world.store.project(project), self.world.log
        seen: Mapping[str, Any] = self.health().get("projects", {}).get(project) or {}
        wanted = log.wanted(project)
        current, waiting = store.current(), store.waiting()
        stamp = (
            store.stamp(),
            log.last_revision(project),
            wanted.snapshot if wanted else None,
            waiting.version if waiting else None,
            _changed(store),
        )
        facts = {
            **self._read(project, stamp),
            "project": project,
            "at": time.time(),
            "running": _job(self.world.settings.home, store, wanted.snapshot if wanted else None),
            "wanted": {"snapshot": wanted.snapshot, "since": wanted.created_at.timestamp()}
            if wanted
            else None,
            "current": vars(current),
            "waiting_for": vars(waiting) if waiting else None,
            "heard_at": seen.get("ok_at") or None,
            "problem": seen.get("problem"),
            "mended": seen.get("mended"),
            "asked": store.asked(),
        }
        told = facts["status"]
        problems = [p for p in (facts["problem"], *told["problems"], _given_up(told)) if p]
        facts["problems"] = [
            {"text": p, "advice": advice(p, self.world.settings)} for p in dict.fromkeys(problems)
        ]
        return facts | {"sentence": sentence(facts)}

    def _read(self, project: str, stamp: object) -> Facts:
        known, now = self._costly.get(project), time.monotonic()
        if known:
            age = now - known.at
            same = known.stamp == stamp and age < LATEST_S
            if same or age < REST * known.took_s:
                return known.facts
        deeds = self._deeds[project]
        facts = read(self.world, project)
        if deeds == self._deeds[project]:  # else it is half of before and half of after
            done = time.monotonic()
            self._costly[project] = _Costly(facts, stamp, done, done - now)
        return facts


def read(world: World, project: str) -> Facts:
    """The costly part: everything that needs the whole log."""
    store, log = world.store.project(project), world.log
    terms = terms_or_default(world.settings, log.config(project))
    readings = read_answers(log, project, terms.schema)
    hear_moves(log, store)
    made = versions(store)
    return {
        "status": status(world, project, ask=False),
        "every": terms.settings.train.every,
        "least": terms.settings.train.least,
        "curve": curve_of(log, project).to_dict(),
        "corrections": {
            "over_time": [p.to_dict() for p in over_time(readings)],
            "by_version": [p.to_dict() for p in by_version(readings)],
        },
        "expansion": _expansion(world, project),
        "versions": made[::-1],
        "labels": _labels(store),
        "audit": [e.to_dict() for e in log.audit(project)[-DEEDS:]][::-1],
        "terms": terms.settings,
        "last_took_s": _last_took(log.last_verdict(project)),
    }


def _given_up(told: Mapping[str, Any]) -> str | None:
    """Why the last round has no version, if it was given up."""
    last = told["last_verdict"]
    if last is None or last.get("version") or last.get("promoted"):
        return None
    return f"the last training: {last['reason']}"


def _expansion(world: World, project: str) -> Facts:
    """What `annotune augment` says of the last one."""
    try:
        found = augmented(world, project, dry=False)
    except NothingToExpand as nothing:
        return {"why": str(nothing)}
    return {**found.to_dict(), "lines": found.lines(), "why": None}


def _labels(store: ProjectStore) -> Facts | None:
    """The table of labels of what serves, else of the newest version that has one."""
    made = store.versions()
    serving = store.current().version
    order = [m for m in made if m.version == serving] + made[::-1]
    for m in order:
        own = m.scores.get("candidate") or {}
        if table := own.get("by_label"):
            return {"version": m.version, "controls": table, "blind": m.scores.get("holdout")}
    return None


def _job(home: Path, store: ProjectStore, snapshot: str | None) -> Facts | None:
    """The training at work, and the end of its log where it is written on this machine."""
    found = running(store, snapshot)
    whose = snapshot or (found or {}).get("snapshot")
    if found is None or whose is None:
        return found
    with suppress(FileNotFoundError):
        lines = tail(log_of(home, store.name, whose))[-LOG_LINES:]
        found["log"] = [Line("training", line).plain for line in lines]
    return found


def _last_took(verdict: Mapping[str, Any] | None) -> float | None:
    seconds = (verdict or {}).get("seconds")
    return sum(seconds.values()) if isinstance(seconds, Mapping) else None


def _changed(store: ProjectStore) -> float:
    """When an expansion or a doubt came last."""
    folders = (store.folder / name for name in ("expansions", "adapters"))
    return max((f.stat().st_mtime for f in folders if f.is_dir()), default=0.0)


def settings_table(own: Settings, terms: Settings) -> dict[str, list[Facts]]:
    """By section each setting, as it holds for a project; of secrets only whether they are set."""
    found: dict[str, list[Facts]] = {}
    for section in fields(own):
        base, here = getattr(own, section.name), getattr(terms, section.name)
        if not is_dataclass(base):
            found.setdefault("home", []).append(_setting("ANNOTUNE_HOME", str(base), str(base)))
            continue
        for f in fields(base):
            name = f"ANNOTUNE_{section.name}_{f.name}".upper()
            a, b = getattr(base, f.name), getattr(here, f.name)
            if not f.repr:
                a = b = "set (hidden)" if a else ""
            found.setdefault(section.name, []).append(_setting(name, a, b))
    return found


def _setting(name: str, value: object, here: object) -> Facts:
    told = f"{here:g}" if isinstance(here, float) else here
    return {"name": name, "value": told, "own": value != here}
