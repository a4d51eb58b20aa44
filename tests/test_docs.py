"""The docs say only what works: their commands are parsed, their links and pictures are there."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from sync.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s]+)\)")
OURS = ("annotune", "make")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def lines(page: Path) -> Iterator[str]:
    """The shell lines of a page; one that ends in a backslash goes on in the next."""
    for kind, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if kind in {"sh", "bash"}:
            yield from block.replace("\\\n", " ").splitlines()


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each command of ours, up to where the shell goes on with another."""
    for line in lines(page):
        for part in re.split(r"&&|[|;]", re.sub(r"(^|\s)#.*", "", line)):
            words = shlex.split(re.sub(r"[<>].*", "", part))
            if words[:3] == [".venv/bin/python", "-m", "sync.cli"]:
                words[:3] = ["annotune"]
            if words and words[0] in OURS:
                yield words


ALL = [(name(page), words) for page in PAGES for words in commands(page)]


def parse(words: list[str]) -> None:
    """As click would parse it; files that a page names need not be there."""
    _, rest, _ = main.make_parser(click.Context(main)).parse_args(list(words))
    command = main.commands[rest[0]]
    command.make_context(rest[0], rest[1:])


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Path, "convert", lambda _self, value, *_: value)


def test_there_is_something_to_look_at() -> None:
    assert len([words for _, words in ALL if words[0] == "annotune"]) > 12
    assert {page for page, _ in ALL} > {"README.md", "docs/operations.md"}


@pytest.mark.usefixtures("no_files")
@pytest.mark.parametrize(
    ("page", "words"), [one for one in ALL if one[1][0] == "annotune"], ids=lambda v: str(v)[:60]
)
def test_the_command_line_knows_each_command_of_the_docs(page: str, words: list[str]) -> None:
    parse(words[1:])


@pytest.mark.usefixtures("no_files")
@pytest.mark.parametrize(
    "wrong", [["statsu"], ["status", "--jsn"], ["logs", "-n", "many"], ["compare", "7"], ["show"]]
)
def test_a_command_that_is_none_would_be_seen(wrong: list[str]) -> None:
    with pytest.raises((click.UsageError, KeyError)):
        parse(wrong)


def test_make_knows_each_target_of_the_docs() -> None:
    """Printed, not run; `make` names a target that it does not know."""
    for page, words in ALL:
        if words[0] == "make":
            done = subprocess.run(
                ["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{page}: {shlex.join(words)}: {done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_command_that_a_sentence_names_exists(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for said in re.findall(r"`annotune ((?:--env-file \S+ )?[a-z][\w-]*)", text):
        assert said.split()[-1] in main.commands, f"{name(page)}: annotune {said}"
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for said in re.findall(r"`make ([a-z][\w-]*)`", text):
        known = re.search(rf"^[\w .-]*\b{said}\b[\w .-]*:", targets, re.MULTILINE)
        assert known or said.startswith("bench-"), f"{name(page)}: make {said}"


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    seen: dict[str, int] = {}
    found: set[str] = set()
    for heading in re.findall(
        r"^#{1,6} +(.+?)\s*$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE
    ):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = seen[slug] = seen.get(slug, -1) + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Files, folders, pictures and headings of this repository; addresses are left alone."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    wrong: list[Any] = []
    for link in LINK.findall(text):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            wrong.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(target):
            wrong.append(f"{link}: no such heading")
    assert not wrong, f"{name(page)}: {wrong}"


def test_each_picture_is_shown_somewhere() -> None:
    shown = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in LINK.findall(page.read_text(encoding="utf-8"))
    }
    assert {p for p in (ROOT / "docs" / "images").iterdir() if p not in shown} == set()
