"""backup, backups and restore as people and programs run them; what `forget` says of backups."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from settings import Settings
from sync import bootstrap
from sync.cli import main
from tests.sync.backed_up import planted
from tests.sync.house import House

Run = Callable[..., Result]


@pytest.fixture
def run(house: House, ours: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Commands on the house's home; each opens the log anew, as a process would."""
    before = dict(os.environ)
    for name in ("ANNOTUNE_STUDIO_TOKEN", "ANNOTUNE_SYNC_SECRET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("ANNOTUNE_HOME", str(ours.home))
    monkeypatch.setattr(house.world.log, "close", lambda: None)
    monkeypatch.setattr(bootstrap, "build", lambda settings: house.world)
    yield lambda *args: CliRunner().invoke(main, args)
    os.environ.clear()
    os.environ.update(before)


def said(done: Result, code: int = 0) -> Any:
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_backup_forget_and_restore_by_command(
    run: Run, house: House, ours: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no backup in" in run("backups").stdout
    made = said(run("backup", "--json"))
    assert Path(made["file"]).exists() and made["removed"] == [] and made["expires"]
    task = planted(house)
    gone = said(run("forget", "1", "--task", str(task), "--json"))
    assert gone["backups"] == [{"file": made["file"], "expires": made["expires"]}]
    assert gone["backups_unread"] == gone["lists_not_updated"] == []
    (listed,) = said(run("backups", "--json"))["backups"]
    assert listed["holds_forgotten"] == [f"task {task} of project 1"]
    told = run("backups").stdout
    assert made["file"] in told and f"holds task {task} of project 1" in told

    assert run("restore", made["file"]).exit_code == 5, "there is a log and a store"
    monkeypatch.setenv("ANNOTUNE_HOME", str(ours.home / "new"))
    monkeypatch.setenv("ANNOTUNE_BACKUP_FOLDER", str(ours.backups))
    assert made["file"] in run("backups").stdout, "a wiped home finds them"
    done = said(run("restore", made["file"], "--as", "Anna", "--why", "a drill", "--json"))
    assert done["forgotten_again"] == [f"task {task} of project 1"]
    assert done["projects"]["1"]["serving"] == made["projects"]["1"]["serving"]


def test_forget_says_in_words_what_backups_hold_and_which_nobody_could_read(
    run: Run, house: House, ours: Settings
) -> None:
    made = said(run("backup", "--json"))
    name = Path(made["file"]).name[: len("annotune-") + 9]
    damaged = ours.backups / f"{name}20200101T000000000000Z.tar.gz"
    damaged.write_bytes(b"none")
    told = run("forget", "1", "--task", str(planted(house))).stdout
    assert f"{made['file']} holds it; the first backup after {made['expires'][:16]}Z" in told
    assert f"{damaged} cannot be read, so it may hold it" in told
    shutil.rmtree(ours.backups)
    (annotation,) = next(s.annotations for s in house.studio.tasks.values() if s.annotations)
    told = run("forget", "1", "--annotation", str(annotation.id)).stdout
    assert "no backup holds it" in told


def test_what_cannot_be_is_one_line_and_an_exit_code(run: Run, ours: Settings) -> None:
    broken = ours.home / "x.tar.gz"
    broken.write_bytes(b"none")
    done = run("restore", str(broken), "--replace")
    assert done.exit_code == 5 and str(broken) in done.stderr + done.output
    assert run("restore", str(ours.home / "nothing")).exit_code == 2
    assert run("--env-file", os.devnull, "backup", "--to", str(broken)).exit_code == 2
