"""What an expert types beside an answer in the real editor becomes rows and guidance."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from label_config.templates import load_template
from label_config.wire import read_result
from sync.freeze import freeze
from sync.log import Log
from sync.start.api import StudioApi
from sync.start.house import House
from sync.terms import read_terms
from tests.browser.editor import (
    choose,
    chosen,
    in_the_log,
    open_shop,
    open_task,
    picture,
    submit,
    text_of,
    wait,
)
from tests.browser.test_kinds import THINGS

pytestmark = pytest.mark.real

SHOWN = '[data-testid="textarea-regions"]'
OTHERWISE = ("this thing is bust", "cannot switch it on any more")
MEANT = "said came broken, meant it never worked"


def say(page: Page, begins: str, text: str) -> None:
    """Type a text where the placeholder begins so, and have it taken in."""
    field = page.get_by_placeholder(begins)
    field.fill(text)
    field.press("Enter")
    wait(lambda: text in text_of(page, SHOWN), f"{text!r} is not shown")


def test_variants_and_context_are_typed_kept_and_frozen(
    page: Page, house: House, studio_api: StudioApi
) -> None:
    config = load_template("support-intents").config
    rows = [{"data": {"message": f"My {thing} came broken, please help."}} for thing in THINGS]
    made = open_shop(house, studio_api, "experts write", config, rows)
    assert {n.name for n in made.schema.notes} == {"otherwise", "because"}
    task = made.seen_task()
    open_task(page, made, task, lambda: bool(chosen(page)))
    if chosen(page) != ["Fault"]:
        choose(page, "Fault")
    for text in OTHERWISE:
        say(page, "Say it as another customer", text)
    say(page, "What the words do not say", MEANT)
    page.get_by_text(MEANT).scroll_into_view_if_needed()
    picture(page, "experts-write")
    kept = in_the_log(house, made.id, submit(page)["id"])
    read = read_result(made.schema, task["data"], kept.result)
    assert read.typed == {"otherwise": OTHERWISE, "because": (MEANT,)} and not read.dropped
    log = Log(house.settings.log_url)
    try:
        snapshot, report = freeze(log, str(made.id), read_terms(house.settings, made.config))
    finally:
        log.close()
    (parent, *variants) = snapshot.train
    assert parent.context == (MEANT,) and report.variants == 2
    assert tuple(e.texts["message"] for e in variants) == OTHERWISE
    assert all((e.answers, e.group) == (parent.answers, parent.group) for e in variants)
