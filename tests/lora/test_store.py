"""The store: what is written last proves completeness, and CURRENT moves only as expected."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from label_config import Example, Snapshot
from lora.adapter import MANIFEST, Manifest, Recipe, verify
from lora.errors import BrokenAdapter, LoraError, Moved, Withdrawn
from lora.store import ProjectStore, Store, write_atomic


def commit(project: ProjectStore, seed: int = 0, text: str = "{}") -> Manifest:
    staging = project.staging()
    (staging / "adapter_config.json").write_text(text)
    recipe = Recipe("tiny", "0" * 64, "a" * 64, {}, seed)
    return project.commit(
        staging, recipe, schema="b" * 64, config="", labels=1, parent=None, scores={"mean": 0.5}
    )


def test_nothing_promoted_yet_is_the_cold_start(project: ProjectStore) -> None:
    assert project.current().version is None
    assert project.versions() == []


def test_versions_count_up_and_end_in_their_recipe(project: ProjectStore) -> None:
    first, second = commit(project, 1), commit(project, 2)
    assert (first.number, second.number) == (1, 2)
    assert first.version == f"v1-{first.recipe.id[:8]}"
    assert [m.version for m in project.versions()] == [first.version, second.version]


def test_the_same_recipe_twice_is_one_version_and_leaves_no_debris(project: ProjectStore) -> None:
    first, again = commit(project, 1), commit(project, 1, text='{"other": 1}')
    assert again.version == first.version
    assert [p.name for p in (project.folder / "adapters").iterdir()] == [first.version]


def test_a_folder_without_its_manifest_is_no_version(project: ProjectStore) -> None:
    made = commit(project)
    (project.adapter_folder(made.version) / MANIFEST).unlink()
    assert project.versions() == []
    with pytest.raises(BrokenAdapter, match="never finished"):
        project.move_current(None, made.version, "test", "")
    assert project.current().version is None


def test_numbers_are_not_used_again_after_a_broken_folder(project: ProjectStore) -> None:
    made = commit(project, 1)
    (project.adapter_folder(made.version) / MANIFEST).write_text("{")
    assert commit(project, 2).number == 2


def test_current_moves_from_what_was_expected(project: ProjectStore) -> None:
    first, second = commit(project, 1), commit(project, 2)
    project.move_current(None, first.version, "gate", "better")
    moved = project.move_current(first.version, second.version, "gate", "better still")
    assert (moved.version, moved.previous) == (second.version, first.version)
    assert project.current() == moved


def test_current_does_not_move_from_anything_else(project: ProjectStore) -> None:
    first, second = commit(project, 1), commit(project, 2)
    project.move_current(None, first.version, "gate", "")
    with pytest.raises(Moved, match=first.version):
        project.move_current(None, second.version, "gate", "")
    assert project.current().version == first.version


def test_of_many_movers_with_one_expectation_one_wins(project: ProjectStore) -> None:
    versions = [commit(project, seed).version for seed in range(6)]
    won: list[str] = []
    gate = threading.Barrier(len(versions))

    def move(version: str) -> None:
        gate.wait()
        try:
            project.move_current(None, version, "gate", "")
        except Moved:
            return
        won.append(version)

    threads = [threading.Thread(target=move, args=(v,)) for v in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [project.current().version]


def test_a_withdrawn_version_comes_back_by_hand_only(project: ProjectStore) -> None:
    made = commit(project)
    project.set_withdrawn(made.version, True)
    with pytest.raises(Withdrawn, match="rolled back by a person"):
        project.move_current(None, made.version, "gate", "")
    project.move_current(None, made.version, "anna", "I was wrong", by_hand=True)
    assert project.current().version == made.version


def test_lifting_the_mark_lets_the_gate_promote_again(project: ProjectStore) -> None:
    made = commit(project)
    project.set_withdrawn(made.version, True)
    project.set_withdrawn(made.version, False)
    assert project.move_current(None, made.version, "gate", "").version == made.version


def test_a_rollback_to_the_cold_start_needs_no_folder(project: ProjectStore) -> None:
    made = commit(project)
    project.move_current(None, made.version, "gate", "")
    assert project.move_current(made.version, None, "anna", "bad").version is None


def test_an_altered_file_is_not_promoted(project: ProjectStore) -> None:
    made = commit(project)
    (project.adapter_folder(made.version) / "adapter_config.json").write_text("[]")
    with pytest.raises(BrokenAdapter, match="SHA-256"):
        project.move_current(None, made.version, "gate", "")


@pytest.mark.parametrize("name", ["../../etc", "v1", "v1-XYZ", "", "v1-1234567g"])
def test_a_version_name_cannot_leave_the_folder(project: ProjectStore, name: str) -> None:
    with pytest.raises(BrokenAdapter, match="no version name|is not a version name"):
        project.adapter_folder(name)


@pytest.mark.parametrize("name", ["..", "a/b", "", "x" * 65])
def test_a_project_id_cannot_leave_the_store(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="project id"):
        store.project(name)


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "CURRENT.json"
    write_atomic(path, "old")

    def dies(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["CURRENT.json"]


def test_old_staging_is_swept_and_fresh_staging_is_not(project: ProjectStore) -> None:
    old, fresh = project.staging(), project.staging()
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    assert project.sweep(older_than_s=3600) == [old.name]
    assert fresh.exists() and not old.exists()


def test_a_snapshot_comes_back_as_it_was(project: ProjectStore) -> None:
    row = Example("e1", 1, "g1", "train", {"text": "paint the wall"}, ())
    snapshot = Snapshot("1", "<View/>", (row,), ({"text": "a pool text"},))
    digest = project.put_snapshot(snapshot)
    assert project.put_snapshot(snapshot) == digest
    assert project.snapshot(digest) == snapshot


def test_a_changed_snapshot_is_refused(project: ProjectStore) -> None:
    digest = project.put_snapshot(Snapshot("1", "<View/>", ()))
    path = project.folder / "snapshots" / f"{digest}.json"
    path.write_text(path.read_text().replace("<View/>", "<View></View>"))
    with pytest.raises(LoraError, match="other content"):
        project.snapshot(digest)


def test_the_blind_list_is_whole_and_free_of_doubles(project: ProjectStore) -> None:
    assert project.blind() == frozenset()
    project.publish_blind([3, 1, 3])
    assert project.blind() == {1, 3}


def test_a_training_asked_for_by_hand_waits_until_it_is_answered(project: ProjectStore) -> None:
    assert project.asked() is None
    project.ask("anna")
    asked = project.asked()
    assert asked is not None and asked["by"] == "anna"
    project.answer_ask()
    project.answer_ask()
    assert project.asked() is None


def test_only_one_trainer_holds_the_lock(project: ProjectStore) -> None:
    with project.training() as mine:
        with project.training(patience_s=0) as second:
            assert mine and not second
        assert project.is_training()
    assert not project.is_training()


def test_a_killed_trainer_lets_go_of_the_lock(project: ProjectStore) -> None:
    with project.training():
        pass  # makes the folder
    code = (
        "import fcntl, sys, time\n"
        "held = open(sys.argv[1], 'a'); fcntl.flock(held, fcntl.LOCK_EX)\n"
        "print('held', flush=True); time.sleep(60)"
    )
    trainer = subprocess.Popen(
        [sys.executable, "-S", "-c", code, str(project.folder / "train.lock")],
        stdout=subprocess.PIPE,
        text=True,
    )
    with trainer:
        assert trainer.stdout is not None and trainer.stdout.readline() == "held\n"
        assert project.is_training()
        trainer.send_signal(signal.SIGKILL)
    with project.training() as free:
        assert free


def test_verdicts_are_kept_by_snapshot(project: ProjectStore) -> None:
    assert project.verdict("c" * 64) is None
    project.put_verdict("c" * 64, {"promote": True})
    assert project.verdict("c" * 64) == {"promote": True}


def test_a_committed_folder_verifies(project: ProjectStore) -> None:
    made = commit(project)
    assert verify(project.adapter_folder(made.version)) == made


def test_the_pool_is_published_whole_and_only_written_when_it_changed(
    project: ProjectStore,
) -> None:
    assert project.pool() == ()
    texts = [{"text": "a \ud800 half"}, {"text": "b", "title": "c"}]
    project.publish_pool(texts)
    assert project.pool() == tuple(texts)
    written = (project.folder / "pool.json").stat()
    project.publish_pool(texts)
    assert (project.folder / "pool.json").stat().st_ino == written.st_ino
    project.publish_pool(texts[:1])
    assert project.pool() == (texts[0],)


@pytest.mark.parametrize(
    "odd",
    [{"number": "2"}, {"files": []}, {"version": "v9-00000000"}, {"parent": 3}, {"recipe": 1}],
)
def test_a_manifest_of_other_kinds_costs_its_own_version_alone(
    project: ProjectStore, odd: dict[str, object]
) -> None:
    first, second = commit(project, 1), commit(project, 2)
    path = project.adapter_folder(second.version) / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | odd))
    assert [m.version for m in project.versions()] == [first.version]
