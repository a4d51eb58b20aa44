"""A text that the model writes: shown in the real editor, changed by a person, kept by the log."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from label_config import Written
from sync.start.api import StudioApi
from sync.start.house import House
from tests.browser.editor import in_the_log, open_shop, open_task, picture, submit, text_of, wait
from tests.browser.test_kinds import THINGS, keys

pytestmark = pytest.mark.real

REPLY = """<View annotune-base="smollm">
  <Text name="letter" value="$letter"/>
  <TextArea name="reply" toName="letter" rows="3" editable="true" maxSubmissions="1"/>
</View>"""
SHOWN = '[data-testid="textarea-regions"]'


def test_a_text_is_written_shown_changed_and_kept(
    page: Page, house: House, studio_api: StudioApi
) -> None:
    rows = [{"data": {"letter": f"My {thing} came broken. What can I do?"}} for thing in THINGS]
    made = open_shop(house, studio_api, "a reply", REPLY, rows)
    task = made.seen_task()
    ((name, _, written),) = made.read(task, task["predictions"][-1]["result"])
    assert name == "reply" and str(written).strip(), "the cold start of a causal base writes"
    first = str(written).split()[0]
    open_task(page, made, task, lambda: first in text_of(page, SHOWN))
    picture(page, "textarea")
    page.click(f"{SHOWN} [aria-label='Edit Region']")
    page.locator(f"{SHOWN} textarea").fill("We send you a new one.")
    page.locator(f"{SHOWN} button").last.click()
    wait(lambda: "a new one" in text_of(page, SHOWN), "the change is not shown")
    kept = in_the_log(house, made.id, submit(page)["id"])
    assert made.read(task, kept.result) == keys(
        Written("reply", "letter", "We send you a new one.")
    )
