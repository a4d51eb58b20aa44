"""The store damaged in every way: the last good version serves on, and what is wrong is said.

Adapters of random numbers on a tiny encoder; a full disk is an error at every place that writes.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file, save_file
from sqlalchemy import text

from label_config import Task
from label_config.controls import Schema
from lora.adapter import MANIFEST
from lora.base import Base
from lora.live import Live
from lora.loaded import LORA, LORA_CONFIG, load_version
from lora.store import ProjectStore, Store, write_atomic
from sync.connect import connect
from sync.loop import turn
from sync.service import Service
from tests.faults.seeds import seeds
from tests.faults.test_studio_faults import check, people_work
from tests.lora.conftest import make_version, project, schema, store, tiny
from tests.lora.made import MakeVersion
from tests.lora.test_live import serving, until, version
from tests.lora.test_loaded import resign
from tests.sync.house import House, open_house

__all__ = ["make_version", "project", "schema", "store", "tiny"]  # fixtures of that room

Damage = Callable[[Path], None]


@pytest.fixture
def live(store: Store, tiny: Base) -> Iterator[Live]:
    with serving(store, tiny) as live:
        yield live


def cut(name: str, drawn: random.Random) -> Damage:
    def damage(folder: Path) -> None:
        raw = (folder / name).read_bytes()
        (folder / name).write_bytes(raw[: drawn.randrange(1, len(raw) - 8)])

    return damage


def empty(name: str) -> Damage:
    return lambda folder: (folder / name).write_bytes(b"") and None


def flip(name: str, drawn: random.Random) -> Damage:
    def damage(folder: Path) -> None:
        raw = bytearray((folder / name).read_bytes())
        raw[drawn.randrange(len(raw))] ^= 1 << drawn.randrange(8)
        (folder / name).write_bytes(raw)

    return damage


def lose(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    """A damage that the manifest knows: written so, not altered afterwards."""

    def damage(folder: Path) -> None:
        found = load_file(folder / LORA)
        change(found)
        save_file(found, folder / LORA)
        resign(folder)

    return damage


def lose_a_head(folder: Path) -> None:
    table = json.loads((folder / "heads.json").read_text())
    table["heads"] = [{**head, "control": {}} for head in table["heads"]]
    (folder / "heads.json").write_text(json.dumps(table))
    resign(folder)


def wrong_rank(found: dict[str, torch.Tensor]) -> None:
    name = next(n for n in found if "lora_B" in n)
    found[name] = torch.zeros(found[name].shape[0], 3)


def linked(folder: Path) -> None:
    (folder / "heads.json").rename(folder.parent / ".heads-elsewhere")
    (folder / "heads.json").symlink_to(folder.parent / ".heads-elsewhere")


FILES = (LORA, LORA_CONFIG, "heads.safetensors", "heads.json", MANIFEST)


def damages(drawn: random.Random) -> dict[str, Damage]:
    return {
        **{f"cut {name}": cut(name, drawn) for name in FILES},
        **{f"empty {name}": empty(name) for name in FILES},
        **{f"a bit of {name}": flip(name, drawn) for name in FILES[:4]},
        **{f"no {name}": lose(name) for name in FILES},
        "another base": lambda folder: resign(folder, base_revision="f" * 64),
        "another rank": tensors(wrong_rank),
        "numbers that are none": tensors(lambda t: next(iter(t.values())).fill_(float("inf"))),
        "a head of nothing": lose_a_head,
        "a link": linked,
        "nothing at all": lambda folder: shutil.rmtree(folder),
        "a file too many": lambda folder: (folder / "code.py").write_text("import os") and None,
    }


@pytest.mark.parametrize("seed", seeds())
def test_whatever_happens_to_an_adapter_the_last_good_one_serves_and_it_is_said(
    live: Live,
    store: Store,
    tiny: Base,
    project: ProjectStore,
    make_version: MakeVersion,
    schema: Schema,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    monkeypatch.setattr("lora.follow.RETRY_S", 0.02)
    drawn = damages(random.Random(f"damage {seed}"))
    good = make_version(1)
    project.move_current(None, good.version, "gate", "")
    until(lambda: version(live, schema) == good.version)
    tasks = [Task(1, "1", {"text": "play the red song"})]
    for number, (name, damage) in enumerate(drawn.items(), 2):
        bad = make_version(number)
        damage(project.adapter_folder(bad.version))
        with pytest.raises(Exception, match=f"(?s){bad.version}|does not|code.py|manifest"):
            project.move_current(good.version, bad.version, "gate", "")
            load_version(tiny, project.adapter_folder(bad.version), schema)
        point(project, bad.version)  # say, a restored backup names it all the same
        until(lambda v=bad.version: _said(live, v))  # type: ignore[misc]
        (answer,) = live.predict("1", schema, tasks)
        assert answer.model_version == good.version, name
        point(project, good.version)
        until(lambda: live.health()["projects"]["1"]["error"] is None)
        shutil.rmtree(project.adapter_folder(bad.version), ignore_errors=True)
    assert version(live, schema) == good.version


def point(project: ProjectStore, version: str) -> None:
    """Write CURRENT by hand, unasked."""
    path = project.folder / "CURRENT.json"
    write_atomic(path, json.dumps({**json.loads(path.read_text()), "version": version}))


def _said(live: Live, bad: str) -> bool:
    told = live.health()["projects"]["1"]
    return told["wanted"] == bad and bool(told["error"]) and told["version"] != bad


@pytest.mark.parametrize("seed", seeds())
def test_it_serves_from_a_store_that_cannot_be_written(
    live: Live, project: ProjectStore, make_version: MakeVersion, schema: Schema, seed: int
) -> None:
    first, second = make_version(1), make_version(2)
    project.move_current(None, first.version, "gate", "")
    until(lambda: version(live, schema) == first.version)
    cut(LORA, random.Random(f"read-only {seed}"))(project.adapter_folder(second.version))
    point(project, second.version)
    full = OSError(errno.EROFS, os.strerror(errno.EROFS))
    with mock.patch("lora.atomic.tempfile.mkstemp", side_effect=full):
        until(lambda: _said(live, second.version))
        assert version(live, schema) == first.version


# ---- the disk is full


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        connect(made.world, "1")
        turn(made.world, "1")
        yield made


def test_a_full_disk_at_any_write_loses_nothing_and_is_said(house: House) -> None:
    service, real = Service(house.world), os.fsync
    for place in range(6 + len(seeds(0))):
        for n in range(12):
            house.studio.add_task(f"{place:b} {n * 7919:b} {n}")
        people_work(house)
        house.answer(6)
        house.backend.version = f"v{place + 1}-00000000"
        left = [place]

        def fsync(handle: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(handle)

        with mock.patch("os.fsync", fsync):
            service.turn("1")
        failed = left[0] < 0
        told = service.health()["projects"]["1"]["problem"]
        assert not failed or "No space left on device" in told, (place, told)
        if wanted := house.world.log.wanted("1"):
            house.judge(wanted.snapshot)
        for _ in range(3):
            service.turn("1")
        assert service.health()["status"] == "UP"
        check(house)
        store = house.world.store.project("1")
        for path in (store.folder / "snapshots").glob("*.json"):
            assert store.snapshot(path.stem).hash == path.stem
    assert not list(house.world.store.root.rglob(".*.json.*")), "nothing half written is left"


@pytest.mark.parametrize("seed", seeds())
def test_a_full_disk_under_the_log_loses_nothing_and_is_said(house: House, seed: int) -> None:
    service, drawn = Service(house.world), random.Random(f"full {seed}")
    people_work(house)
    for n in range(60):
        house.studio.add_task(f"much to say {n} " * 200)
    with house.world.log._writer.connect() as db:
        pages = db.execute(text("PRAGMA page_count")).scalar() + drawn.randrange(12)
    limits: list[Any] = []

    def small(connection: Any, *_: object) -> None:
        limits.append(connection.execute(f"PRAGMA max_page_count={pages}").fetchone())

    from sqlalchemy import event

    engine = house.world.log._engine
    engine.dispose()
    event.listen(engine, "connect", small)
    service.turn("1")
    told = service.health()["projects"]["1"]["problem"]
    assert limits and "database or disk is full" in told and "much to say" not in told
    event.remove(engine, "connect", small)
    engine.dispose()
    for _ in range(2):
        service.turn("1")
    assert service.health()["status"] == "UP"
    check(house)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        *(("CURRENT.json", b""), ("CURRENT.json", b"[" * 100_000), ("verdicts", b"{")),
        *(("blind.json", b"\xff"), ("pool.json", b"\xff")),
    ],
)
def test_a_file_of_the_store_that_cannot_be_read_is_named_until_it_is_mended(
    house: House, name: str, raw: bytes
) -> None:
    service, store = Service(house.world), house.world.store.project("1")
    house.trained(0.5)
    house.answer(6)
    service.turn("1")
    verdict = store.folder / "verdicts" / f"{house.wanted()}.json"
    verdict.parent.mkdir(exist_ok=True)
    path = verdict if name == "verdicts" else store.folder / name
    good = path.read_bytes() if path.exists() else None
    path.write_bytes(raw)
    people_work(house)
    service.turn("1")
    told = service.health()["projects"]["1"]["problem"]
    if name in {"CURRENT.json", "verdicts"}:
        assert told and path.name in told, told
    else:  # these are ours to write: the next turn does
        assert told is None and (name == "pool.json" or json.loads(path.read_bytes()))
    path.write_bytes(good) if good is not None else path.unlink()
    for _ in range(2):
        service.turn("1")
    assert service.health()["status"] == "UP"
    check(house)
