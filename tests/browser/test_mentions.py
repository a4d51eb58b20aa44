"""In the real editor: a span just drawn is answered with its other mentions, beside what stands."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from label_config import Span
from sync.start.api import StudioApi
from sync.start.house import House
from tests.browser.editor import (
    Shop,
    highlights,
    in_the_log,
    mark,
    open_task,
    picture,
    submit,
    wait,
)
from tests.browser.test_kinds import keys, shop

pytestmark = pytest.mark.real

CONFIG = """<View>
  <Labels name="parts" toName="note"><Label value="Person"/><Label value="Thing"/></Labels>
  <Text name="note" value="$note"/>
</View>"""


def every(made: Shop, text: str, words: str, label: str) -> list[Span]:
    """Each place where the words stand."""
    places = [i for i in range(len(text)) if text.startswith(words, i)]
    return [Span("parts", "note", i, i + len(words), words, (label,)) for i in places]


def test_all_mentions_are_taken_over_beside_a_prediction_and_earlier_mentions(
    page: Page, house: House, studio_api: StudioApi
) -> None:
    def row(thing: str) -> dict[str, str]:
        return {"note": f"Anna gave Omar a {thing}. Omar thanked Anna, and Anna left Omar."}

    made = shop(house, studio_api, "mentions", CONFIG, row)
    task = made.seen_task()
    text = str(task["data"]["note"])
    thing = text.split(" a ")[1].split(".")[0]
    predicted = every(made, text, thing, "Thing")
    made.predict(task, *predicted)
    page.evaluate("localStorage.setItem('autoAnnotation', 'true')")
    open_task(page, made, task, lambda: highlights(page) == [thing])
    mark(page, "Person", "Anna")
    wait(lambda: len(highlights(page)) == 1 + 3, "not every Anna is highlighted")
    mark(page, "Person", "Omar")
    wait(lambda: len(highlights(page)) == 1 + 3 + 3, "not every Omar is highlighted")
    picture(page, "mentions")
    kept = in_the_log(house, made.id, submit(page)["id"])
    people = [*every(made, text, "Anna", "Person"), *every(made, text, "Omar", "Person")]
    assert made.read(task, kept.result) == keys(*predicted, *people)
    assert len(kept.result) == 7
