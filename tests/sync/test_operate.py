"""What ops do by hand: promote, roll back, and read what became of each version."""

from pathlib import Path

import pytest

from lora.adapter import Recipe
from lora.errors import Withdrawn
from lora.store import ProjectStore, Store
from sync.lineage import versions
from sync.operate import Impossible, Person, promote, rollback

OPS = Person("ops")


@pytest.fixture
def store(tmp_path: Path) -> ProjectStore:
    """Three versions; v1 and v3 were promoted by the gate, v2 was kept back; v3 serves."""
    project = Store(tmp_path).project("1")
    for n, promoted in ((1, True), (2, False), (3, True)):
        snapshot = f"{n:064x}"
        staging = project.staging()
        (staging / "heads.json").write_text("{}")
        made = project.commit(
            staging,
            Recipe("minilm", "r", snapshot, {}, 0),
            schema="s",
            config="<View/>",
            labels=n * 25,
            parent=project.current().version,
            scores={"candidate": {"mean": n / 4}, "holdout": 12},
        )
        if promoted:
            project.move_current(project.current().version, made.version, "gate", "better")
        project.put_verdict(snapshot, {"promoted": promoted, "reason": f"reason {n}"})
    return project


def names(store: ProjectStore) -> list[str]:
    return [m.version for m in store.versions()]


def test_versions_say_what_became_of_each(store: ProjectStore) -> None:
    assert [v["state"] for v in versions(store)] == ["replaced", "kept back", "serving"]
    assert [v["holdout"] for v in versions(store)] == [0.25, 0.5, 0.75]


def test_rollback_goes_to_what_served_before_not_to_what_was_kept_back(store: ProjectStore) -> None:
    v1, _, v3 = names(store)
    moved = rollback(store, OPS)
    assert (moved.before, moved.now) == (v3, v1)
    assert store.current().version == v1
    assert [v["state"] for v in versions(store)] == ["serving", "kept back", "rolled back"]


def test_a_second_rollback_reaches_the_cold_start_and_a_third_is_refused(
    store: ProjectStore,
) -> None:
    rollback(store, OPS)
    assert rollback(store, OPS).now is None
    with pytest.raises(Impossible, match="serves the cold start"):
        rollback(store, OPS)


def test_the_gate_never_brings_a_rolled_back_version_back(store: ProjectStore) -> None:
    v1, _, v3 = names(store)
    rollback(store, OPS)
    with pytest.raises(Withdrawn):
        store.move_current(v1, v3, "gate", "better")
    assert store.current().version == v1


def test_a_person_can(store: ProjectStore) -> None:
    v3 = names(store)[2]
    rollback(store, OPS)
    promote(store, v3, OPS)
    assert store.current().version == v3
    assert v3 not in store.withdrawn()


def test_what_cannot_be_done_is_said(store: ProjectStore) -> None:
    with pytest.raises(Impossible, match="has no version 'v9-00000000'; it has v1"):
        promote(store, "v9-00000000", OPS)
    with pytest.raises(Impossible, match="serves already"):
        promote(store, names(store)[2], OPS)
    with pytest.raises(Impossible, match="has no version"):
        rollback(store, OPS, to="v9-00000000")


def test_what_serves_but_did_not_load_is_let_out_of_quarantine_as_status_says(
    store: ProjectStore,
) -> None:
    v3 = names(store)[2]
    store.quarantine(v3, "heads.json is gone")
    promote(store, v3, OPS, "it is mended")
    assert store.current().version == v3 and not store.quarantined()
    assert store.moves()[-1].why == "it is mended"
    assert rollback(store, OPS).now == names(store)[0]
