"""Files of the store changed: the backend goes on to serve the version, an older one or the cold
start, and says why; what ops look at with is refused with a reason."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from label_config import read_schema
from label_config.controls import Schema
from lora.adapter import MANIFEST, file_digest
from lora.base import Base
from lora.errors import BrokenFile, LoraError
from lora.follow import Followed
from lora.loaded import Loaded, Opened, Pool, open_version, ready
from lora.networks import network_of
from lora.store import ProjectStore, Store
from sync import lineage
from sync.operate import NoSuchVersion
from tests.fuzz.mutate import draw, json_like, text, wire
from tests.fuzz.running import fuzz
from tests.fuzz.serving import committed
from tests.lora.made import CONFIG

BESIDE = {
    "CURRENT.json": None,
    "blind.json": [1, 2, 3],
    "pool.json": [{"text": "play the red album"}, {"text": "buy a coat"}],
    "quarantined.json": {"v9-00000000": "it does not load"},
    "withdrawn.json": ["v8-00000000"],
    "served.json": None,
    "moves.json": None,
    "waiting.json": {
        **{"version": "v2-00000000", "champion": "v1-00000000", "snapshot": "0" * 64},
        **{"reason": "better", "since": "2026-01-01T00:00:00+00:00"},
    },
    "retired.json": {"v7-00000000": "2026-01-01T00:00:00+00:00"},
}
"""Files of a project and what they may hold; None: as the store wrote it."""
INSIDE = (MANIFEST, "adapter_config.json", "heads.json")


class Alone:
    """An Engine without a lane: what the watcher does with versions, and nothing else."""

    def __init__(self, base: Base) -> None:
        self.base, self.side = base, network_of(base)

    def open(self, folder: Path) -> Opened:
        return open_version(self.side, folder)

    def ready(self, opened: Opened | None, schema: Schema, pool: Pool, cold: str) -> Loaded:
        return ready(self.side, opened, schema, pool, cold)

    def report(self) -> dict[str, Any]:
        return {}


class One:
    """Engines with one base."""

    def __init__(self, engine: Alone) -> None:
        self.engine = engine

    def get(self, name: str, revision: str | None = None) -> Alone:
        return self.engine


@pytest.fixture(scope="module")
def good(tiny: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two versions of which the second serves."""
    root = tmp_path_factory.mktemp("good")
    project = Store(root).project("1")
    committed(project, tiny, CONFIG, seed=1)
    committed_second = project.current().version
    folder = project.staging()
    shutil.copytree(project.adapter_folder(str(committed_second)), folder, dirs_exist_ok=True)
    (folder / MANIFEST).unlink()
    again = project.versions()[0]
    newer = project.commit(
        folder,
        type(again.recipe)(**{**vars(again.recipe), "seed": 2}),
        schema=again.schema,
        config=CONFIG,
        labels=12,
        parent=again.version,
        scores={"candidate": {"mean": 0.5}, "holdout": 3},
    )
    project.move_current(again.version, newer.version, by="gate", why="better")
    for name, held in BESIDE.items():
        if held is not None:
            (project.folder / name).write_text(json.dumps(held), encoding="utf-8")
    return root


def spoil(rng: random.Random, project: ProjectStore) -> str:
    """Change one file; its name. Half of those inside a version keep the digest they should have,
    so that what reads them is met, too."""
    name = rng.choice([*INSIDE, *INSIDE, *BESIDE, "adapter_model.safetensors"])
    version = str(project.current().version)
    folder = project.folder if name in BESIDE else project.adapter_folder(version)
    path = folder / name
    raw = path.read_bytes()
    if path.suffix == ".json":
        path.write_bytes(wire(rng, json_like(rng, json.loads(raw))))
    else:
        at = rng.randrange(min(len(raw), 4000))
        path.write_bytes(raw[:at] + bytes([raw[at] ^ (1 << rng.randrange(8))]) + raw[at + 1 :])
    if name in BESIDE or name == MANIFEST or rng.random() < 0.3:
        return name
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][name] = file_digest(path)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return name


def test_files_of_the_store_changed(good: Path, tiny: Base, tmp_path: Path) -> None:
    schema, engines = read_schema(CONFIG), One(Alone(tiny))

    def case(number: int) -> str:
        rng = draw("store", number)
        root = tmp_path / "store"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(good, root)
        project = Store(root).project("1")
        wanted = str(project.current().version)
        name = spoil(rng, project)
        followed = Followed(project, tiny.name)
        followed.ask(schema)
        assert followed.name(schema)
        found = followed.follow(engines)  # type: ignore[arg-type]
        assert found is not None and schema.digest in found.ready, followed.error
        followed.serving = found
        json.dumps(followed.report(), allow_nan=False)
        if found.version != wanted:
            assert followed.error or name == "CURRENT.json"
        try:
            followed.blind_now()
        except ValueError as refused:
            assert "blind.json" in str(refused) and name == "blind.json"
        for version in (wanted, text(rng)):
            try:
                lineage.shown(project, version)
                lineage.versions(project)
            except (NoSuchVersion, LoraError) as refused:
                assert str(refused)
        kind = "as it was" if found.version == wanted else "older" if found.version else "cold"
        return f"{name}: {kind}"

    fuzz("store", 60, case)


def test_a_file_of_another_shape_is_named(good: Path, tmp_path: Path) -> None:
    """Good JSON of what no such file holds: ops are told which file it is."""
    shutil.copytree(good, tmp_path / "store")
    project = Store(tmp_path / "store").project("1")
    for name in BESIDE:
        path = project.folder / name
        before = path.read_text(encoding="utf-8")
        path.write_text("5", encoding="utf-8")
        with pytest.raises(BrokenFile, match=name.replace(".", r"\.")):
            project.current(), project.blind(), project.pool(), project.quarantined()
            project.withdrawn(), project.served(), project.moves(), project.waiting()
            project.retired()
        path.write_text(before, encoding="utf-8")
