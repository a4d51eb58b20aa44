"""What the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from label_config import Example, read_schema
from label_config.controls import Schema
from lora.adapter import Manifest, Recipe
from lora.base import Base, as_base, load_base
from lora.recipe import Source
from lora.store import ProjectStore, Store
from tests.lora.made import CONFIG, MakeVersion, example, tiny_model, tiny_tokenizer, write_files


@pytest.fixture(scope="session")
def tiny() -> Base:
    """A random BERT of two layers: it knows nothing, but learns in a second."""
    tokenizer = tiny_tokenizer()
    source = Source("tiny", "annotune/tiny", Path("nowhere"))
    return as_base(source, "0" * 64, tokenizer, tiny_model(len(tokenizer)))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, as a local folder of safetensors."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    tiny_model(len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def minilm() -> Base:
    return load_base("minilm", threads=1)


@pytest.fixture
def schema() -> Schema:
    return read_schema(CONFIG)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def project(store: Store) -> ProjectStore:
    return store.project("1")


@pytest.fixture
def make_version(tiny: Base, project: ProjectStore, schema: Schema) -> MakeVersion:
    """Commit a version of random numbers to the project; the same seed is the same adapter."""

    def make(seed: int, base: Base = tiny, schema: Schema = schema, rank: int = 4) -> Manifest:
        staging = project.staging()
        write_files(staging, base, schema, seed, rank)
        recipe = Recipe(base.name, base.revision, f"{seed:064x}", {"rank": rank}, seed)
        return project.commit(
            staging,
            recipe,
            schema=schema.digest,
            config=CONFIG,
            labels=seed,
            parent=None,
            scores={},
        )

    return make


@pytest.fixture
def examples() -> list[Example]:
    """Two dozen train rows and six blind ones that a tiny encoder can tell apart."""
    made: list[Example] = []
    for verb, things in (("play", "song album"), ("buy", "coat boat"), ("paint", "wall house")):
        for thing in things.split():
            for i, colour in enumerate(("red", "blue", "green", "red", "blue")):
                text = f"{('please ' if i > 2 else '')}{verb} the {colour} {thing}"
                side = "holdout" if i == 4 else "train"
                spans = ((thing, "thing"), (colour, "colour"))
                made.append(example(len(made), text, verb, *spans, side=side))
    return made
