"""What was forgotten since a backup was made does not come back; backups expire, and say so."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lora.store import Store
from settings import Backup, Settings
from sync.backup import backup
from sync.backups import Backups, read_forgotten
from sync.forget import grant, wish_of
from sync.log import Log
from sync.loop import turn
from sync.operate import Impossible
from sync.restore import restore
from tests.sync.backed_up import OPS, TEXT, files, forget, head_with, made_of, planted, rewritten
from tests.sync.house import House


@pytest.mark.parametrize("kind", ["task", "annotation", "annotator"])
def test_what_was_forgotten_since_does_not_come_back(
    house: House, ours: Settings, elsewhere: Settings, kind: str
) -> None:
    task = planted(house)
    (annotation,) = house.studio.tasks[task].annotations
    early = made_of(ours)
    later = house.studio.add_task("it came after the backup")
    turn(house.world, "1")
    forget(house, kind, {"task": task, "annotation": annotation.id, "annotator": 2}[kind])
    forget(house, "task", later)
    late = made_of(ours)
    held = {f.subject: f for f in Backups.of(ours).forgotten()}
    gone = next(f for f in held.values() if f.kind == kind and f.id != later)
    assert [k.path for k in Backups.of(ours).holding(gone)] == [early.path]
    assert late.path != early.path and Backups.of(ours).holding(held[f"task {later}"]) == []
    done = restore(elsewhere, early.path, OPS)
    assert [f.subject for f in done.forgotten] == [gone.subject]
    log = Log(elsewhere.log_url)
    try:
        assert annotation.id not in {a.id for a in log.current_annotations("1")}
        tasks, annotations = log.tombstones("1")
        assert later in tasks and annotation.id in annotations
    finally:
        log.close()
    if kind == "task":
        assert [n for n, raw in files(elsewhere.home).items() if TEXT.encode() in raw] == []
    shutil.rmtree(ours.backups)
    assert [f.subject for f in Backups.of(elsewhere).forgotten()] == [gone.subject, f"task {later}"]


def test_who_learned_from_it_is_retired_again(
    house: House, ours: Settings, elsewhere: Settings
) -> None:
    store = house.world.store.project("1")
    first = store.current().version
    taught = store.snapshot(store.versions()[0].recipe.snapshot).train[0]
    path = made_of(ours).path
    forget(house, "task", taught.task)
    restore(elsewhere, path, OPS)
    back = Store(elsewhere.store).project("1")
    assert back.current().version is None and set(back.retired()) == {first}
    assert back.asked() is not None, "a new one is to be trained"


def test_without_the_list_beside_it_a_backup_is_not_put_back_unasked(
    ours: Settings, elsewhere: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone = tmp_path_factory.mktemp("alone")
    path = Path(shutil.copy(made_of(ours).path, alone))
    with pytest.raises(Impossible, match="nobody can tell what was forgotten"):
        restore(elsewhere, path, OPS)
    restore(elsewhere, path, OPS, no_list=True)


def test_every_folder_that_has_backups_is_told_and_one_that_is_away_is_named(
    house: House, ours: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("usb") / "x"
    kept, _ = backup(ours, other)
    away = other.rename(other.with_name("away"))
    forget(house, "task", planted(house))
    found = Backups.of(ours)
    (said,) = found.tell()
    assert str(other) in said and not read_forgotten(away / f"forgotten-{found.name()}.json")
    away.rename(other)
    assert found.tell() == []
    (gone,) = read_forgotten(other / f"forgotten-{found.name()}.json")
    assert [k.path for k in found.holding(gone)] == [kept.path]


def test_expired_ones_go_but_never_the_last_and_no_other_homes(
    ours: Settings, elsewhere: Settings
) -> None:
    own = replace(ours, backup=Backup(keep_days=7))
    first, second = made_of(own), made_of(own)
    other = replace(elsewhere, backup=Backup(str(own.backups), 7))
    restore(other, second.path, OPS)
    old = (datetime.now(timezone.utc) - timedelta(days=8)).isoformat()
    for one in (first, second):
        rewritten(one.path, head_with(at=old, upto=old))
    strange = second.path.with_name(second.path.name.replace(second.head.home, "0" * 8))
    shutil.copy(second.path, strange)
    (ours.backups / "notes.txt").write_text("mine")
    made, gone = backup(own)
    assert set(gone) == {first.path, second.path} and strange.exists()
    assert [k.path for k in Backups.of(own).kept()] == [made.path]
    forever = replace(own, backup=Backup(keep_days=0))
    rewritten(made.path, head_with(at=old, upto=old))
    assert backup(forever)[1] == [] and made.path.exists()


def test_what_a_killed_backup_left_goes_with_the_next_and_with_a_forgetting(
    house: House, ours: Settings
) -> None:
    name = made_of(ours).head.home
    for again in range(2):
        left = ours.home / ".backup-left" / "log.db"
        left.parent.mkdir()
        left.write_text(TEXT)
        packed = ours.backups / f".annotune-{name}-left"
        packed.write_text(TEXT)
        made_of(ours) if again else forget(house, "task", planted(house))
        assert not left.exists() and not packed.exists()


def test_a_backup_and_a_forgetting_wait_for_each_other(house: House, ours: Settings) -> None:
    world, store = house.world, house.world.store.project("1")
    found = Backups.of(ours)
    store.wish(wish_of("task", planted(house), OPS))
    with found.alone():
        said = grant(world.log, world.studio, store, found)
        assert said is not None and "waits for the backup" in said
        with pytest.raises(Impossible, match="another backup"):
            backup(ours)
    assert grant(world.log, world.studio, store, found) is None


def test_a_log_in_another_database_is_its_owners(ours: Settings, tmp_path: Path) -> None:
    other = replace(ours, sync=replace(ours.sync, log="sqlite:////elsewhere/log.db"))
    with pytest.raises(Impossible, match="ANNOTUNE_SYNC_LOG"):
        restore(other, made_of(ours).path, OPS)
    with pytest.raises(Impossible, match="nothing to back up"):
        backup(replace(ours, home=tmp_path / "nothing"))
