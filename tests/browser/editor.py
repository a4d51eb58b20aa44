"""What a person does in Label Studio's editor, and what becomes of it, driven in a real browser."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

from label_config import Region, Schema, answer_key, read_schema
from label_config.wire import read_result, write_result
from lora.store import Store
from sync.log import Log
from sync.start.api import StudioApi
from sync.start.house import House
from sync.start.project import add_tasks, create, wait_for_predictions
from sync.studio_values import SeenAnnotation

LOADS = 5
FIRST_S = 180.0  # until every task of a new project carries its first prediction
TEXT = ".lsf-richtext, .lsf-htx-richtext, [class*=richtext]"
DIALOGUE = '[data-testid="phrases-wrapper"]'
WHERE = """([words, root]) => {
  const walker = document.createTreeWalker(document.querySelector(root), NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  const at = nodes.map(n => n.data).join('').indexOf(words);
  if (at < 0) return null;
  const box = i => {
    for (const node of nodes) {
      if (i < node.data.length) {
        const one = document.createRange();
        one.setStart(node, i);
        one.setEnd(node, i + 1);
        return one.getBoundingClientRect();
      }
      i -= node.data.length;
    }
  };
  const [a, b] = [box(at), box(at + words.length - 1)];
  return [a.left + 1, (a.top + a.bottom) / 2, b.right - 1, (b.top + b.bottom) / 2];
}"""


@dataclass(frozen=True)
class Shop:
    """A connected project whose tasks all carry the serving version's prediction."""

    id: int
    config: str
    api: StudioApi
    house: House

    @property
    def schema(self) -> Schema:
        return read_schema(self.config)

    def tasks(self) -> list[dict[str, Any]]:
        query = {"project": self.id, "page_size": 100, "fields": "all"}
        found: list[dict[str, Any]] = self.api.call("GET", "/api/tasks", params=query)["tasks"]
        return found

    def task(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first task nobody answered whose newest prediction is as wanted."""
        waiting = [t for t in self.tasks() if not t["annotations"]]
        return next(task for task in waiting if wanted(task["predictions"][-1]))

    def seen_task(self) -> dict[str, Any]:
        """The first task nobody answered that is not blind."""
        blind = Store(self.house.settings.store).project(str(self.id)).blind()
        return next(t for t in self.tasks() if not t["annotations"] and t["id"] not in blind)

    def predict(self, task: dict[str, Any], *regions: Region) -> None:
        """Put these answers in the place of the task's newest prediction, as if just trained."""
        result = write_result(self.schema, task["id"], regions, task["data"])
        path = f"/api/predictions/{task['predictions'][-1]['id']}/"
        self.api.call("PATCH", path, json={"result": result})

    def read(self, task: dict[str, Any], result: object) -> set[tuple[object, ...]]:
        """A result as sync reads it: answers without scores; nothing may be left out of it."""
        read = read_result(self.schema, task["data"], result)
        assert not read.dropped, read.dropped
        return {answer_key(region) for region in read.regions}


def open_shop(
    house: House, api: StudioApi, title: str, config: str, rows: list[dict[str, Any]]
) -> Shop:
    """Make a project of these tasks, connect it, wait until Label Studio shows predictions."""
    number = create(api, title, config)
    add_tasks(api, number, rows)
    house.command("connect", str(number))
    said: list[str] = [""]
    assert wait_for_predictions(api, number, FIRST_S, lambda line: said.append(line)), said[-1]
    return Shop(number, config, api, house)


def open_task(
    page: Page, made: Shop, task: Mapping[str, Any], shows: Callable[[], bool] | None = None
) -> None:
    """Open a task; `shows`: whether the prediction it starts from is there.

    On a busy machine 1.23.2 now and then opens a task empty though it holds a prediction (cause not
    known; the page is Label Studio's own): then it is loaded again, and said so.
    """
    for attempt in range(1, LOADS + 1):
        page.goto(f"{made.api.url}/projects/{made.id}/data?task={task['id']}", wait_until="commit")
        page.wait_for_selector('button:has-text("Submit")')
        try:
            wait(shows or (lambda: True), "the prediction is not shown", 20.0)
            return
        except AssertionError:
            if attempt == LOADS:
                raise
            print(f"task {task['id']} opened without its prediction (load {attempt})")


def text_of(page: Page, where: str) -> str:
    """What stands there now; nothing where there is no such place, without waiting for one."""
    return "\n".join(page.locator(where).all_inner_texts())


def chosen(page: Page) -> list[str]:
    """The labels of Choices controls that are ticked, looked at all at once: between two looks
    the page may be drawn anew."""
    ticked = "boxes => boxes.filter(box => box.checked).map(box => box.name)"
    found: list[str] = page.eval_on_selector_all(".lsf-choice input[type=checkbox]", ticked)
    return found


def choose(page: Page, label: str) -> None:
    """Tick a label of a Choices control, and wait until the editor has taken it in."""
    page.click(f'label:has(input[name="{label}"])')
    ticked = "name => document.querySelector(`.lsf-choice input[name='${name}']`).checked"
    page.wait_for_function(ticked, arg=label)


def mark(page: Page, label: str, words: str, root: str = TEXT) -> None:
    """Take a label and draw it over these words with the mouse; `root`: where the text stands."""
    before = highlights(page)
    page.locator(".lsf-label", has_text=label).first.click()
    frame, left, top = page.main_frame, 0.0, 0.0
    inner = page.query_selector("iframe[class*=richtext]")
    if inner is not None:
        inside, box = inner.content_frame(), inner.bounding_box()
        assert inside is not None and box is not None
        frame, left, top, root = inside, box["x"], box["y"], "body"
    place = frame.evaluate(WHERE, [words, root])
    assert place, f"the editor shows no {words!r}"
    page.mouse.move(left + place[0], top + place[1])
    page.mouse.down()
    page.mouse.move(left + place[2], top + place[3], steps=6)
    page.mouse.up()
    wait(lambda: len(highlights(page)) > len(before), f"{words!r} was not marked")
    page.keyboard.press("Escape")


def highlights(page: Page) -> list[str]:
    """The marked pieces of text that the editor shows, wherever they are."""
    words = "marks => marks.map(mark => mark.innerText.trim())"
    return [
        str(found)
        for frame in page.frames
        for found in frame.eval_on_selector_all(".htx-highlight", words)
    ]


def wait(true: Callable[[], bool], otherwise: str, seconds: float = 30.0) -> None:
    """Wait until something holds; a slow machine gets its time, a wrong one its sentence.

    What cannot be looked at because the page is being drawn anew does not hold yet.
    """
    deadline = time.monotonic() + seconds
    while not _holds(true):
        assert time.monotonic() < deadline, f"after {seconds:g} s: {otherwise}"
        time.sleep(0.1)


def _holds(true: Callable[[], bool]) -> bool:
    try:
        return true()
    except PlaywrightError as error:
        if any(word in error.message for word in ("detached", "destroyed", "not attached")):
            return False
        raise


def submit(page: Page) -> dict[str, Any]:
    with page.expect_response(
        lambda r: r.request.method == "POST" and "/annotations" in r.url
    ) as reply:
        page.click('button:has-text("Submit")')
    answer: dict[str, Any] = reply.value.json()
    return answer


def in_the_log(
    house: House, project: int, annotation: int, timeout_s: float = 60
) -> SeenAnnotation:
    """What sync's log holds of this annotation, once it is there."""
    log = Log(house.settings.log_url)
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            for found in log.current_annotations(str(project)):
                if found.id == annotation:
                    return found
            assert time.monotonic() < deadline, f"annotation {annotation} is not in the log"
            time.sleep(0.3)
    finally:
        log.close()


def picture(page: Page, name: str) -> None:
    """Save what the page shows, where ANNOTUNE_SCREENSHOTS names a folder (docs/images)."""
    folder = os.environ.get("ANNOTUNE_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(1000)
        page.screenshot(path=Path(folder) / f"{name}.png")
