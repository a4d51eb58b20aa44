"""The routes of the page: the overview, a project, a version, two side by side, the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, request

from lora.errors import LoraError
from lora.store import ProjectStore
from settings import Settings
from sync import lineage
from sync.log import Log
from sync.loop import World
from sync.operate import NoSuchVersion
from sync.page import charts, words
from sync.page.deeds import Deeds
from sync.page.door import Door, session
from sync.page.facts import HOUSE, Facts, Source, settings_table
from sync.page.gathered import PATIENCE_S, Gathered
from sync.page.written import FILTERS

PARTS = ("problems", "now", "curve", "corrections", "versions", "labels", "expansion", "audit")
"""The parts of a project's page that are kept up to date, each a template of its own."""


@dataclass(frozen=True)
class Pages:
    """What the routes share."""

    world: World
    gathered: Gathered
    source: Source

    @property
    def log(self) -> Log:
        return self.world.log

    @property
    def settings(self) -> Settings:
        return self.world.settings

    def store(self, project: str) -> ProjectStore:
        """A connected project's store; 404 where there is none."""
        if project not in self.log.connected():
            abort(404, f"Project {project[:64]} is not connected; run: annotune connect ID")
        return self.world.store.project(project)

    def house(self) -> Facts:
        return self.gathered.look([HOUSE])[HOUSE] or {}

    def facts(self, project: str) -> Facts | None:
        return self.gathered.look([project])[project]

    def all(self) -> list[tuple[str, str, Facts | None]]:
        """Every project, with its title and what is known."""
        names = self.log.connected()
        found = self.gathered.look(names)
        return [(name, self.log.title(name), found[name]) for name in names]

    def acted(self, project: str) -> None:
        """A person changed something: the next look waits for what came of it."""
        self.source.drop(project)
        self.gathered.forget(project)


def make_page(
    world: World, health: Callable[[], Mapping[str, Any]], patience_s: float = PATIENCE_S
) -> Blueprint:
    """The page as a part of sync's app. `health`: Service.health."""
    source = Source(world, health)
    pages = Pages(world, Gathered(source.gather, patience_s), source)
    page = Blueprint(
        "page", __name__, template_folder="templates", static_folder="static", url_prefix=""
    )
    Door(world.settings).guard(page)
    _reading(page, pages)
    _versions(page, pages)
    deeds = Deeds(pages.acted)

    @page.post("/project/<project>/<any(train, promote, rollback):deed>")
    def act(project: str, deed: str) -> Any:
        return deeds.of(deed)(pages.store(project))

    for name, of in FILTERS.items():
        page.add_app_template_filter(of, name)

    @page.context_processor
    def known() -> dict[str, Any]:
        return {"me": session, "words": words, "charts": charts, "settings": world.settings}

    return page


def _reading(page: Blueprint, pages: Pages) -> None:
    @page.get("/")
    def overview() -> str:
        return render_template("overview.html", projects=pages.all(), house=pages.house())

    @page.get("/live")
    def overview_live() -> Response:
        told = {"projects": pages.all(), "house": pages.house()}
        return jsonify(parts={"projects": render_template("parts/projects.html", **told)})

    @page.get("/project/<project>")
    def project(project: str) -> str:
        store = pages.store(project)
        return render_template("project.html", **_told(pages, store), parts=PARTS)

    @page.get("/project/<project>/live")
    def project_live(project: str) -> Response:
        told = _told(pages, pages.store(project))
        known = told["facts"] or {}
        names = () if not known else PARTS[:1] if "broken" in known else PARTS
        return jsonify(parts={n: render_template(f"parts/{n}.html", **told) for n in names})

    @page.get("/settings")
    def settings() -> str:
        table = settings_table(pages.settings, pages.settings)
        return render_template("settings.html", table=table, project=None)

    @page.get("/project/<project>/settings")
    def project_settings(project: str) -> str:
        facts = pages.facts(pages.store(project).name) or {}
        table = settings_table(pages.settings, facts.get("terms", pages.settings))
        title = pages.log.title(project)
        return render_template("settings.html", table=table, project=project, title=title)


def _told(pages: Pages, store: ProjectStore) -> dict[str, Any]:
    return {
        "project": store.name,
        "title": pages.log.title(store.name),
        "facts": pages.facts(store.name),
        "house": pages.house(),
    }


def _versions(page: Blueprint, pages: Pages) -> None:
    @page.get("/project/<project>/version/<version>")
    def version(project: str, version: str) -> str:
        store = pages.store(project)
        try:
            shown, _ = lineage.shown(store, version)
        except (NoSuchVersion, LoraError) as missing:
            abort(404, str(missing))
        return render_template(
            "version.html",
            project=project,
            title=pages.log.title(project),
            shown=shown,
            serving=store.current().version,
            regulated=store.regulated(),
        )

    @page.get("/project/<project>/rollback")
    def roll_back(project: str) -> str:
        store = pages.store(project)
        serving = store.current().version
        return render_template(
            "rollback.html",
            project=project,
            title=pages.log.title(project),
            serving=serving,
            targets=store.stand_ins(serving) if serving else [],
        )

    @page.get("/project/<project>/diff")
    def diff(project: str) -> str:
        store = pages.store(project)
        before, after = request.args.get("before", ""), request.args.get("after", "")
        try:
            found, _ = lineage.compared(store, before, after)
        except (NoSuchVersion, LoraError) as missing:
            abort(404, str(missing))
        title = pages.log.title(project)
        return render_template("diff.html", project=project, title=title, found=found)
