"""An annotator works through a tab that sync made, while a promotion brings fresh scores.

Label Studio, its page and all of sync's turn are real; the backend is a stub that says which
version it serves, so that the promotion comes exactly while a task is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from lora.store import Store
from settings import Backend, Settings, Sync
from settings import Studio as StudioSettings
from sync.backend_client import BackendClient
from sync.connect import connect
from sync.log import Log
from sync.loop import Turn, World, turn
from sync.start.api import StudioApi
from sync.start.studio import LOCK_S
from sync.start.studio import Studio as RunningStudio
from sync.studio import Studio
from tests.browser.editor import TEXT, choose, chosen, picture, submit, text_of, wait
from tests.sync.house import FakeJobs
from tests.sync.stub_backend import StubBackend, stub_backend

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:The `parse_obj` method:DeprecationWarning"),
]
V1, V2 = "v1-11111111", "v2-22222222"
CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="intent" toName="text">
    <Choice value="Refund"/><Choice value="Delivery"/><Choice value="Account"/>
  </Choices>
</View>"""
TEXTS = (
    "The kettle leaks, I want my money back.",
    "Where is the parcel with my winter boots?",
    "I forgot which password I chose last year.",
    "Please reimburse both garden chairs.",
    "My neighbour says nobody rang on Tuesday.",
    "Somebody changed the address in my profile!",
    "Half of the lamp arrived broken, so cancel it.",
    "Can the courier come after six?",
    "Delete everything you know about me.",
    "You charged the toaster twice.",
    "Tracking has shown no movement since March.",
    "Logging in takes me to an empty page.",
)


@dataclass
class Desk:
    """A project that is connected, and what an annotator and a promotion do to it."""

    world: World
    api: StudioApi
    stub: StubBackend
    project: str

    def turn(self) -> Turn:
        done = turn(self.world, self.project)
        assert not done.problems, done.problems
        return done

    def promote(self, version: str, scores: dict[str, float]) -> None:
        """The backend serves another version from now on; sync has not spoken yet."""
        self.stub.version, self.stub.scores = version, scores

    @property
    def tab(self) -> int:
        return self.world.log.tabs(self.project)["unsure"].tab

    def left(self, version: str) -> list[str]:
        """Texts of the tab's open tasks, by the score that sync pushed with this version."""
        shown = self.world.log.tabs(self.project)["unsure"].tasks
        open_ = set(shown) & set(self.world.log.unanswered(self.project))
        rows = self.world.log.shown(self.project, version, open_)
        texts = {t.id: str(t.data["text"]) for t in self.world.log.tasks(self.project, open_)}
        return [texts[r.task] for r in sorted(rows, key=lambda r: r.score or 0.0)]

    def task(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.api.call("GET", f"/api/tasks/{number}")
        return found


@pytest.fixture
def desk(studio: RunningStudio, studio_api: StudioApi, tmp_path: Path) -> Iterator[Desk]:
    body = {"title": "Through a tab", "label_config": CONFIG, "show_collab_predictions": True}
    project = str(studio_api.call("POST", "/api/projects", json=body)["id"])
    tasks = [{"data": {"text": text}} for text in TEXTS]
    studio_api.call("POST", f"/api/projects/{project}/import", json=tasks)
    with stub_backend() as stub, closing(Studio(studio.url, studio.token)) as seam:
        stub.label = "Refund"
        settings = Settings(
            home=tmp_path,
            studio=StudioSettings(url=studio.url, token=studio.token, lock_s=LOCK_S),
            backend=Backend(url=stub.url, password="s3cret"),
            sync=Sync(secret="test-secret", url="http://127.0.0.1:9"),
        )
        log = Log(f"sqlite:///{tmp_path / 'log.db'}")
        client = BackendClient(stub.url, "annotune", "s3cret")
        world = World(settings, Store(settings.store), log, seam, FakeJobs(), client)  # type: ignore[arg-type]
        with closing(log):
            made = Desk(world, studio_api, stub, project)
            made.promote(V1, {text: 0.2 + i / 20 for i, text in enumerate(TEXTS)})
            connect(world, project)
            stub.blind = set(log.blind_tasks(project))
            made.turn()
            yield made


def shown_text(page: Page) -> str:
    """Which of the texts the editor shows."""
    whole = text_of(page, TEXT)
    return next((text for text in TEXTS if text in whole), "")


def next_one(page: Page, text: str) -> None:
    wait(lambda: shown_text(page) == text, f"the page does not show {text!r}")
    wait(lambda: chosen(page) == ["Refund"], "it is not filled in")


def test_a_promotion_while_an_annotator_works_through_a_tab(
    page: Page, desk: Desk, studio: RunningStudio
) -> None:
    page.goto(f"{studio.url}/projects/{desk.project}/data?tab={desk.tab}", wait_until="commit")
    page.wait_for_selector('.dm-table__row-wrapper, .dm-table-row, [data-testid="table-row"]')
    page.locator("button", has_text="Label").first.click()
    page.wait_for_selector('button:has-text("Submit")')
    first, second = desk.left(V1)[:2]
    next_one(page, first)
    submit(page)
    desk.turn()
    next_one(page, second)

    desk.promote(V2, {text: 0.9 - i / 20 for i, text in enumerate(TEXTS)})
    done = desk.turn().pushed
    assert done is not None and done.version == V2 and done.switched
    before = desk.left(V2)
    page.wait_for_timeout(1000)
    assert shown_text(page) == second and chosen(page) == ["Refund"], (
        "nobody's open task is touched"
    )
    picture(page, "tab")
    choose(page, "Delivery")
    made = submit(page)
    old = {p["id"]: p["model_version"] for p in desk.task(made["task"])["predictions"]}
    assert old[made["parent_prediction"]] == V1, "what it started from stands, and is known"
    desk.turn()
    assert desk.world.log.counts(desk.project).answers == 2

    fresh = next(text for text in before if text != second)
    next_one(page, fresh)
    made = submit(page)
    now = {p["id"]: p["model_version"] for p in desk.task(made["task"])["predictions"]}
    assert now[made["parent_prediction"]] == V2
