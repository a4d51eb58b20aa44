"""Connecting a project: what Label Studio must be told once, safe to repeat.

The blind list is published before the backend is connected, so that no blind task is ever shown
a prediction. Label Studio adds a webhook of its own at the backend: it is deleted, and sync's own
registered, with the shared secret in a header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from label_config import Schema
from sync.hooks import register
from sync.loop import World, hear, publish_pool
from sync.terms import read_terms

PATIENCE_S = 60.0  # outlasts a push of the loop's (sync.push.BUDGET_S)


@dataclass(frozen=True)
class Connected:
    """What was connected, and what of the config is predicted and what is not."""

    project: str
    title: str
    version: str
    tasks: int
    schema: Schema
    webhooks_removed: int
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "project": self.project,
            "title": self.title,
            "version": self.version,
            "tasks": self.tasks,
            "predicted": [
                {"control": c.name, "kind": c.kind, "labels": len(c.labels), "key": c.key}
                for c in self.schema.controls
            ],
            "not_predicted": [
                {"control": u.name, "tag": u.tag, "reason": u.reason, "remedy": u.remedy}
                for u in self.schema.unsupported
            ],
            "webhooks_removed": self.webhooks_removed,
            "problems": list(self.problems),
        }


class BeingConnected(Exception):
    """Another process is connecting the project."""


class NothingToPredict(Exception):
    """The config holds no control we can predict; the message names each and why."""


def connect(world: World, project: str) -> Connected:
    """Connect a project, or repair its connection.

    Raises StudioError, InvalidConfig, NothingToPredict, BackendDown, BeingConnected or
    HeardElsewhere before anything is changed in Label Studio.
    """
    if of := world.log.reviewed_by(project):
        raise NothingToPredict(
            f"project {project} is where people review children of project {of}; it teaches "
            "through that one"
        )
    info = world.studio.project(project)
    terms = read_terms(world.settings, info.config)
    schema = terms.schema
    if not schema.controls:
        reasons = "; ".join(f"{u.name}: {u.reason}" for u in schema.unsupported) or "it is empty"
        raise NothingToPredict(
            f"nothing in project {project}'s label config is predicted: {reasons}"
        )
    version = world.backend.version(project, info.config)
    with world.store.project(project).connecting(PATIENCE_S) as free:
        if not free:
            raise BeingConnected(
                f"project {project} is being connected by another process; try again when it ended"
            )
        world.log.connect(project, info.title)  # from now on the loop turns it, too
        world.log.restore_tabs(project)  # sync makes them again
        hear(world, project, sweep=True, patience_s=PATIENCE_S)
        publish_pool(world, project, terms)
        _backend(world, project, version)
        removed = register(world.settings, world.studio, project)
        world.studio.set_sampling(project)
    return Connected(project, info.title, version, info.tasks, schema, removed, terms.problems)


def _backend(world: World, project: str, version: str) -> None:
    wanted, studio = world.settings.backend, world.studio
    url = wanted.url.rstrip("/")
    known = [b for b in studio.backends(project) if b.url.rstrip("/") == url]
    if known:  # say it again: the password may have changed
        title = known[0].title
        studio.rename_backend(project, known[0].id, url, title, wanted.user, wanted.password)
    else:
        studio.connect_backend(project, url, version, wanted.user, wanted.password)
