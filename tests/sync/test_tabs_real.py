"""The tabs in a real Label Studio: its server shows what they name, its page opens them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from lora.doubts import Doubt, Doubts
from lora.store import ProjectStore, Store
from settings import Settings
from sync.freeze import freeze
from sync.log import Log
from sync.pull import pull
from sync.start.api import StudioApi
from sync.start.studio import Account
from sync.start.studio import Studio as RunningStudio
from sync.studio import Studio
from sync.studio_values import NewPrediction
from sync.tabs import TITLES, keep_tabs
from sync.terms import Terms, read_terms
from tests.sync.house import ANSWER as A
from tests.sync.house import CONFIG

pytestmark = pytest.mark.real
V1 = "v1-aaaaaaaa"


@pytest.fixture
def project(studio_api: StudioApi) -> str:
    body = {"title": "look again", "label_config": CONFIG}
    number = str(studio_api.call("POST", "/api/projects", json=body)["id"])
    tasks = [{"data": {"text": f"{'abcdefghijkl'[i] * 9} sentence"}} for i in range(12)]
    studio_api.call("POST", f"/api/projects/{number}/import", json=tasks)
    return number


@pytest.fixture
def seam(studio: RunningStudio) -> Iterator[Studio]:
    with closing(Studio(studio.url, studio.token)) as made:
        yield made


class Room:
    """Log, store and a real Label Studio; `answered`: train tasks with an answer."""

    def __init__(self, api: StudioApi, seam: Studio, project: str, folder: Path) -> None:
        self.api, self.seam, self.project = api, seam, project
        self.url = f"sqlite:///{folder / 'log.db'}"
        self.log = Log(self.url)
        self.log.connect(project, "look again")
        self.store: ProjectStore = Store(folder / "store").project(project)
        self.terms: Terms = read_terms(Settings(home=folder), CONFIG)
        self.pull()
        sides = self.log.sides(project)
        self.blind = [t for t, blind in sides.items() if blind]
        train = [t for t, blind in sides.items() if not blind]
        self.answered, self.open = train[:4], train[4:]

    def pull(self) -> None:
        pull(self.seam, self.log, self.project, 0.3)

    def answer(self, task: int) -> int:
        path = f"/api/tasks/{task}/annotations/"
        return int(self.api.call("POST", path, json={"result": A, "lead_time": 2.0})["id"])

    def keep(self, look: bool = False) -> list[Any]:
        return list(keep_tabs(self.log, self.seam, self.store, self.project, self.terms, look))

    def restart(self) -> None:
        self.log.close()
        self.log = Log(self.url)

    def tab(self, kind: str) -> int:
        return self.log.tabs(self.project)[kind].tab

    def shown(self, kind: str) -> list[int]:
        """What Label Studio's server says a tab holds."""
        query = {"project": self.project, "view": self.tab(kind), "page_size": 100}
        return sorted(t["id"] for t in self.api.call("GET", "/api/tasks", params=query)["tasks"])

    def doubt(self, tasks: list[int]) -> None:
        """A judged round in which a model doubts the answers of these tasks."""
        snapshot, report = freeze(self.log, self.project, self.terms)
        digest = self.store.put_snapshot(snapshot)
        self.log.want(self.project, digest, "a test's", report)
        self.log.settle(self.project, digest, {"promoted": True, "reason": "better"})
        rows = {e.task: e for e in snapshot.train}
        found = [
            Doubt(rows[t].id, t, rows[t].origin.annotation, "intent", ("A",), ("B",), -0.5, True)
            for t in tasks
        ]
        Doubts(self.store).put(digest, found)


@pytest.fixture
def room(studio_api: StudioApi, seam: Studio, project: str, tmp_path: Path) -> Iterator[Room]:
    made = Room(studio_api, seam, project, tmp_path)
    yield made
    made.log.close()


def test_tabs_on_a_real_label_studio(
    room: Room, sign_in: Callable[[Account], Page], studio: RunningStudio
) -> None:
    assert room.blind and len(room.open) > 2
    for task in (*room.answered, room.blind[0]):
        room.answer(task)
    scored = [NewPrediction(t, [A[0] | {"score": 0.5}], 0.5, V1) for t in room.open[:-1]]
    room.seam.import_predictions(room.project, scored)
    room.log.plan(room.project, scored)
    room.log.see_version(room.project, V1)
    room.pull()
    room.doubt(room.answered[:3])
    assert set(room.keep()) == set(TITLES)
    assert room.shown("disagrees") == sorted(room.answered[:3])
    assert room.shown("unsure") == sorted(room.open[:-1])
    assert room.shown("audit") == [room.blind[0]]
    assert room.shown("people") == []  # and not every task
    before = {t.id for t in room.seam.tabs(room.project)}
    room.restart()
    assert room.keep(look=True) == []
    assert {t.id for t in room.seam.tabs(room.project)} == before

    page = sign_in(studio.account)
    _opens(page, studio.url, room, "disagrees", 3)
    _opens(page, studio.url, room, "unsure", len(scored))
    _renames(page, room, "disagrees", "Anna's corner")

    (saved,) = [a for a in room.log.current_annotations(room.project) if a.task == room.answered[0]]
    edit = {"result": [A[0] | {"value": {"choices": ["B"]}}]}
    room.api.call("PATCH", f"/api/annotations/{saved.id}", json=edit)
    room.pull()
    assert room.keep() == ["disagrees"]
    assert room.shown("disagrees") == sorted(room.answered[1:3])
    titles = {t.id: t.title for t in room.seam.tabs(room.project)}
    assert titles[room.tab("disagrees")] == "Anna's corner"

    gone = room.tab("unsure")
    room.api.call("DELETE", f"/api/dm/views/{gone}/")
    room.keep(look=True)
    assert gone not in {t.id for t in room.seam.tabs(room.project)}
    assert room.log.tabs(room.project)["unsure"].deleted


def _opens(page: Page, url: str, room: Room, kind: str, rows: int) -> None:
    """Label Studio's own page opens the tab and lists its tasks."""
    page.goto(f"{url}/projects/{room.project}/data?tab={room.tab(kind)}", wait_until="commit")
    row = '[data-testid="table-row"], .dm-table__row-wrapper, .dm-table-row'
    page.wait_for_selector(row)
    page.wait_for_function("([s, n]) => document.querySelectorAll(s).length === n", arg=[row, rows])
    assert TITLES[kind] in page.content()


def _renames(page: Page, room: Room, kind: str, title: str) -> None:
    """A person saves the tab under another name, as the page does: our mark is dropped by it."""
    (old,) = [t for t in room.seam.tabs(room.project) if t.id == room.tab(kind)]
    data = {k: v for k, v in old.data.items() if k != "annotune"} | {"title": title}
    query = {"project": room.project}
    path = f"/api/dm/views/{old.id}/"
    room.api.call("PUT", path, params=query, json={"project": int(room.project), "data": data})
