"""A person's view: a real browser on a real Label Studio, connected to our backend and sync."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.annotator import read_answer
from demo.api import StudioApi
from demo.house import House
from demo.project import Project, wait_for_predictions
from demo.rows import Data, Row, load_data, tasks
from demo.studio import Account, Studio
from sync.log import Log
from sync.studio_values import SeenAnnotation

pytestmark = pytest.mark.real


@pytest.fixture
def page(sign_in: Callable[[Account], Page], studio: Studio) -> Page:
    return sign_in(studio.account)


@dataclass(frozen=True)
class Connected:
    """A connected project whose tasks all carry their first prediction."""

    id: int
    data: Data
    api: StudioApi

    def task(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first task whose newest prediction is as wanted."""
        query = {"project": self.id, "page_size": 100, "fields": "all"}
        found = self.api.call("GET", "/api/tasks", params=query)["tasks"]
        return next(task for task in found if wanted(task["predictions"][-1]))

    def gold(self, task: dict[str, Any]) -> Row:
        return self.data.gold[task["data"]["text"]]


@pytest.fixture(scope="module")
def project(house: House, studio_api: StudioApi) -> Connected:
    data = load_data(Path("demo/data"), seed=1, pool=30)
    body = {"title": "in the browser", "label_config": data.config}
    number = int(studio_api.call("POST", "/api/projects/", json=body)["id"])
    studio_api.call("POST", f"/api/projects/{number}/import", json=tasks(data.pool))
    house.command("connect", str(number))
    made = Project(number, house.folder)
    assert wait_for_predictions(studio_api, made, 180, lambda line: None)
    return Connected(number, data, studio_api)


def open_task(page: Page, studio: Studio, project: int, task: int) -> None:
    page.goto(f"{studio.url}/projects/{project}/data?task={task}", wait_until="commit")
    page.wait_for_selector('button:has-text("Submit")')


def chosen(page: Page) -> list[str]:
    """The labels of the Choices control that are ticked."""
    return [
        str(box.get_attribute("name"))
        for box in page.query_selector_all(".lsf-choice input[type=checkbox]")
        if box.is_checked()
    ]


def submit(page: Page) -> dict[str, Any]:
    with page.expect_response(
        lambda r: r.request.method == "POST" and "/annotations" in r.url
    ) as reply:
        page.click('button:has-text("Submit")')
    answer: dict[str, Any] = reply.value.json()
    return answer


def in_the_log(
    house: House, project: Connected, annotation: int, timeout_s: float = 60
) -> SeenAnnotation:
    """What sync's log holds of this annotation, once it is there."""
    log = Log(house.settings.log_url)
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            for found in log.current_annotations(str(project.id)):
                if found.id == annotation:
                    return found
            assert time.monotonic() < deadline, f"annotation {annotation} is not in the log"
            time.sleep(0.3)
    finally:
        log.close()


def test_a_shown_prediction_is_corrected_and_the_correction_is_in_the_log(
    page: Page, studio: Studio, house: House, project: Connected
) -> None:
    task = project.task(lambda prediction: bool(prediction["result"]))
    open_task(page, studio, project.id, task["id"])
    shown = task["predictions"][-1]["result"][0]["value"]["choices"]
    page.wait_for_function("() => document.querySelector('.lsf-choice input:checked')")
    assert chosen(page) == shown, "the editor starts from the backend's answer"
    other = next(v for v in ("Refund", "Delivery") if v not in shown)
    page.click(f'label:has(input[name="{other}"])')
    page.wait_for_timeout(300)
    made = submit(page)
    assert made["parent_prediction"] == task["predictions"][-1]["id"]
    kept = in_the_log(house, project, made["id"])
    assert read_answer(made["result"])[0] == other
    assert (kept.task, kept.result) == (task["id"], made["result"])
    assert kept.parent_prediction == made["parent_prediction"]
    status = house.command("status", str(project.id))
    assert (status["labels"], status["correction_rate"]) == (1, 1.0)


def test_a_blind_task_opens_empty_and_its_answer_counts_as_blind(
    page: Page, studio: Studio, house: House, project: Connected
) -> None:
    before = house.command("status", str(project.id))["blind_labels"]
    task = project.task(lambda prediction: not prediction["result"])
    open_task(page, studio, project.id, task["id"])
    page.wait_for_selector(".lsf-choice")
    page.wait_for_timeout(1000)
    assert chosen(page) == []
    page.click(f'label:has(input[name="{project.gold(task).label}"])')
    made = submit(page)
    in_the_log(house, project, made["id"])
    assert house.command("status", str(project.id))["blind_labels"] == before + 1
