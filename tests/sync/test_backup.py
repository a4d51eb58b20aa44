"""Backups: whole, without secrets, put back at once or not at all, and never with what was
forgotten since."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lora.store import Store
from settings import Settings
from sync import backups as backups_
from sync import restore as restore_
from sync.backups import Backups, BrokenBackup, NewerBackup
from sync.log import Log
from sync.operate import Impossible
from sync.restore import restore
from tests.sync.backed_up import OPS, TEXT, files, head_with, made_of, rewritten
from tests.sync.house import House


def test_a_backup_holds_all_that_lasts_and_comes_back_as_it_was(
    house: House, ours: Settings, elsewhere: Settings
) -> None:
    before = files(ours.store)
    kept = made_of(ours)
    assert kept.path.parent == ours.backups and kept.path.stat().st_mode & 0o777 == 0o600
    version = house.world.store.project("1").current().version
    assert kept.head.projects["1"]["serving"] == version
    done = restore(elsewhere, kept.path, OPS, "the disk died")
    assert files(elsewhere.store) == before == files(ours.store)
    assert done.aside is None and not list(elsewhere.home.glob(".backup-*"))
    log = Log(elsewhere.log_url)
    try:
        own = house.world.log
        assert log.current_annotations("1") == own.current_annotations("1")
        assert log.cursor("1") == own.cursor("1")
        entries = [(e.who, e.what, e.why) for e in log.audit("1")]
    finally:
        log.close()
    assert entries[-1] == ("Anna", "restored", "the disk died")
    assert [e[1] for e in entries[:-1]] == [e.what for e in own.audit("1")]


def test_no_token_or_password_is_in_it(ours: Settings) -> None:
    (ours.home / "annotune.env").write_text("ANNOTUNE_STUDIO_TOKEN=t0ken-of-ours")
    (ours.home / "logs").mkdir()
    (ours.home / "logs" / "sync.log").write_text("a line")
    raw = gzip.decompress(made_of(ours).path.read_bytes())
    for secret in (ours.backend.password, ours.sync.secret, "t0ken-of-ours", "a line"):
        assert secret.encode() not in raw
    assert TEXT.encode() in raw, "what it is for"


def test_it_is_one_moment_of_a_log_that_is_written_to(ours: Settings, elsewhere: Settings) -> None:
    """Two rows go in together, always; a copy with one of a pair would be torn."""
    stop, enough, pairs = threading.Event(), threading.Event(), 0
    path = ours.home / "log.db"

    def write() -> None:
        nonlocal pairs
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
            while not stop.is_set():
                db.execute("BEGIN IMMEDIATE")
                for half in ("a", "b"):
                    db.execute("INSERT INTO meta VALUES (?, 'x')", (f"{half}{pairs}",))
                db.execute("COMMIT")
                pairs += 1
                enough.set() if pairs == 20 else stop.wait(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert enough.wait(60)
        before = pairs
        kept = made_of(ours)
        after = pairs
    finally:
        stop.set()
        writer.join()
    restore(elsewhere, kept.path, OPS)
    with closing(sqlite3.connect(elsewhere.home / "log.db")) as db:
        named = {k for (k,) in db.execute("SELECT key FROM meta WHERE key != 'schema_version'")}
    assert {k[1:] for k in named if k[0] == "a"} == {k[1:] for k in named if k[0] == "b"}
    assert before <= len(named) // 2 <= after + 1 and after > before, "writers never waited"


def test_a_home_that_holds_something_or_is_in_use_is_left_alone(
    house: House, ours: Settings, elsewhere: Settings
) -> None:
    path = made_of(ours).path
    before = files(ours.store)
    with pytest.raises(Impossible, match="--replace"):
        restore(ours, path, OPS)
    restore(elsewhere, path, OPS)
    with pytest.raises(Impossible, match="--replace"):
        restore(elsewhere, path, OPS)
    store = Store(elsewhere.store).project("1")
    with store.training(), pytest.raises(Impossible, match="a training of project 1 runs"):
        restore(elsewhere, path, OPS, replace=True)
    (elsewhere.home / "up.json").write_text(json.dumps({"supervisor": os.getpid()}))
    with pytest.raises(Impossible, match="--running"):
        restore(elsewhere, path, OPS, replace=True)
    with (
        backups_.locked(elsewhere.home / "sync.lock", 0.0),
        pytest.raises(Impossible, match="sync"),
    ):
        restore(elsewhere, path, OPS, replace=True, running=True)
    (elsewhere.store / "projects" / "1" / "mark.json").write_text("1")
    done = restore(elsewhere, path, OPS, replace=True, running=True)
    assert files(elsewhere.store) == before
    assert (
        done.aside is not None and (done.aside / "store" / "projects" / "1" / "mark.json").exists()
    )


def test_a_log_that_a_command_made_when_it_looked_is_nothing(
    ours: Settings, elsewhere: Settings
) -> None:
    elsewhere.home.mkdir()
    Log(elsewhere.log_url).close()
    restore(elsewhere, made_of(ours).path, OPS)


def test_what_is_damaged_strange_or_newer_is_refused_and_nothing_touched(
    ours: Settings, elsewhere: Settings
) -> None:
    good = made_of(ours).path
    harms: list[tuple[Any, str]] = [
        (lambda n, raw: (n, b"x" + raw[1:] if n.endswith("heads.json") else raw), "SHA-256"),
        (lambda n, raw: None if n.endswith("heads.json") else (n, raw), "SHA-256"),
        (lambda n, raw: None if n == "digests.json" else (n, raw), "ends too early"),
        (lambda n, raw: ("../x" if n == "log.db" else n, raw), "which no backup does"),
        (lambda n, raw: ("store/projects/1/../x" if n == "log.db" else n, raw), "no backup"),
        (lambda n, raw: ("log.db" if n == "digests.json" else n, raw), "no backup"),
        (lambda n, raw: None if n == "backup.json" else (n, raw), "damaged"),
        (head_with(format=2, new="x"), "format 2, written by annotune .*reads up to 1"),
        (head_with(log_schema=99), "schema 99"),
        (head_with(bytes=10**18), "are free"),
        (head_with(bytes=1000), "more than the 1000 bytes"),
    ]
    for harm, says in harms:
        path = rewritten(good, harm, "annotune-harmed.tar.gz")
        with pytest.raises((BrokenBackup, Impossible), match=says):
            restore(elsewhere, path, OPS, no_list=True)
        assert [p.name for p in elsewhere.home.iterdir() if p.suffix != ".lock"] == []


def test_a_file_that_was_cut_off_is_refused(ours: Settings, elsewhere: Settings) -> None:
    path = made_of(ours).path
    whole = path.read_bytes()
    for cut in (0, 100, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:cut])
        with pytest.raises(BrokenBackup):
            restore(elsewhere, path, OPS)
        assert not (elsewhere.home / "store").exists()


def test_a_newer_one_is_listed_as_unread_and_not_removed(ours: Settings) -> None:
    path = rewritten(made_of(ours).path, head_with(format=2))
    found = Backups.of(ours)
    assert found.kept() == [] and found.unreadable() == [path]
    with pytest.raises(NewerBackup, match="format 2"):
        backups_.read_head(path)
    made_of(ours)
    assert path.exists()


@pytest.mark.parametrize("cut", ["store", "log.db"])
def test_cut_off_between_its_renames_nothing_starts_and_the_same_command_goes_on(
    ours: Settings, elsewhere: Settings, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made_of(ours).path

    def rename(source: Path, to: Path) -> None:
        if to.name == cut:
            raise KeyboardInterrupt
        real(source, to)

    real = os.rename
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            restore(elsewhere, path, OPS)
    with pytest.raises(Impossible, match="cut off"):
        restore_.refuse_half(elsewhere.home)
    restore(elsewhere, path, OPS)
    restore_.refuse_half(elsewhere.home)
    assert files(elsewhere.store) == files(ours.store)
