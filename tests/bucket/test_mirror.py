"""What only a bucket can do to us: races between machines, kills, silence and hurt bytes.

The server is moto's (see test_s3.py).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lora import mirror
from lora.adapter import MANIFEST
from lora.errors import BrokenAdapter, BrokenFile, Moved, Raced, StoreDown
from lora.marks import locked
from lora.opened import NOTE, store_at
from lora.s3 import S3
from lora.store import ProjectStore
from tests.bucket.conftest import Machines
from tests.bucket.made import commit, snapshot
from tests.bucket.server import KEY, SECRET, Server

ROOT = Path(__file__).parents[2]


def before_put(monkeypatch: pytest.MonkeyPatch, name: str, rival: Any) -> None:
    """Have `rival` act just before an object whose name ends so is put, once."""
    put, acted = S3.put, list[str]()

    def slowly(self: S3, key: str, raw: bytes, **how: Any) -> str:
        if key.endswith(name) and not acted:
            acted.append(key)
            rival()
        return put(self, key, raw, **how)

    monkeypatch.setattr(S3, "put", slowly)


@pytest.mark.parametrize("last", ["served.json", "moves.json", "CURRENT.json"])
def test_whoever_is_slower_to_move_current_is_told_so(
    bucket: Machines, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """A rival's whole move comes in between our reading and one of our writings."""
    here, other = bucket.project("here"), bucket.project("there")
    one, two = commit(here, 1).version, commit(other, 2).version
    before_put(monkeypatch, last, lambda: other.move_current(None, two, "gate", "quicker"))
    with pytest.raises(Moved, match=f"CURRENT is {two}, not the cold start"):
        here.move_current(None, one, "gate", "slower")
    fresh = bucket.project("third")
    assert fresh.current().version == two
    assert [(m.version, m.why) for m in fresh.moves()] == [(two, "quicker")]


def test_a_race_that_never_ends_is_named(bucket: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    here = bucket.project("here")
    monkeypatch.setattr("lora.raced.MOST_S", 0.0)
    put = S3.put

    def raced(self: S3, key: str, raw: bytes, **how: Any) -> str:
        if key.endswith("quarantined.json"):
            put(self, key, os.urandom(4).hex().encode().join((b'{"x": "', b'"}')))
        return put(self, key, raw, **how)

    monkeypatch.setattr(S3, "put", raced)
    with pytest.raises(Raced, match=r"quarantined\.json was changed by somebody else"):
        here.quarantine("v1-00000000", "odd")


def test_two_that_take_a_number_at_once_get_two(
    bucket: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, other = bucket.project("here"), bucket.project("there")
    made: list[int] = []
    before_put(monkeypatch, "numbers/v1", lambda: made.append(commit(other, 2).number))
    made.append(commit(here, 1).number)
    assert made == [1, 2]


DIES = """
import os, sys, time
from lora.opened import open_store
from lora.s3 import S3
from settings import load
from tests.bucket.made import commit
project = open_store(load(os.environ)).project("1")
last, put, store = sys.argv[1], S3.put, S3.store
def stop(do, after):
    def there(self, key, *a, **k):
        hit = key.endswith(last)
        if hit and not after:
            print("now", flush=True); time.sleep(600)
        done = do(self, key, *a, **k)
        if hit:
            print("now", flush=True); time.sleep(600)
        return done
    return there
S3.put, S3.store = stop(put, sys.argv[2] == "after"), stop(store, sys.argv[2] == "after")
made = commit(project, 1)
project.move_current(None, made.version, "gate", "better")
"""


@pytest.mark.parametrize(
    ("last", "when", "whole"),
    [
        ("adapter_model.safetensors", "after", False),
        (MANIFEST, "after", True),
        ("CURRENT.json", "before", True),
    ],
)
def test_a_kill_leaves_all_or_debris(bucket: Machines, last: str, when: str, whole: bool) -> None:
    """kill -9 in the middle of an upload or a promotion, then the same again on another machine."""
    own = {"ANNOTUNE_HOME": str(bucket.root / "dies"), "ANNOTUNE_STORE": bucket.address}
    argv, env = [sys.executable, "-c", DIES, last, when], {**os.environ, **own}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, env=env) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"now\n"
        child.send_signal(signal.SIGKILL)
    other = bucket.project("other")
    found = [m.version for m in other.versions()]
    assert bool(found) == whole
    assert other.current().version is None and other.moves() == []
    again = commit(other, 1)
    assert again.number == (1 if whole else 2)
    other.move_current(None, again.version, "gate", "better")
    fresh = bucket.project("fresh")
    assert fresh.current().version == again.version
    assert fresh.adapter_folder(again.version).is_dir()
    assert [m.version for m in fresh.moves()] == [again.version]


def test_debris_is_swept_once_nobody_adds_to_it_and_a_version_never(
    bucket: Machines, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = bucket.project("here")
    whole = commit(here, 1).version
    left = "projects/1/adapters/v9-00000000/adapter_config.json"
    where = bucket.address.removeprefix("s3://").partition("/")
    server.client().put_object(Bucket=where[0], Key=f"{where[2]}/{left}", Body=b"{}")
    assert here.sweep() == []
    assert left in server.names(bucket.address)
    monkeypatch.setattr(mirror, "DEBRIS_S", -1.0)
    assert here.sweep() == ["v9-00000000"]
    assert left not in server.names(bucket.address)
    assert [m.version for m in bucket.project("other").versions()] == [whole]
    assert commit(here, 2).number == 2


@pytest.mark.parametrize("hurt", ["adapter_model.safetensors", "README.md"])
def test_a_version_with_a_flipped_bit_is_refused_with_the_reason(
    bucket: Machines, server: Server, hurt: str
) -> None:
    version = commit(bucket.project("here"), 1).version
    server.flip(bucket.address, f"projects/1/adapters/{version}/{hurt}")
    other = bucket.project("other")
    with pytest.raises(BrokenAdapter, match=rf"{hurt} should have SHA-256 \w{{12}}\.\.\., found"):
        other.adapter_folder(version)
    assert not (other.folder / "adapters" / version).exists()
    with pytest.raises(BrokenAdapter):
        other.move_current(None, version, "gate", "better")
    assert list((other.folder / "adapters").iterdir()) == []


def test_a_lost_file_of_a_version_is_refused(bucket: Machines, server: Server) -> None:
    version = commit(bucket.project("here"), 1).version
    bucket_name, _, prefix = bucket.address.removeprefix("s3://").partition("/")
    key = f"{prefix}/projects/1/adapters/{version}/README.md"
    server.client().delete_object(Bucket=bucket_name, Key=key)
    with pytest.raises(BrokenAdapter, match=r"README\.md should have .* found nothing"):
        bucket.project("other").adapter_folder(version)


def test_a_small_file_with_a_flipped_bit_changes_nothing_here(
    bucket: Machines, server: Server
) -> None:
    here, other = bucket.project("here"), bucket.project("other")
    here.publish_blind([1, 2])
    other.place.refresh()
    here.publish_blind([1, 2, 3])
    here.publish_pool([{"text": "new"}])
    server.flip(bucket.address, "projects/1/blind.json")
    with pytest.raises(BrokenFile, match=r"blind\.json holds other bytes"):
        other.place.refresh()
    assert other.blind() == {1, 2} and other.pool() == ({"text": "new"},)
    assert other.place.problem and "blind.json" in other.place.problem
    here.publish_blind([4])
    other.place.refresh()
    assert other.blind() == {4} and other.place.problem is None


def test_a_snapshot_with_a_flipped_bit_is_refused(bucket: Machines, server: Server) -> None:
    digest = bucket.project("here").put_snapshot(snapshot(1))
    server.flip(bucket.address, f"projects/1/snapshots/{digest}.json")
    with pytest.raises(BrokenAdapter, match="holds other bytes"):
        bucket.project("other").snapshot(digest)


def test_while_the_server_is_gone_what_is_here_stays_and_nothing_is_written(
    bucket: Machines, server: Server
) -> None:
    here = bucket.project("here")
    one, two = (commit(here, seed).version for seed in (1, 2))
    here.move_current(None, one, "gate", "better")
    store = bucket.store("other")
    other = store.project("1")
    server.stop()
    with pytest.raises(StoreDown, match="EndpointConnectionError"):
        other.move_current(one, two, "gate", "better")
    with pytest.raises(StoreDown):
        other.publish_blind([1])
    with pytest.raises(StoreDown):
        other.place.refresh()
    again = store.project("1")  # never raises
    assert again.current().version == one and again.blind() == frozenset()
    assert again.place.problem and "EndpointConnectionError" in again.place.problem
    assert store.projects() == ["1"] and store.remote and store.remote.problem
    server.start()
    other.publish_blind([1])
    other.move_current(one, two, "gate", "better")
    assert bucket.project("third").current().version == two and other.place.problem is None


def test_a_crash_between_bucket_and_mirror_is_made_good_by_the_next_look(
    bucket: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = bucket.project("here")
    here.publish_blind([1])

    def dies(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("lora.place.write_atomic", dies)
        here.publish_blind([1, 2])
    assert here.blind() == {1}
    here.place.refresh()
    assert here.blind() == {1, 2}


def test_a_look_brings_only_what_changed(bucket: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    here, other = bucket.project("here"), bucket.project("other")
    here.publish_blind([1]), here.publish_pool([{"text": "a"}]), commit(here, 1)
    asked: list[str] = []
    get = S3.get

    def noted(self: S3, name: str) -> tuple[bytes, str]:
        asked.append(name)
        return get(self, name)

    monkeypatch.setattr(S3, "get", noted)
    other.place.refresh()
    assert len(asked) == 3
    asked.clear()
    other.place.refresh()
    bucket.store("other").project("1").place.refresh()  # another process of that machine
    assert asked == []
    here.publish_blind([2])
    other.place.refresh()
    assert asked == ["projects/1/blind.json"]


def test_what_goes_and_comes_back_the_same_is_brought_again(bucket: Machines) -> None:
    """Its ETag is the one that it had: an index that still knows it would take it for there."""
    here, other = bucket.project("here"), bucket.project("other")
    for _ in range(2):
        here.place.write("asked.json", '{"by": "anna"}')
        other.place.refresh()
        assert other.asked() == {"by": "anna"}
        here.answer_ask()
        other.place.refresh()
        assert other.asked() is None


def test_a_child_opens_what_its_parent_opened(bucket: Machines) -> None:
    store = bucket.store("here")
    digest = bucket.project("there").put_snapshot(snapshot(1))
    child = store_at(store.root).project("1")
    assert child.snapshot(digest) == snapshot(1)
    note = json.loads((store.root / NOTE).read_text())
    assert note["address"] == bucket.address


def test_no_key_is_in_a_file_of_ours(bucket: Machines, server: Server) -> None:
    here = bucket.project("here")
    commit(here, 1)
    files = [p for p in bucket.root.rglob("*") if p.is_file()]
    assert len(files) > 4
    for path in files:
        raw = path.read_bytes()
        assert SECRET.encode() not in raw and KEY.encode() not in raw
    assert not [n for n in server.names(bucket.address) if ".probe" in n]


def test_a_light_mirror_has_what_serving_needs(bucket: Machines) -> None:
    here = bucket.project("here")
    version = commit(here, 1).version
    here.move_current(None, version, "gate", "better")
    here.publish_blind([1])
    here.put_verdict("a" * 64, {"reason": "better"})
    place = bucket.store("server", serves=True).project("1").place
    place.refresh()
    light: ProjectStore = bucket.store("server", serves=True).project("1")
    assert light.current().version == version and light.blind() == {1}
    assert [m.version for m in light.versions()] == [version] and light.verdict("a" * 64) is None
    again = bucket.store("server", serves=True).project("1")  # the server was started again
    again.place.refresh()
    assert [m.version for m in again.versions()] == [version]
    two = commit(here, 2).version
    here.move_current(version, two, "gate", "better")
    again.place.refresh()
    assert {m.version for m in again.versions()} == {version, two}
    assert again.adapter_folder(two).is_dir()


def test_a_look_by_another_process_of_this_machine_hides_no_race(
    bucket: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It renews the mirror between our reading and our writing: what counts is what we read."""
    here, other = bucket.project("here"), bucket.project("there")
    one, two = commit(here, 1).version, commit(other, 2).version
    swap, acted = mirror.Mirror.swap, list[str]()

    def slowly(self: mirror.Mirror, name: str, text: str) -> None:
        if name == "moves.json" and not acted:
            acted.append(name)
            other.move_current(None, two, "gate", "quicker")
            assert bucket.project("here").current().version == two
        swap(self, name, text)

    monkeypatch.setattr(mirror.Mirror, "swap", slowly)
    with pytest.raises(Moved, match=f"CURRENT is {two}"):
        here.move_current(None, one, "gate", "slower")
    assert bucket.project("third").current().version == two


def test_a_server_and_a_sync_on_one_machine_share_a_mirror(bucket: Machines) -> None:
    sync, server = bucket.project("one"), bucket.store("one", serves=True).project("1")
    digest = sync.put_snapshot(snapshot(1))
    sync.put_verdict("a" * 64, {"reason": "better"})
    version = commit(sync, 1).version
    for n in range(2):
        bucket.project("worker").publish_blind([n])
        server.place.refresh()
        assert server.blind() == {n} and server.manifest(version)
        sync.place.refresh()
        assert sync.verdict("a" * 64) == {"reason": "better"}
        assert (sync.folder / "snapshots" / f"{digest}.json").is_file()
        assert sync.blind() == {n} and [m.version for m in sync.versions()] == [version]


def test_a_patient_neighbour_at_the_mirror_keeps_nobody_from_reading(
    bucket: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BRISK_S", 0.0)
    bucket.project("one").publish_blind([1])
    with locked(bucket.project("one").folder / "mirror.lock", 0) as ours:
        assert ours
        waiting = bucket.project("one")
        assert waiting.blind() == {1}
        assert "mirror.lock is held by another process" in (waiting.place.problem or "")
