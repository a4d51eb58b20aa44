"""What the tests marked `real` share: one Label Studio and one Redis for the whole session."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from sync.start.api import StudioApi
from sync.start.house import House, run_annotune
from sync.start.redis_server import RedisServer, start_redis
from sync.start.studio import Account, Studio, start_studio
from tests.postgres import Postgres, run_postgres

hypothesis.settings.register_profile(  # two busy cores may keep a test waiting for seconds
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"),
    *("--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
PAGES = pytest.StashKey[list[Page]]()


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real neighbours are shared, and so are their tests: one process runs them, one after another,
    while another runs the rest (`make test`)."""
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.xdist_group("neighbours"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the browser showed when a test failed goes into a picture, its path into the report."""
    report = yield
    if report.when == "call" and report.failed:
        for number, page in enumerate(item.stash.get(PAGES, [])):
            report.sections.append(("Browser", _keep(page, f"failed-{item.name}-{number}")))
    return report


def _keep(page: Page, name: str) -> str:
    folder = Path(os.environ.get("ANNOTUNE_SCREENSHOTS") or tempfile.gettempdir())
    path = folder / f"{re.sub(r'[^a-zA-Z0-9_.-]+', '-', name)}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=path, timeout=10_000)
    except (Error, OSError) as error:
        return f"no screenshot of {page.url}: {error}"
    return f"{page.url} looked like this: {path}"


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A real Label Studio with an empty database; `.url`, `.token`, `.account` (both tokens)."""
    running = start_studio(tmp_path_factory.mktemp("label-studio"), os.environ)
    yield running
    running.process.stop()


@pytest.fixture(scope="session")
def studio_api(studio: Studio) -> Iterator[StudioApi]:
    """A client signed in to the session's Label Studio."""
    with StudioApi(studio.url, studio.token) as api:
        yield api


@pytest.fixture(scope="session")
def house(
    tmp_path_factory: pytest.TempPathFactory, studio: Studio, redis_server: RedisServer
) -> Iterator[House]:
    """Backend, sync and worker running on the session's Label Studio and Redis.

    `house.command("connect", project)` runs our own command line. Tests that kill things start
    a house of their own with `sync.start.house.run_annotune`.
    """
    own = {"ANNOTUNE_QUEUE_NAME": "session", "ANNOTUNE_TRAIN_EVERY": "1000"}
    own["ANNOTUNE_TRAIN_BASES"] = "smollm"  # what a config may ask for beside the usual base
    folder = tmp_path_factory.mktemp("house")
    with run_annotune(folder, os.environ, studio, redis_server, own) as running:
        yield running


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis with a password; `.url` reaches it. Tests share it: use a queue of your own."""
    running = start_redis(tmp_path_factory.mktemp("redis"), os.environ)
    yield running
    running.process.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL with a password; `.log()` is the address of an empty log there."""
    with run_postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def log_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty log: a test that asks for it runs on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}"
    running: Postgres = request.getfixturevalue("postgres")
    return running.log()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser without a window."""
    program = next((p for p in map(shutil.which, CHROMIUM) if p), None)
    assert program, "no browser to drive; install one: apt-get install chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def sign_in(
    browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[[Account], Page]]:
    """Sign in to a Label Studio; nothing but that Label Studio is reachable from the page."""
    pages = request.node.stash.setdefault(PAGES, [])

    def signed_in(account: Account) -> Page:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        pages.append(page)
        page.set_default_timeout(60_000)
        page.route(lambda url: not url.startswith(account.url), lambda route: route.abort())
        page.goto(f"{account.url}/user/login/")
        page.fill("input[name=email]", account.email)
        page.fill("input[name=password]", account.password)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "login" not in url, wait_until="commit")
        return page

    yield signed_in
    for page in pages:
        page.close()
