"""Every command that reads speaks JSON to programs: of a project with a past, of one without."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sync import bootstrap
from sync.cli import main
from sync.log import Log
from sync.logs import log_file
from sync.loop import World
from tests.sync.house import House
from tests.sync.page.made import page_house, past


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("home")
    with page_house(home) as house, pytest.MonkeyPatch.context() as patch:
        past(house, patch, rounds=2)
        patch.undo()
        house.world.log.connect("2", "nothing came of it yet")
        for process in ("backend", "sync", "worker"):
            log_file(home, process).parent.mkdir(exist_ok=True)
            log_file(home, process).write_text('2026-01-01 10:00:00,000 INFO "quoted"\n')
        yield house


@pytest.fixture
def run(made: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A command on that house; it may change os.environ, and closes the log it was given."""
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith("ANNOTUNE_")]:
        monkeypatch.delenv(name)
    settings = made.world.settings
    monkeypatch.setenv("ANNOTUNE_HOME", str(settings.home))

    def build(_: object) -> World:
        return replace(made.world, log=Log(settings.log_url))

    monkeypatch.setattr(bootstrap, "build", build)
    yield lambda *words: CliRunner().invoke(main, words)
    os.environ.clear()
    os.environ.update(before)


def strict(done: Result) -> list[Any]:
    """Each line on stdout, as JSON; NaN and Infinity are none, though Python writes them."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in done.stdout.splitlines()]


READS = [
    "status",
    "status PROJECT",
    "versions PROJECT",
    "audit PROJECT",
    "people PROJECT",
    "curve PROJECT",
    "augment PROJECT",
    "check PROJECT",
    "logs",
    "templates",
    "templates support-intents",
]


@pytest.mark.parametrize("project", ["1", "2"])
@pytest.mark.parametrize("words", READS)
def test_a_reading_command_prints_json_and_nothing_else(run: Any, words: str, project: str) -> None:
    asked = words.replace("PROJECT", project).split()
    done = run(*asked, "--json")
    assert done.exit_code in {0, 4, 5}, done.output  # 4, 5: there is nothing to say yet
    told = strict(done)
    assert bool(told) == (done.exit_code == 0)
    assert told or project == "2" or words == "augment PROJECT"  # nothing was expanded
    if done.exit_code == 0:
        assert len(told) == (3 if words == "logs" else 1)
        assert isinstance(told[0], list) or told[0], "it says something"
        plain = run(*asked)
        assert plain.exit_code == 0 and plain.stdout != done.stdout


def test_what_versions_say_is_json_too(run: Any, made: House, tmp_path: Path) -> None:
    one, two = (m.version for m in made.world.store.project("1").versions()[:2])
    shown = strict(run("show", "1", one, "--json"))
    assert shown[0]["version"] == one
    assert strict(run("diff", "1", one, two, "--json"))
    config = tmp_path / "c.xml"
    config.write_text('<View><Text name="t" value="$t"/></View>')
    assert strict(run("check", str(config), "--json"))


def test_an_error_leaves_stdout_empty(run: Any) -> None:
    for words in ("status 9", "show 1 v99-00000000", "curve 9", "people 9"):
        done = run(*words.split(), "--json")
        assert (done.exit_code, done.stdout) == (4, ""), words
        assert done.stderr.startswith("Error: ")
