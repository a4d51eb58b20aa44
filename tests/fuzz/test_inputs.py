"""What people type: forms and addresses of the operators' page, words of the command line, a
settings file. Refused with a reason, never with a traceback; what is shown is never markup."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import pytest
from click.testing import CliRunner

from lora.store import Store
from sync import bootstrap
from sync.cli import main
from sync.log import Log
from sync.loop import World
from sync.receiver import SECRET_HEADER
from tests.fuzz.held import no_traceback
from tests.fuzz.mutate import MARKUP, draw, text
from tests.fuzz.running import fuzz
from tests.sync.fake_studio import FakeStudio
from tests.sync.house import CONFIG, FakeJobs
from tests.sync.page.made import page_house, past, signed_in, token

PATHS = [
    *("/", "/live", "/settings", "/login", "/logout", "/static/page.css", "/static/../door.py"),
    *("/project/1", "/project/1/live", "/project/1/settings", "/project/1/rollback"),
    *("/project/1/version/{v}", "/project/1/diff", "/project/1/promote", "/project/1/train"),
    *("/project/{x}", "/project/{x}/live", "/project/1/version/{x}", "/project/1/{x}", "/{x}"),
    *("/project/{x}/rollback", "/health", "/metrics", "/webhook"),
]
DEEDS = [
    *("/login", "/logout", "/webhook", "/settings", "/project/1/settings", "/project/1/{x}"),
    *("/project/1/promote", "/project/1/rollback", "/project/1/train", "/project/{x}/promote"),
]
MACHINES = {"/health", "/metrics", "/webhook"}
FIELDS = ("version", "why", "name", "serving", "csrf", "before", "after", "next", "password")
TOLD = {200, 201, 303, 308, 400, 401, 403, 404, 405, 413, 415}


def in_path(word: str, safe: str = "") -> str:
    """As a browser sends it; no address holds half a character as it is."""
    return quote(word.encode("utf-8", "surrogatepass"), safe=safe)


def test_the_page_is_asked_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with page_house(tmp_path) as house:
        past(house, monkeypatch, rounds=1)
        client = signed_in(house)
        csrf = token(client.get("/project/1").text)
        routes = client.application.url_map.bind("localhost")
        secret = {SECRET_HEADER: house.world.settings.sync.secret}
        store = house.world.store.project("1")
        known = [m.version for m in store.versions()]  # the page makes none

        def words(rng: random.Random) -> str:
            return rng.choice([*known, *known, "", "1", "none", text(rng)[:200], text(rng)])

        def case(number: int) -> str:
            rng = draw("page", number)
            odd = in_path(text(rng)[:60], safe=rng.choice(["", "/"]))
            path = rng.choice(rng.choice([PATHS, DEEDS])).format(v=in_path(words(rng)[:60]), x=odd)
            form: dict[str, Any] = {f: words(rng).encode("utf-8", "surrogatepass") for f in FIELDS}
            form |= {"csrf": csrf, "name": "Ada Ops"} if rng.random() < 0.8 else {}
            form["serving"] = store.current().version or "" if rng.random() < 0.7 else "x"
            deed = routes.test(path, method="POST")  # else it ends at the door
            asked = rng.choice(["GET", "POST", "POST", "POST"] if deed else ["GET"] * 19 + ["POST"])
            if path == "/logout" and asked == "POST":
                del form["csrf"]
            sent = {"data": form} if asked == "POST" else {"query_string": form}
            headers = secret if path in MACHINES and rng.random() < 0.9 else {}
            with closing(client.open(path, method=asked, headers=headers, **sent)) as answer:
                status, said = answer.status_code, answer.text
            assert status in TOLD, (asked, path, status, said[:300])
            no_traceback(said)
            assert MARKUP not in said, "markup that somebody typed"
            return f"{asked} {status}"

        said = fuzz("page", 60, case).said
        assert {"GET 200", "POST 303"} <= set(said)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with project 1 and a version; neighbours are fakes, log and store are real."""
    before, folder = dict(os.environ), tmp_path / "home"
    folder.mkdir()
    log = Log(f"sqlite:///{folder / 'log.db'}")
    log.connect("1", "fake")
    log.close()
    studio = FakeStudio(CONFIG)

    def build(settings: Any) -> World:
        client = bootstrap.BackendClient("http://127.0.0.1:9", "", "")
        own = Log(settings.log_url), studio, FakeJobs(), client
        return World(settings, Store(settings.store), *own)  # type: ignore[arg-type]

    monkeypatch.setattr(bootstrap, "build", build)
    yield folder
    os.environ.clear()
    os.environ.update(before)


COMMANDS = {
    "status": 1,
    "train": 1,
    "check": 1,
    "templates": 1,
    "versions": 1,
    "show": 2,
    "diff": 3,
    "promote": 2,
    "rollback": 2,
    "audit": 1,
    "people": 1,
    "curve": 1,
    "augment": 1,
    "prompt": 2,
    "forget": 1,
    "export": 1,
    "logs": 0,
    "replay": 1,
    "nonsense": 1,
}
"""Commands that end by themselves, and how many words each takes."""
OPTIONS = [
    *("--json", "--help", "--why=%", "--as=%", "--task=%", "--annotation=%", "--annotator=%"),
    *("--project=%", "--project=1", "--out=%", "--merged", "--process=%", "--lines=%", "-n%"),
    *("--dry-run", "--seeds=%", "--cells=%", "--%", "--bases=%"),
]
WATCH = {"--watch", "--follow"}  # these never end
LINES = ["ANNOTUNE_%=%", "ANNOTUNE_TRAIN_EVERY=%", "ANNOTUNE_BACKEND_URL=%", "%", "#%", "A=%", "=%"]


def options_of(command: str) -> list[str]:
    """The options that a command has, `%` where a word goes; any where there is no such command."""
    known = main.commands.get(command)
    if known is None:
        return OPTIONS
    own = [p for p in known.params if isinstance(p, click.Option) and not WATCH & set(p.opts)]
    return [p.opts[-1] if p.is_flag else f"{p.opts[-1]}=%" for p in own]


def test_the_command_line_is_told_anything(home: Path) -> None:
    base = {k: v for k, v in os.environ.items() if not k.startswith("ANNOTUNE_")}
    base |= {"ANNOTUNE_HOME": str(home), "ANNOTUNE_BACKEND_URL": "http://127.0.0.1:9"}
    base |= {"ANNOTUNE_STUDIO_TOKEN": "x", "ANNOTUNE_SYNC_SECRET": "x"}
    config, env = home / "config.xml", home / "settings.env"
    config.write_text(CONFIG, encoding="utf-8")

    def word(rng: random.Random) -> str:
        known = [*["1"] * 8, "v1-0a1b2c3d", str(config), "2", "-1", "9" * 30, "", "."]
        raw = text(rng)[:80].replace("\0", "").encode("utf-8", "surrogatepass")
        return rng.choice([*known, os.fsdecode(raw)])  # as a shell hands odd bytes on

    def case(number: int) -> str:
        rng = draw("cli", number)
        os.environ.clear()
        os.environ.update(base)
        name = rng.choice(list(COMMANDS))
        count = max(0, COMMANDS[name] + rng.choice([0, 0, 0, 0, -1, 1]))
        words = [word(rng) for _ in range(count)]
        own = options_of(name) if rng.random() < 0.8 else OPTIONS
        taken = rng.sample(own, min(len(own), rng.choice([0, 1, 1, 3])))
        options = [option.replace("%", word(rng), 1) for option in taken]
        before = []
        if rng.random() < 0.2:
            lines = [rng.choice(LINES).replace("%", word(rng)) for _ in range(rng.choice([1, 3]))]
            env.write_bytes(os.fsencode("\n".join(lines)))
            before = ["--env-file", str(env)]
        said = CliRunner().invoke(main, [*before, name, *words, *options])
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        assert 0 <= said.exit_code <= 5, said.exit_code
        no_traceback(said.output)
        return f"exit {said.exit_code}"

    here = Path.cwd()
    inside = home / "here"  # what --out=% makes is made in here
    inside.mkdir()
    os.chdir(inside)
    try:
        said = fuzz("cli", 40, case).said
    finally:
        os.chdir(here)
        shutil.rmtree(inside)
    assert {"exit 0", "exit 2", "exit 4"} <= set(said)
