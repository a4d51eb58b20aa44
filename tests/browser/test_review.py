"""A person reviews children in the real Label Studio, and it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from augment.values import Made
from label_config.snapshot_json import region_to_dict
from label_config.values import Choice, Example, Origin, Snapshot
from lora.approved import unapproved
from lora.expansions import Expansions
from lora.store import ProjectStore, Store
from settings import Settings
from sync.log import Log
from sync.pull import pull
from sync.review import Reviewer
from sync.start.api import StudioApi
from sync.start.studio import Studio as RunningStudio
from sync.studio import Studio
from tests.browser.editor import LOADS, choose, chosen, picture, submit, text_of, wait

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:The `parse_obj` method:DeprecationWarning"),
]
CONFIG = """<View annotune-regulated="true">
  <Text name="text" value="$text"/>
  <Choices name="intent" toName="text">
    <Choice value="refund"/><Choice value="delivery"/>
  </Choices>
</View>"""
REFUND = (Choice("intent", "text", ("refund",)),)
SAID = ["pls giv me my money bak", "where did you leave the parcel", "asdf asdf", "i want it back"]


@dataclass(frozen=True)
class Upto:
    """A freeze, as far as the log wants it."""

    upto: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Desk:
    reviewer: Reviewer
    store: ProjectStore
    log: Log
    project: str
    human: str

    @property
    def review(self) -> str:
        found = self.log.review(self.project, self.human)
        assert found is not None
        return found.review


@pytest.fixture
def desk(studio: RunningStudio, studio_api: StudioApi, tmp_path: Path) -> Iterator[Desk]:
    """A regulated project with one judged round, of which four children were made."""
    body = {"title": "Regulated", "label_config": CONFIG}
    project = str(studio_api.call("POST", "/api/projects/", json=body)["id"])
    rows = [{"data": {"text": "please give me my money back"}}]
    studio_api.call("POST", f"/api/projects/{project}/import", json=rows)
    log, store = Log(f"sqlite:///{tmp_path / 'log.db'}"), Store(tmp_path / "store").project(project)
    with closing(Studio(studio.url, studio.token)) as seam, closing(log):
        log.connect(project, "Regulated")
        pull(seam, log, project, 0.2)
        (task,) = log.tasks(project)
        text = {"text": str(task.data["text"])}
        parent = Example("annotation-1", task.id, "g", "train", text, REFUND, Origin("human", 1))
        human = store.put_snapshot(Snapshot(project, CONFIG, (parent,)))
        made = [Made(parent.id, {"text": said}, REFUND, "rewrite", "smollm") for said in SAID]
        kept = [shown(m.as_example(parent, 0.5)) for m in made]
        record = {"policy": {"review": True}, "challenger": None, "kept": kept, "snapshot": human}
        Expansions(store).put(human, record)
        log.want(project, human, "because", Upto())
        log.settle(project, human, {"promoted": False})
        reviewer = Reviewer(log, seam, store, Settings(home=tmp_path), project)
        yield Desk(reviewer, store, log, project, human)


def shown(child: Example) -> dict[str, Any]:
    raw = {"id": child.id, "texts": dict(child.texts), "origin": asdict(child.origin)}
    return raw | {"answers": [region_to_dict(r) for r in child.answers]}


def tasks_of(desk: Desk, api: StudioApi) -> list[dict[str, Any]]:
    query = {"project": desk.review, "fields": "all", "page_size": 100}
    found: list[dict[str, Any]] = api.call("GET", "/api/tasks", params=query)["tasks"]
    return found


def heard(desk: Desk) -> list[tuple[str, str]]:
    said = desk.log.decisions(desk.project, desk.human)
    return [(d.said, d.who) for d in sorted(said, key=lambda d: d.task)]


def skip(api: StudioApi, task: dict[str, Any]) -> None:
    """What the label stream's Skip sends; a task opened by itself has no such button."""
    body = {"result": [], "was_cancelled": True}
    api.call("POST", f"/api/tasks/{task['id']}/annotations/", json=body)


def test_what_people_say_in_label_studio_comes_back(
    desk: Desk, studio: RunningStudio, studio_api: StudioApi
) -> None:
    desk.reviewer.advance()
    desk.reviewer.advance()
    tasks, me = tasks_of(desk, studio_api), studio.account.email
    assert [t["data"]["text"] for t in tasks] == SAID, "held once each, in their order"
    found = studio_api.call("GET", f"/api/projects/{desk.review}/")
    assert found["title"] == f"Review {desk.human[:8]}: Regulated"
    assert found["skip_queue"] == "IGNORE_SKIPPED" and found["model_version"] == "synthetic"
    assert desk.reviewer.studio.find_project(found["description"]) == desk.review
    filled_in = tasks[0]["predictions"][0]["result"]
    path = "/api/tasks/{}/annotations/"
    studio_api.call("POST", path.format(tasks[0]["id"]), json={"result": filled_in})
    other = [{**filled_in[0], "value": {"choices": ["delivery"]}}]
    studio_api.call("POST", path.format(tasks[1]["id"]), json={"result": other})
    skip(studio_api, tasks[2])
    desk.reviewer.advance()
    assert heard(desk) == [("approved", me), ("corrected", me), ("rejected", me)]
    studio_api.call("DELETE", f"/api/tasks/{tasks[3]['id']}/")
    desk.reviewer.advance()
    record = Expansions(desk.store).get(desk.human)
    assert record is not None
    challenger = desk.store.snapshot(record["challenger"])
    rows = {e.texts["text"]: e for e in challenger.examples if e.origin.kind == "synthetic"}
    assert {t: e.answers[0].labels for t, e in rows.items()} == {  # type: ignore[union-attr]
        SAID[0]: ("refund",),
        SAID[1]: ("delivery",),
    }
    assert unapproved(challenger) is None
    assert record["review"]["counts"] == {"approved": 1, "corrected": 1, "rejected": 2}


def test_a_person_approves_and_corrects_in_the_editor(
    desk: Desk, page: Page, studio: RunningStudio, studio_api: StudioApi
) -> None:
    desk.reviewer.advance()
    tasks, me = tasks_of(desk, studio_api), studio.account.email
    open_child(page, f"{studio.url}/projects/{desk.review}/data?task={tasks[0]['id']}")
    shows = text_of(page, "body")
    assert "please give me my money back" in shows and SAID[0] in shows, "side by side"
    picture(page, "review")
    submit(page)
    open_child(page, f"{studio.url}/projects/{desk.review}/data?task={tasks[1]['id']}")
    choose(page, "delivery")
    submit(page)
    desk.reviewer.advance()
    assert heard(desk) == [("approved", me), ("corrected", me)]


def open_child(page: Page, at: str) -> None:
    """Open a task filled in; loaded again where Label Studio opens it empty (editor.open_task)."""
    for attempt in range(1, LOADS + 1):
        page.goto(at, wait_until="commit")
        page.wait_for_selector('button:has-text("Submit")')
        try:
            wait(lambda: chosen(page) == ["refund"], "it is not filled in", 15.0)
            return
        except AssertionError:
            if attempt == LOADS:
                raise
