"""What a store promises, of a folder and of a bucket alike: what one machine writes, another reads.

The bucket is moto's (see test_s3.py); each machine has a mirror of its own there, while all see
the one folder.
"""

from __future__ import annotations

import stat
import threading
from dataclasses import asdict

import pytest

from lora.adapter import MANIFEST, verify
from lora.doubts import Doubt, Doubts
from lora.errors import Forgotten, Moved, Withdrawn
from lora.expansions import Expansions
from lora.forget import Lost, erase, find, leave
from lora.lineage import project_key
from lora.marks import Waiting
from lora.store import ProjectStore
from lora.wishes import Wish
from sync.budget import Look, read_looks, take
from tests.bucket.conftest import Machines
from tests.bucket.made import commit, snapshot


@pytest.fixture
def here(machines: Machines) -> ProjectStore:
    return machines.project("here")


def there(machines: Machines) -> ProjectStore:
    """The same project on another machine, as it is now."""
    found = machines.project("there")
    found.place.refresh()
    return found


def test_a_version_and_its_promotion_are_seen_elsewhere(
    machines: Machines, here: ProjectStore
) -> None:
    made = commit(here, 1)
    here.move_current(None, made.version, "gate", "better")
    other = there(machines)
    assert (other.current(), other.versions()) == (here.current(), [made])
    assert (other.moves(), other.served()) == (here.moves(), {made.version})
    folder = other.adapter_folder(made.version)
    assert verify(folder) == made and stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert (folder / "adapter_model.safetensors").read_text() == "weights of 1"


def test_current_moves_only_from_what_it_is(machines: Machines, here: ProjectStore) -> None:
    one, two = (commit(here, seed).version for seed in (1, 2))
    other = there(machines)
    here.move_current(None, one, "gate", "better")
    with pytest.raises(Moved, match=f"CURRENT is {one}, not the cold start"):
        other.move_current(None, two, "gate", "better too")
    other.move_current(one, two, "gate", "better still")
    assert there(machines).current().version == two
    assert [m.version for m in there(machines).moves()] == [one, two]


def test_of_many_that_move_current_at_once_one_does(machines: Machines, here: ProjectStore) -> None:
    made = [commit(here, seed).version for seed in range(4)]
    ready, said = threading.Barrier(len(made)), dict[str, str]()

    def move(version: str) -> None:
        own = machines.project(f"writer-{version}")
        ready.wait()
        try:
            said[version] = str(own.move_current(None, version, "gate", "better").version)
        except Moved as lost:
            said[version] = str(lost)

    writers = [threading.Thread(target=move, args=(version,)) for version in made]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    won = there(machines).current().version
    assert said == {v: v if v == won else f"CURRENT is {won}, not the cold start" for v in made}
    assert [m.version for m in there(machines).moves()] == [won]


def test_numbers_count_up_wherever_a_version_is_made(
    machines: Machines, here: ProjectStore
) -> None:
    made = [commit(here, 1), commit(machines.project("there"), 2), commit(here, 3)]
    assert [m.number for m in made] == [1, 2, 3]
    assert commit(machines.project("there"), 1) == made[0], "the same recipe is the same version"


def test_a_rollback_holds_against_another_machines_gate(
    machines: Machines, here: ProjectStore
) -> None:
    one, two = (commit(here, seed).version for seed in (1, 2))
    here.move_current(None, one, "gate", "better")
    here.move_current(one, two, "gate", "better still")
    here.move_current(two, one, "anna", "odd", by_hand=True, what="rolled back")
    other = there(machines)
    assert other.withdrawn() == {two} and other.stand_ins(one) == []
    with pytest.raises(Withdrawn):
        other.move_current(one, two, "gate", "it is better")


def test_notes_marks_and_lists_are_seen_elsewhere(machines: Machines, here: ProjectStore) -> None:
    version = commit(here, 1).version
    here.publish_blind([3, 1])
    here.publish_pool([{"text": "schöner \udc80 Text"}])
    here.publish_regulated(True)
    here.quarantine(version, "odd")
    here.ask("anna")
    here.wish(Wish("task", 7, "2026-01-01", "anna"))
    here.wait_for_person(Waiting(version, None, "a" * 64, "better", "now"))
    here.put_verdict("a" * 64, {"reason": "better"})
    look = Look("r", "recipe", None, 1, 1, 0.01, 0.0, 0.01)
    take(here, look)
    other = there(machines)
    assert other.blind() == {1, 3} and other.pool() == ({"text": "schöner \udc80 Text"},)
    assert other.regulated() and other.quarantined() == {version: "odd"}
    asked = other.asked()
    assert asked and asked["by"] == "anna"
    assert [w.id for w in other.wishes()] == [7]
    assert other.verdict("a" * 64) == {"reason": "better"}
    assert read_looks(other) == (look,)
    other.quarantine(version, None)
    assert (found := other.waiting()) and found.version == version
    other.answer_ask(), other.granted(other.wishes()[0]), other.drop_verdict("a" * 64)
    here.place.refresh()
    assert here.asked() is None and not here.wishes() and here.verdict("a" * 64) is None


def test_two_marks_at_once_are_both_kept(machines: Machines, here: ProjectStore) -> None:
    """Each reads the list before it writes it: the slower one's must not be the shorter one's."""
    ready = threading.Barrier(4)

    def mark(name: str) -> None:
        own = machines.project(name)
        ready.wait()
        own.quarantine(f"v1-{name * 8}", "odd")

    writers = [threading.Thread(target=mark, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(there(machines).quarantined()) == {f"v1-{name * 8}" for name in "abcd"}


def test_snapshots_expansions_and_doubts_are_seen_elsewhere(
    machines: Machines, here: ProjectStore
) -> None:
    frozen = snapshot(1, 2)
    digest = here.put_snapshot(frozen)
    doubt = Doubt("e1", 1, None, "w", ("a",), ("b",), -0.5, True)
    Doubts(here).put(digest, [doubt])
    Expansions(here).put(digest, {"policy": {"reason": "none"}})
    Expansions(here).ask_review(digest)
    other = there(machines)
    assert other.snapshots() == [digest]
    assert other.snapshot(digest) == frozen
    with pytest.raises(FileNotFoundError):
        other.snapshot("0" * 64)
    assert Doubts(other).get(digest) == [doubt]
    assert Expansions(other).get(digest) == {"policy": {"reason": "none"}}
    assert Expansions(other).review_asked() == digest
    assert other.place.is_last("snapshots", digest)


def test_the_key_of_digests_is_one(machines: Machines, here: ProjectStore) -> None:
    keys = {project_key(machines.project(name)) for name in ("a", "b", "a", "c")}
    assert keys == {project_key(here)} and len(next(iter(keys))) == 32


def test_one_machine_trains_at_a_time(machines: Machines, here: ProjectStore) -> None:
    with here.training() as ours:
        other = there(machines)
        assert ours and other.is_training()
        with other.training(patience_s=0) as theirs:
            assert not theirs
        with Expansions(other).expanding(patience_s=0) as free:
            assert free, "another piece of work has a lease of its own"
    other = there(machines)
    assert not other.is_training()
    with other.training(patience_s=0) as theirs:
        assert theirs


def test_what_is_forgotten_goes_from_every_machine(machines: Machines, here: ProjectStore) -> None:
    kept, gone = here.put_snapshot(snapshot(1)), here.put_snapshot(snapshot(1, 2))
    clean, taught = commit(here, 1, of=kept).version, commit(here, 2, of=gone).version
    here.move_current(None, clean, "gate", "better")
    here.move_current(clean, taught, "gate", "better")
    here.put_verdict(gone, {"reason": "better"})
    other = there(machines)
    other.adapter_folder(taught), other.snapshot(gone)
    lost = Lost(tasks=frozenset({2}))
    found = find(other, lost)
    assert (found.versions, found.snapshots) == ([taught], {gone})
    assert leave(other, found, "anna", "asked") == taught
    erase(other, found, lost)
    for seen in (there(machines), machines.project("third"), here):
        seen.place.refresh()
        assert seen.current().version == clean
        assert [m.version for m in seen.versions()] == [clean]
        assert not seen.adapter_folder(taught).exists()
        assert seen.snapshots() == [kept]
        assert seen.verdict(gone) is None
        assert not (seen.folder / "snapshots" / f"{gone}.json").exists()
    with pytest.raises(Forgotten):
        commit(here, 3, of=gone)
    assert commit(here, 4, of=kept).number == 3, "a number is never used again"


def test_a_version_is_whole_or_not_there(machines: Machines, here: ProjectStore) -> None:
    made = commit(here, 1)
    assert {p.name for p in here.adapter_folder(made.version).iterdir()} == {
        *made.files,
        MANIFEST,
    }
    assert machines.store("there").projects() == ["1"]
    assert asdict(there(machines).versions()[0]) == asdict(made)
