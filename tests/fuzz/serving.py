"""The real model server on a tiny encoder, behind the real routes; each project has a version."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flask.testing import FlaskClient

from label_config import read_schema
from lora.adapter import Recipe
from lora.base import Base, as_base
from lora.engine import LaneSettings
from lora.live import Live
from lora.recipe import Source
from lora.store import ProjectStore, Store
from ml_backend.app import create_app
from settings import Backend
from tests.fuzz.samples import SAMPLES
from tests.lora.made import tiny_model, tiny_tokenizer, write_files
from tests.ml_backend.fakes import ListedJobs


def tiny_base() -> Base:
    """A random BERT of two layers."""
    tokenizer = tiny_tokenizer()
    source = Source("tiny", "annotune/tiny", Path("nowhere"))
    return as_base(source, "0" * 64, tokenizer, tiny_model(len(tokenizer)))


def filled_store(root: Path, base: Base) -> Store:
    """Project n + 1 is served by a version for the n-th sample, of random numbers: it says all
    that can be said."""
    made = Store(root)
    for n, sample in enumerate(SAMPLES):
        committed(made.project(str(n + 1)), base, sample.config, seed=n)
    return made


def committed(project: ProjectStore, base: Base, config: str, seed: int) -> str:
    """Commit and promote a version of random numbers; its name."""
    folder, schema = project.staging(), read_schema(config)
    write_files(folder, base, schema.served_by("encoder"), seed)
    recipe = Recipe(base.name, base.revision, f"{seed:064x}", {"rank": 4}, seed)
    version = project.commit(
        folder,
        recipe,
        schema=schema.digest,
        config=config,
        labels=9,
        parent=None,
        scores={},
    ).version
    project.move_current(None, version, by="gate", why="for the fuzzers")
    return version


@contextmanager
def open_backend(store: Store, base: Base) -> Iterator[FlaskClient]:
    """The backend's routes over a store, once it is ready."""
    live = Live(store, lambda _: base, base.name, poll_s=0.01, lane=LaneSettings(256))
    with closing(live):
        live.start()
        app = create_app(Backend(max_body=2_000_000), live, ListedJobs(), list)
        client = app.test_client()
        until = time.monotonic() + 60
        while not client.get("/health").json["ready"]:  # type: ignore[index]
            assert time.monotonic() < until, "the tiny base did not load within a minute"
            time.sleep(0.01)
        yield client
