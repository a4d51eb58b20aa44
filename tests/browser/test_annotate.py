"""A person's view: a real browser on a real Label Studio, connected to our backend and sync."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from demo.annotator import read_answer
from demo.rows import Data, load_data, tasks
from sync.start.api import StudioApi
from sync.start.house import House
from tests.browser.editor import Shop, choose, chosen, in_the_log, open_shop, open_task, submit

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def data() -> Data:
    return load_data(Path("demo/data"), seed=1, pool=30)


@pytest.fixture(scope="module")
def project(house: House, studio_api: StudioApi, data: Data) -> Shop:
    return open_shop(house, studio_api, "in the browser", data.config, tasks(data.pool))


def test_a_shown_prediction_is_corrected_and_the_correction_is_in_the_log(
    page: Page, house: House, project: Shop
) -> None:
    task = project.task(lambda prediction: bool(prediction["result"]))
    shown = task["predictions"][-1]["result"][0]["value"]["choices"]
    open_task(page, project, task, lambda: bool(chosen(page)))
    assert chosen(page) == shown, "the editor starts from the backend's answer"
    other = next(v for v in ("Refund", "Delivery") if v not in shown)
    choose(page, other)
    made = submit(page)
    assert made["parent_prediction"] == task["predictions"][-1]["id"]
    kept = in_the_log(house, project.id, made["id"])
    assert read_answer(made["result"])[0] == other
    assert (kept.task, kept.result) == (task["id"], made["result"])
    assert kept.parent_prediction == made["parent_prediction"]
    status = house.command("status", str(project.id))
    assert (status["labels"], status["correction_rate"]) == (1, 1.0)


def test_a_blind_task_opens_empty_and_its_answer_counts_as_blind(
    page: Page, house: House, project: Shop, data: Data
) -> None:
    before = house.command("status", str(project.id))["blind_labels"]
    task = project.task(lambda prediction: not prediction["result"])
    open_task(page, project, task)
    page.wait_for_selector(".lsf-choice")
    page.wait_for_timeout(1000)
    assert chosen(page) == []
    choose(page, data.gold[task["data"]["text"]].label)
    made = submit(page)
    in_the_log(house, project.id, made["id"])
    assert house.command("status", str(project.id))["blind_labels"] == before + 1
