"""Many projects, bases and versions in one process: each answer is its own project's."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import torch

from label_config import Inputs, Prediction, Task, read_schema
from label_config.controls import Schema
from lora.adapter import Recipe
from lora.answer import answer
from lora.base import Base
from lora.engine import LaneSettings
from lora.errors import BaseUnavailable, NotReady, Overloaded
from lora.live import Live
from lora.loaded import Loaded, load_cold, load_version
from lora.network import Network
from lora.store import Store
from lora.weights import Mode
from tests.lora.kinds import kind_of
from tests.lora.made import CONFIG, write_files

TEXTS = ["play the red song", "buy a coat please", "paint the wall blue now", "stop", "more music"]
COLOURS = '<Choices name="c" toName="t"><Choice value="red"/><Choice value="blue"/></Choices>'
MANY = COLOURS.replace('name="c"', 'name="m" choice="multiple"')
TREE = (
    '<Taxonomy name="x" toName="t"><Choice value="thing"><Choice value="coat"/>'
    '<Choice value="song"/></Choice><Choice value="act"><Choice value="buy"/></Choice></Taxonomy>'
)
PARTS = '<Labels name="p" toName="t"><Label value="verb"/><Label value="noun"/></Labels>'
STARS = '<Rating name="r" toName="t" maxRating="4"/>'


def config(*controls: str, base: str | None = None) -> Schema:
    asked = f' annotune-base="{base}"' if base else ""
    return read_schema(f'<View{asked}><Text name="t" value="$text"/>{"".join(controls)}</View>')


def tasks(*texts: str) -> list[Task]:
    return [Task(i + 1, "1", {"text": t}) for i, t in enumerate(texts)]


def promote(store: Store, name: str, base: Base, schema: Schema, seed: int) -> str:
    """Commit a version of random numbers to a project and let it serve."""
    project = store.project(name)
    staging = project.staging()
    write_files(staging, base, schema, seed)
    recipe = Recipe(base.name, base.revision, f"{seed:064x}", {"project": name}, seed)
    made = project.commit(
        staging, recipe, schema=schema.digest, config=CONFIG, labels=0, parent=None, scores={}
    )
    project.move_current(project.current().version, made.version, "gate", "")
    return made.version


@contextmanager
def serving(
    store: Store, *bases: Base, memory_mb: float = 2000, lane: LaneSettings | None = None
) -> Iterator[Live]:
    """The first base is the server's own; the others may be asked for."""
    known = {base.name: base for base in bases}

    def load(name: str) -> Base:
        if name not in known:
            raise BaseUnavailable(f"no base {name!r} here")
        return known[name]

    live = Live(
        store,
        load,
        bases[0].name,
        allowed=[b.name for b in bases[1:]] + ["gone"],
        poll_s=0.01,
        memory_mb=memory_mb,
        lane=lane,
    )
    live.start()
    try:
        yield live
    finally:
        live.close()


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def alone(base: Base, loaded: Loaded) -> list[list[object]]:
    """What one version answers by itself."""
    got = answer(Network(base), loaded, [Inputs({"text": t}) for t in TEXTS])
    return [[_key(r) for r in a.regions] for a in got]


def said(predictions: list[Prediction]) -> list[list[object]]:
    return [[_key(r) for r in p.regions] for p in predictions]


def _key(region: object) -> object:
    return tuple(
        getattr(region, part, None) for part in ("from_name", "labels", "value", "start", "end")
    )


@pytest.mark.model
def test_six_projects_of_different_configs_on_two_bases_never_get_each_others_answers(
    store: Store, minilm: Base, tiny: Base
) -> None:
    schemas = {
        "1": (minilm, config(COLOURS, PARTS)),
        "2": (minilm, config(TREE, MANY)),
        "3": (tiny, config(STARS, COLOURS)),
        "4": (tiny, config(PARTS, TREE, base="tiny")),
        "5": (minilm, config(COLOURS, TREE)),  # no adapter: the cold start
        "6": (tiny, config(TREE, base="tiny")),  # the same on the other base
    }
    want: dict[str, tuple[str, list[list[object]]]] = {}
    for seed, (name, (base, schema)) in enumerate(schemas.items()):
        if name in "1234":
            version = promote(store, name, base, schema, seed)
            loaded = load_version(base, store.project(name).adapter_folder(version), schema)
            want[name] = (version, alone(base, loaded))
    wrong: list[str] = []
    done = threading.Event()

    def ask(live: Live, name: str) -> None:
        schema = schemas[name][1]
        while not done.is_set():
            try:
                got = live.predict(name, schema, tasks(*TEXTS), timeout_s=60)
            except Exception as error:
                wrong.append(f"{name}: {error!r}")
                return
            versions = {p.model_version for p in got}
            if versions != {want[name][0]} or said(got) != want[name][1]:
                wrong.append(f"{name}: {versions}, wanted {want[name][0]}")

    with serving(store, minilm, tiny) as live:
        for name in "56":
            base, schema = schemas[name]
            want[name] = (live.version(name, schema), alone(base, load_cold(base, schema)))
        for name in schemas:  # both bases have to be there
            until(partial(_answers, live, name, schemas[name][1]))
        threads = [threading.Thread(target=ask, args=(live, n)) for n in schemas for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(4)
        done.set()
        for thread in threads:
            thread.join()
        assert {b["dtype"] for b in live.health()["bases"].values()} == {"float32"}
    assert wrong == []


def _answers(live: Live, name: str, schema: Schema) -> bool:
    try:
        return bool(live.predict(name, schema, tasks("play")))
    except NotReady:
        return False


def test_a_config_gets_the_base_it_asks_for_only_where_that_is_allowed(
    store: Store, tiny: Base
) -> None:
    other = kind_of("roberta")
    with serving(store, tiny, other) as live:
        mine, theirs = config(COLOURS, base="roberta"), config(COLOURS, base="elsewhere/model")
        live.predict("1", mine, tasks(*TEXTS))
        live.predict("2", theirs, tasks(*TEXTS))
        projects = live.health()["projects"]
        assert (projects["1"]["base"], projects["2"]["base"]) == ("roberta", "tiny")
        assert projects["1"]["error"] is None
        assert "elsewhere/model" in projects["2"]["error"]
        assert live.version("1", mine) != live.version("2", theirs)
        assert live.version("2", theirs) == f"cold-{theirs.short}"


def test_an_adapter_is_served_on_the_base_it_was_trained_on(store: Store, tiny: Base) -> None:
    other = kind_of("roberta")
    schema = config(COLOURS)
    version = promote(store, "1", other, schema, 3)
    with serving(store, tiny, other) as live:
        got = live.predict("1", schema, tasks(*TEXTS))
    loaded = load_version(other, store.project("1").adapter_folder(version), schema)
    assert said(got) == alone(other, loaded)


def test_a_base_that_cannot_be_had_is_refused_with_its_reason_and_harms_nobody(
    store: Store, tiny: Base
) -> None:
    with serving(store, tiny) as live:
        with pytest.raises(NotReady, match="no base 'gone' here"):
            live.predict("1", config(COLOURS, base="gone"), tasks("play"))
        assert live.predict("2", config(COLOURS), tasks("play"))
        assert "no base" in live.health()["projects"]["1"]["error"]
        assert "no base" in live.health()["bases"]["gone"]["error"]


def test_each_base_is_loaded_once_however_many_ask(store: Store, tiny: Base) -> None:
    loads: list[str] = []

    def load(name: str) -> Base:
        loads.append(name)
        time.sleep(0.1)
        return tiny

    live = Live(store, load, "tiny", poll_s=0.01)
    live.start()
    threads = [
        threading.Thread(target=live.predict, args=(str(i), config(COLOURS), tasks("play")))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    live.close()
    assert loads == ["tiny"]


@pytest.mark.parametrize(
    "mode", [("merged", "float32"), ("unmerged", "float32"), ("merged", "bfloat16")]
)
def test_every_way_of_serving_gives_the_same_answers(
    store: Store, tiny: Base, mode: tuple[str, str]
) -> None:
    schema = config(COLOURS)
    version = promote(store, "1", tiny, schema, 1)
    loaded = load_version(tiny, store.project("1").adapter_folder(version), schema)
    with serving(store, tiny, lane=LaneSettings(serve=mode[0], dtype=mode[1])) as live:
        got = live.predict("1", schema, tasks(*TEXTS))
        health = live.health()["bases"]["tiny"]
    assert said(got) == alone(tiny, loaded)
    assert (health["serve"], health["dtype"]) == mode


def test_the_pool_takes_part_in_the_cold_starts_name_and_answers(store: Store, tiny: Base) -> None:
    schema = config(COLOURS)
    with serving(store, tiny) as live:
        (before,) = live.predict("1", schema, tasks("play the red song"))
        assert before.model_version == f"cold-{schema.short}"
        store.project("1").publish_pool([{"text": t} for t in TEXTS])
        until(lambda: live.version("1", schema) != before.model_version)
        (after,) = live.predict("1", schema, tasks("play the red song"))
        assert after.model_version == live.version("1", schema)
        assert after.model_version.startswith(f"cold-{schema.short}-")
        assert after.score != before.score
    with serving(store, tiny) as live:  # told before anything is loaded
        assert live.version("1", schema) == after.model_version


def test_a_pool_without_texts_of_the_config_changes_nothing(store: Store, tiny: Base) -> None:
    schema = config(COLOURS)
    store.project("1").publish_pool([{"body": "play"}])
    with serving(store, tiny) as live:
        (got,) = live.predict("1", schema, tasks("play"))
    assert got.model_version == f"cold-{schema.short}"


def memory() -> int:
    """Resident bytes of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.model
def test_memory_stays_flat_over_200_evictions_and_200_swaps(store: Store, tiny: Base) -> None:
    schema = config(COLOURS)
    names = [str(n) for n in range(1, 7)]
    versions = {
        n: [promote(store, n, tiny, schema, 10 * int(n) + i) for i in (0, 1)] for n in names
    }
    one = Network(tiny).prepare({}).nbytes  # nothing merged: no bytes
    opened = load_version(tiny, store.project("1").adapter_folder(versions["1"][0]), schema)
    size = opened.tensors.nbytes
    assert one == 0 < size
    with serving(store, tiny, memory_mb=2.5 * size / 1e6) as live:

        def round_trip(i: int) -> None:
            name = names[i % len(names)]
            now, to = versions[name][::-1] if i // len(names) % 2 else versions[name]
            project = store.project(name)
            if project.current().version != to:
                project.move_current(project.current().version, to, "test", "")
            until(lambda: live.predict(name, schema, tasks("play"))[0].model_version == to)

        for i in range(24):
            round_trip(i)
        before = memory()
        for i in range(24, 24 + 200):
            round_trip(i)
        grown = memory() - before
        state = live.health()
        asleep = [n for n, p in state["projects"].items() if p["asleep"]]
        assert len(asleep) == 4  # two fit
        assert state["memory"]["used"] <= state["memory"]["most"]
        assert state["evictions"] >= 200
    assert grown < 20 * size, f"{grown} bytes more after 200 swaps, one adapter has {size}"


def test_a_project_that_was_let_go_of_keeps_its_name_and_comes_back(
    store: Store, tiny: Base
) -> None:
    schema = config(COLOURS)
    versions = {n: promote(store, n, tiny, schema, int(n)) for n in "12"}
    with serving(store, tiny, memory_mb=0) as live:
        first = live.predict("1", schema, tasks(*TEXTS))
        live.predict("2", schema, tasks(*TEXTS))
        until(lambda: live.health()["projects"]["1"]["asleep"])
        assert live.health()["evictions"] == 1
        assert live.version("1", schema) == versions["1"]
        assert said(live.predict("1", schema, tasks(*TEXTS))) == said(first)


def test_a_request_that_would_take_too_long_is_refused_at_once(store: Store, tiny: Base) -> None:
    with serving(store, tiny) as live:
        schema = config(COLOURS)
        many = tasks(*["play the red song please " * 20] * 400)
        live.predict("1", schema, many, bulk=True)  # measures the rate
        began = time.monotonic()
        with pytest.raises(Overloaded, match="send fewer tasks") as refused:
            live.predict("1", schema, many * 50, bulk=True, timeout_s=1.0)
        assert time.monotonic() - began < 3
        assert refused.value.retry_after >= 1
        assert live.predict("1", schema, tasks("play"))


def test_weights_of_another_base_or_mode_are_refused_by_a_network(tiny: Base) -> None:
    other = Network(kind_of("bert")).prepare({})
    with pytest.raises(ValueError, match="another network"):
        Network(tiny).activate("x", other)
    with pytest.raises(ValueError, match="another network"):
        Network(tiny).activate("x", Network(tiny, Mode(dtype=torch.bfloat16)).prepare({}))
