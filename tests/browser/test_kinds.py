"""Every kind of answer in the real editor: shown as we write it, and read back as it was given."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from label_config import Choice, Quantity, Region, Span, answer_key
from label_config.wire import task_texts, write_result
from sync.start.api import StudioApi
from sync.start.house import House
from tests.browser.editor import (
    DIALOGUE,
    Shop,
    choose,
    chosen,
    highlights,
    in_the_log,
    mark,
    open_shop,
    open_task,
    picture,
    submit,
    wait,
)

pytestmark = pytest.mark.real

TALK = """<View>
  <Paragraphs name="talk" value="$talk" layout="dialogue"/>
  <Choices name="mood" toName="talk" choice="single" showInline="true">
    <Choice value="Complaint"/><Choice value="Question"/><Choice value="Praise"/>
  </Choices>
  <ParagraphLabels name="parts" toName="talk">
    <Label value="Product"/><Label value="Promise"/>
  </ParagraphLabels>
</View>"""
REVIEW = """<View>
  <Labels name="parts" toName="review"><Label value="Product"/><Label value="Defect"/></Labels>
  <Text name="review" value="$review"/>
  <Choices name="topics" toName="review" choice="multiple" showInline="true">
    <Choice value="Delivery"/><Choice value="Damage"/><Choice value="Price"/>
  </Choices>
  <Rating name="stars" toName="review" maxRating="5"/>
  <Number name="days" toName="review" min="0"/>
  <Choices name="remedy" toName="review" choice="single" showInline="true"
    visibleWhen="choice-selected" whenTagName="topics" whenChoiceValue="Damage">
    <Choice value="Refund"/><Choice value="Replacement"/>
  </Choices>
</View>"""
PLACE = """<View>
  <Text name="note" value="$note"/>
  <Taxonomy name="where" toName="note" leafsOnly="true" maxUsages="1">
    <Choice value="Kitchen"><Choice value="Oven"/><Choice value="Sink"/></Choice>
    <Choice value="Garden"><Choice value="Shed"/><Choice value="Pond"/></Choice>
  </Taxonomy>
</View>"""
PAGE = """<View>
  <HyperText name="page" value="$page"/>
  <HyperTextLabels name="parts" toName="page">
    <Label value="Product"/><Label value="Promise"/>
  </HyperTextLabels>
</View>"""
PAIR = """<View>
  <Text name="first" value="$first"/><Text name="second" value="$second"/>
  <Pairwise name="better" toName="first,second"/>
</View>"""
TREE = '[class*=taxonomy]:has-text("Oven")'
MODEL = "\N{MATHEMATICAL DOUBLE-STRUCK CAPITAL K}\N{MATHEMATICAL DOUBLE-STRUCK DIGIT SEVEN}"
"""Two characters that are two UTF-16 units each: offsets after them differ by how one counts."""
THINGS = ("kettle", "toaster", "garden lamp", "wool rug", "bicycle pump", "bread knife")


def shop(house: House, api: StudioApi, title: str, config: str, row: Any) -> Shop:
    rows = [{"data": row(thing)} for thing in THINGS]
    return open_shop(house, api, title, config, rows)


def span(made: Shop, task: dict[str, Any], key: str, words: str, label: str) -> Span:
    text = task_texts(made.schema, task["data"]).by_key[key]
    start = text.index(words)
    return Span("parts", key, start, start + len(words), words, (label,))


def keys(*regions: Region) -> set[tuple[object, ...]]:
    return {answer_key(region) for region in regions}


def test_a_dialogue_shows_spans_in_their_turns_and_gives_them_back(
    page: Page, house: House, studio_api: StudioApi
) -> None:
    def row(thing: str) -> dict[str, Any]:
        said = [
            ("Agent", "Good morning, how can I help?"),
            ("Mia", f"My {MODEL} {thing} arrived broken, I want a new {thing}."),
            ("Agent", f"I will send you a new {thing} tomorrow, Mia."),
        ]
        return {"talk": [{"author": who, "text": text} for who, text in said]}

    made = shop(house, studio_api, "a dialogue", TALK, row)
    task = made.seen_task()
    predicted = made.read(task, task["predictions"][-1]["result"])
    assert any(key[0] == "mood" for key in predicted), "the cold start knows label names"
    thing = str(task["data"]["talk"][2]["text"]).split(" new ")[1].split(" tomorrow")[0]
    shown = (
        Choice("mood", "talk", ("Complaint",)),
        span(made, task, "talk", f"{thing} arrived", "Product"),
        span(made, task, "talk", f"a new {thing} tomorrow", "Promise"),
    )
    made.predict(task, *shown)
    open_task(page, made, task, lambda: bool(highlights(page) and chosen(page)))
    for turn, words in ((1, f"{thing} arrived"), (2, f"a new {thing} tomorrow")):
        inside = page.query_selector_all(f'[data-testid="phrase:{turn}"] .htx-highlight')
        assert [m.inner_text().strip() for m in inside] == [words]
    assert chosen(page) == ["Complaint"]
    mark(page, "Promise", "how can I help", DIALOGUE)
    mark(page, "Product", f"a new {thing}.", DIALOGUE)
    picture(page, "dialogue")
    kept = in_the_log(house, made.id, submit(page)["id"])
    drawn = [
        span(made, task, "talk", "how can I help", "Promise"),
        span(made, task, "talk", f"a new {thing}.", "Product"),
    ]
    assert made.read(task, kept.result) == keys(*shown, *drawn)


def test_several_controls_are_answered_together_and_a_hidden_one_appears(
    page: Page, house: House, studio_api: StudioApi
) -> None:
    def row(thing: str) -> dict[str, Any]:
        return {"review": f"{MODEL}: the {thing} came two days late and its box was torn."}

    made = shop(house, studio_api, "several controls", REVIEW, row)
    task = made.seen_task()
    made.predict(
        task,
        Choice("topics", "review", ("Delivery",)),
        Choice("stars", "review", ("3",)),
        Quantity("days", "review", 2.0),
        span(made, task, "review", "two days late", "Defect"),
    )
    open_task(page, made, task, lambda: bool(highlights(page) and chosen(page)))
    assert (chosen(page), highlights(page)) == (["Delivery"], ["two days late"])
    assert page.input_value("input[type=number]") == "2"
    assert not page.is_visible('label:has(input[name="Refund"])'), "no damage, no remedy"
    choose(page, "Damage")
    choose(page, "Refund")
    mark(page, "Product", "its box")
    page.locator('.ant-rate [role="radio"]').nth(1).click()
    picture(page, "several-controls")
    kept = in_the_log(house, made.id, submit(page)["id"])
    assert made.read(task, kept.result) == keys(
        Choice("topics", "review", ("Delivery", "Damage")),
        Choice("stars", "review", ("2",)),
        Choice("remedy", "review", ("Refund",)),
        Quantity("days", "review", 2.0),
        span(made, task, "review", "two days late", "Defect"),
        span(made, task, "review", "its box", "Product"),
    )


def test_a_place_in_a_tree_is_shown_changed_and_read_as_its_path(
    page: Page, house: House, studio_api: StudioApi
) -> None:
    def row(thing: str) -> dict[str, Any]:
        return {"note": f"Somebody left the {thing} in the water beside the reeds."}

    made = shop(house, studio_api, "a tree", PLACE, row)
    task = made.seen_task()
    (predicted,) = made.read(task, task["predictions"][-1]["result"])
    assert predicted[0] == "where", "the cold start knows the tree's names"
    made.predict(task, Choice("where", "note", ("Kitchen / Oven",)))
    open_task(page, made, task, lambda: page.is_visible(TREE))
    page.click('.ant-select-selection-item:has-text("Oven") .ant-select-selection-item-remove')
    page.wait_for_selector('.ant-select-selection-item:has-text("Oven")', state="detached")
    page.click(".ant-select-selector")
    page.click('.ant-select-tree-treenode:has([title="Garden"]) .ant-select-tree-switcher')
    page.click('.ant-select-tree-treenode:has([title="Pond"]) .ant-select-tree-checkbox')
    page.wait_for_selector('.ant-select-selection-item:has-text("Pond")')
    picture(page, "taxonomy")
    page.keyboard.press("Escape")
    kept = in_the_log(house, made.id, submit(page)["id"])
    assert made.read(task, kept.result) == keys(Choice("where", "note", ("Garden / Pond",)))


def test_html_shows_a_span_where_its_words_stand_and_reads_what_is_drawn(
    page: Page, house: House, studio_api: StudioApi
) -> None:
    def row(thing: str) -> dict[str, Any]:
        html = (
            f"<h1>Order &amp; return {MODEL}</h1><p>My <b>{thing}</b> leaks,<br/>I   want\n"
            f" a <i>new</i> one.</p><ul><li>We send you a {thing}</li></ul>"
        )
        return {"page": html}

    made = shop(house, studio_api, "a page", PAGE, row)
    task = made.seen_task()
    thing = str(task["data"]["page"]).split("<b>")[1].split("</b>")[0]
    shown = span(made, task, "page", f"{thing} leaks", "Product")
    made.predict(task, shown)
    leaks = f"{thing}leaks"
    open_task(page, made, task, lambda: "".join(highlights(page)).replace(" ", "") == leaks)
    mark(page, "Promise", f"send you a {thing}")
    picture(page, "html")
    result = submit(page)
    kept = in_the_log(house, made.id, result["id"])
    drawn = span(made, task, "page", f"send you a {thing}", "Promise")
    assert made.read(task, kept.result) == keys(shown, drawn)
    written = write_result(made.schema, task["id"], (shown, drawn), task["data"])
    assert [r["value"] for r in result["result"]] == [r["value"] for r in written]


def looks(page: Page, text: str) -> str:
    """How one of two compared texts is drawn: colours of what is around it."""
    return str(
        page.locator(".lsf-htx-richtext", has_text=text).evaluate(
            """shown => {
              const colours = [];
              for (let i = 0, at = shown.parentElement; i < 3; i++, at = at.parentElement) {
                const style = getComputedStyle(at);
                colours.push(style.backgroundColor, style.borderTopColor);
              }
              return colours.join(" ");
            }"""
        )
    )


def test_the_better_of_two_texts_is_shown_and_changed(
    page: Page, house: House, studio_api: StudioApi
) -> None:
    def row(thing: str) -> dict[str, Any]:
        return {"first": f"Your {thing} is on its way.", "second": f"No {thing} today."}

    made = shop(house, studio_api, "a pair", PAIR, row)
    task = made.seen_task()
    made.predict(task, Choice("better", "first", ("left",)))
    first, second = str(task["data"]["first"]), str(task["data"]["second"])
    open_task(page, made, task, lambda: looks(page, first) != looks(page, second))
    better, worse = looks(page, first), looks(page, second)
    page.locator(".lsf-htx-richtext", has_text=second).click()
    page.mouse.move(5, 5)
    wait(lambda: (looks(page, first), looks(page, second)) == (worse, better), "left stays better")
    picture(page, "pair")
    kept = in_the_log(house, made.id, submit(page)["id"])
    assert made.read(task, kept.result) == keys(Choice("better", "first", ("right",)))
