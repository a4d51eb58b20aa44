"""All checks, in the order in which a person would look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jobs import Jobs
from settings import Settings
from sync.doctor import backend, base, bucket, place, queue, stored, studio
from sync.doctor.ask import Asker, NoAnswer
from sync.doctor.finding import Check, Finding, examine, in_time, problem
from sync.doctor.project import Project

MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


@dataclass(frozen=True)
class Examined:
    """Everything that was found."""

    findings: Sequence[Finding]

    @property
    def healthy(self) -> bool:
        return not any(f.level == "problem" for f in self.findings)

    def _count(self, level: str) -> int:
        return sum(f.level == level for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        counted = {level: self._count(level) for level in MARKS}
        return {**counted, "findings": [f.to_dict() for f in self.findings]}

    def lines(self) -> list[str]:
        """The same for people: what is wrong, each with its fix, after what is well."""
        found = []
        for level in MARKS:
            for f in (f for f in self.findings if f.level == level):
                found.append(f"{MARKS[level]} {f.check}: {f.seen}")
                found += [f"          fix: {f.fix}"] if f.fix else []
        counts = ((self._count(level), level) for level in MARKS)
        counted = ", ".join(f"{n} {level}{'s' * (n != 1 and level != 'ok')}" for n, level in counts)
        return [*found, counted]


def doctor(
    settings: Settings, jobs: Jobs, environ: Mapping[str, str], project: str | None = None
) -> Examined:
    """Look at everything, and at this project, or at all that are connected."""
    asker = Asker(settings.studio.url, settings.studio.token)
    checks = [
        Check("packages", place.packages),
        Check("settings", partial(place.choices, settings)),
        Check("data folder", partial(place.folder, settings, environ)),
        Check("log", partial(place.log, settings)),
        Check("base", partial(base.base, settings, environ), base.WITHIN_S),
        *([Check("store", partial(bucket.bucket, settings))] if settings.bucket else []),
        Check("redis", partial(queue.queue, settings, jobs)),
        Check("label studio", partial(studio.studio, settings, asker)),
        Check("token", partial(studio.token, settings, asker)),
        Check("addresses", partial(studio.addresses, settings)),
        Check("backend", partial(backend.backend, settings)),
        Check("sync", partial(backend.receiver, settings)),
    ]
    projects = [project] if project else in_time(partial(place.connected, settings))
    for one in projects:
        checks += _of_project(settings, asker, one)
    if not projects:
        fix = "annotune connect PROJECT (its number in Label Studio's address)"
        checks.append(Check("projects", lambda: [Finding("projects", "ok", "none yet", fix)]))
    return Examined(examine(checks))


def _of_project(settings: Settings, asker: Asker, project: str) -> list[Check]:
    own = Project(settings, asker, project)
    looks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("settings", own.shown),
        ("backend", own.connection),
        ("webhook", own.webhook),
        ("guard", own.guard),
        ("predictions", partial(stored.predictions, settings, asker, project)),
        ("scores", partial(stored.scores, settings, asker, project)),
        ("sources", partial(stored.sources, settings, asker, project)),
    ]
    return [Check(f"project {project} {n}", partial(_heard, f"project {project} {n}", look))
            for n, look in looks]  # fmt: skip


def _heard(name: str, look: Callable[[], Iterable[Finding]]) -> Iterable[Finding]:
    """A check that needs Label Studio, where that does not answer."""
    try:
        yield from look()
    except NoAnswer as down:
        yield problem(name, f"cannot be looked at: {down}", "mend Label Studio or the token first")
