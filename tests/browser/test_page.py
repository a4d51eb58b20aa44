"""The operators' page in a real browser: every action, both themes, a phone, and no reload.

Its server is the real one (waitress), its neighbours are fakes: a project with a past of seven
rounds. ANNOTUNE_SCREENSHOTS=docs/images renews the pictures in the docs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

import listening
from lora.marks import Waiting
from lora.progress import Progress
from lora.store import ProjectStore
from sync.receiver import LARGEST, Secret
from sync.trainings import log_of
from tests.browser.editor import picture, wait
from tests.served import served
from tests.sync.house import House
from tests.sync.page.made import PASSWORD, app_of, expanded, page_house, past

pytestmark = pytest.mark.real
WIDE, PHONE = {"width": 1280, "height": 1150}, {"width": 360, "height": 740}
PICTURES = {("wide", "light"): "page-project", ("wide", "dark"): "page-dark"}
PICTURES |= {("phone", "dark"): "page-phone"}
LIVE_MS = 30_000  # a change shows after some seconds; on a busy machine later


@dataclass
class Desk:
    """A running page, and the house behind it."""

    url: str
    house: House

    @property
    def store(self) -> ProjectStore:
        return self.house.world.store.project("1")


@contextmanager
def serving(house: House) -> Iterator[str]:
    down = "Label Studio does not answer (ConnectError)"
    health = {"1": {"ok_at": time.time()}, "2": {"problem": down, "ok_at": time.time() - 900}}
    server = listening.make_server(
        app_of(house, health),
        "127.0.0.1",
        0,
        threads=4,
        max_body=LARGEST,
        allows=Secret("s3cret").is_in,
    )
    with served(server) as url:
        yield url


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with (
        pytest.MonkeyPatch.context() as patch,
        page_house(tmp_path_factory.mktemp("page")) as house,
    ):
        past(house, patch)
        expanded(house)
        house.world.log.connect("2", "Contract clauses")
        house.world.log.connect("3", "Clinical entities, second reading")
        patch.undo()
        house.jobs.queued.clear()
        with serving(house) as url:
            yield Desk(url, house)


Opened = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, desk: Desk) -> Iterator[Opened]:
    """A signed-in page; nothing but our server is reachable, and no script may complain."""
    contexts, wrong = [], list[str]()

    def open_(where: str = "/project/1", size: Any = WIDE, theme: Any = "light") -> Page:
        context = browser.new_context(viewport=size, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LIVE_MS)
        page.route(lambda url: not url.startswith(desk.url), lambda route: route.abort())
        page.on("requestfailed", lambda r: wrong.append(r.url) if desk.url not in r.url else None)
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.goto(desk.url + where)
        wrong.clear()  # the 401 that brings the sign-in form
        page.get_by_label("Your name").fill("Ada Ops")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(desk.url + where)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def fits(page: Page) -> bool:
    """Whether nothing sticks out sideways."""
    found: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("name", "size"), [("wide", WIDE), ("phone", PHONE)])
def test_every_page_fits_in_both_themes_and_on_a_phone(
    desk: Desk, opened: Opened, theme: str, name: str, size: dict[str, int]
) -> None:
    page = opened("/", size, theme)
    assert fits(page)
    version = desk.store.versions()[0].version
    for path in (f"/project/1/version/{version}", "/settings", "/project/1/rollback"):
        page.goto(desk.url + path)
        assert fits(page), path
    page.goto(f"{desk.url}/project/1")
    page.wait_for_selector("#chart-curve canvas")
    assert fits(page) and page.locator("canvas").count() == 2
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 26)"
    assert dark is (theme == "dark")
    if (name, theme) in PICTURES:
        picture(page, PICTURES[name, theme])


def test_the_switch_overrules_the_system_and_lasts(desk: Desk, opened: Opened) -> None:
    page = opened("/", {"width": 1280, "height": 720}, "light")
    picture(page, "page-overview")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    button = page.locator("#theme")
    assert button.text_content() == "Auto"
    button.click()
    assert page.evaluate(colour) == light
    button.click()
    assert button.text_content() == "Dark" and page.evaluate(colour) != light
    page.goto(f"{desk.url}/project/1")
    assert page.evaluate(colour) == "rgb(16, 20, 26)"


def test_all_of_it_is_reached_by_keyboard(opened: Opened) -> None:
    page = opened()
    seen: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        )
    assert seen[0] == "Skip to the content"
    assert {"theme", "train-name", "train-now", "go-rollback", "As a table", "compare"} <= set(seen)
    page.locator("#curve-table summary").focus()
    page.keyboard.press("Enter")
    rows = page.get_by_role("table", name="Rounds, judged on blind answers").get_by_role("row")
    assert rows.count() == 8
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    for name in ("Learning curve", "Correction rate", "Versions", "Labels", "Who did what"):
        assert page.get_by_role("region", name=name).count() == 1, name
    assert page.get_by_role("main").count() == page.get_by_role("banner").count() == 1


def test_it_goes_on_by_itself_and_takes_nothing_away(desk: Desk, opened: Opened) -> None:
    page = opened()
    page.evaluate("window.still = 1")
    page.locator("#curve-table summary").click()
    field = page.locator("#train-name")
    field.fill("Grace, half typ")
    with desk.store.training():
        progress = Progress(desk.store.folder, "f" * 64)
        progress.stage("fit")
        progress.step(40, 120, 0.25)
        page.get_by_text("In training:").wait_for()
        page.get_by_text("40 of 120 steps").wait_for()
        progress.step(120, 120, 0.1)
        page.get_by_text("120 of 120 steps").wait_for()
    page.get_by_text("No training runs:").wait_for()
    assert page.evaluate("document.activeElement.id") == "train-name"
    assert field.input_value() == "Grace, half typ"
    assert page.locator("#curve-table").get_attribute("open") is not None
    assert page.evaluate("window.still") == 1 and page.locator("canvas").count() == 2


def test_the_log_of_the_training_is_read_while_it_grows(desk: Desk, opened: Opened) -> None:
    log = log_of(desk.house.world.settings.home, "1", "f" * 64)
    log.parent.mkdir(exist_ok=True)
    log.write_text("fitting on 120 rows\n")
    with desk.store.training():
        Progress(desk.store.folder, "f" * 64).stage("fit")
        page = opened(size=PHONE, theme="dark")
        shown = page.get_by_role("region", name="The training's log")
        assert not shown.is_visible()
        page.locator("#training-log summary").click()
        assert shown.inner_text() == "fitting on 120 rows"
        with log.open("a") as out:
            out.write("judging " + "long " * 60 + "\n")
        page.get_by_text("judging long").wait_for()
        assert shown.is_visible() and fits(page)
    log.unlink()


def test_every_action_is_done_and_signed(desk: Desk, opened: Opened) -> None:
    page, store = opened(), desk.store
    page.locator("#train-now").click()
    page.get_by_text("Asked for:").wait_for()
    asked = store.asked()
    assert asked and asked["by"] == "Ada Ops"
    kept_back = next(m.version for m in store.versions() if m.number == 5)
    page.get_by_role("link", name="v5", exact=True).click()
    page.get_by_label("Why").fill("its labels are the better ones")
    page.locator("#promote").click()
    page.get_by_text("v5 serves now, in the place of v7.").wait_for()
    page.get_by_text("v5 serving,").wait_for()
    assert store.current().version == kept_back and store.current().by == "Ada Ops"
    page.locator("#go-rollback").click()
    page.get_by_label("Serve instead").select_option(label="the cold start")
    page.locator("#to").select_option(index=0)
    page.locator("#rollback").click()
    page.get_by_text("v7 serves again; v5 was rolled back").wait_for()
    audit = page.get_by_role("region", name="Who did what")
    wait(lambda: "rolled back" in audit.inner_text(), "the audit log is not shown")
    assert "its labels are the better ones" in audit.inner_text()
    page.locator("#compare").click()
    page.get_by_role("heading", name="From v6 to v7").wait_for()
    page.get_by_role("link", name="Settings").click()
    page.get_by_text("ANNOTUNE_PAGE_PASSWORD").wait_for()
    assert PASSWORD not in page.content()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()


def test_a_person_lets_in_what_waits_for_one_by_name(desk: Desk, opened: Opened) -> None:
    """A regulated project's, whose gate said yes."""
    store = desk.store
    made = next(m for m in store.versions() if m.number == 2)
    wanted, serving, since = made.version, store.current().version, "2026-11-23T05:00:00+00:00"
    why = "it beats the cold start"
    store.wait_for_person(Waiting(wanted, serving, made.recipe.snapshot, why, since))
    page = opened()
    page.get_by_text("waits for a named person").first.wait_for()
    page.locator("#look-waiting").click()
    page.get_by_label("Your name").fill("Dr. Grace Hopper")
    page.get_by_label("Why").fill("read all of it")
    page.locator("#promote").click()
    page.get_by_text("v2 serves now").wait_for()
    assert (store.current().version, store.current().by) == (wanted, "Dr. Grace Hopper")
    assert page.get_by_text("waits for a named person").count() == 0 and store.waiting() is None


def test_it_works_without_scripts(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{desk.url}/project/1")
        page.get_by_label("Your name").fill("Ada Ops")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.locator("#train-now").click()
        page.get_by_text("Asked for:").wait_for()
        assert page.locator("#curve-table").count() == 1
        Path(desk.store.folder / "asked.json").unlink()
    finally:
        context.close()
