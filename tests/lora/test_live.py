"""Live serving: CURRENT moves, nobody notices but by better answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from label_config import read_schema
from label_config.controls import Schema
from label_config.values import Inputs, Prediction, Task
from lora.adapter import MANIFEST
from lora.answer import answer
from lora.base import Base
from lora.engine import LaneSettings
from lora.errors import BaseUnavailable, NotReady, Overloaded
from lora.live import Live
from lora.loaded import load_cold, load_version
from lora.network import Network
from lora.store import ProjectStore, Store, write_atomic
from tests.lora.made import CONFIG, MakeVersion

TEXTS = ["play the red song", "buy a coat please", "paint the wall blue now", "stop"]


def tasks(*texts: str) -> list[Task]:
    return [Task(i + 1, "1", {"text": t}) for i, t in enumerate(texts)]


@contextmanager
def serving(store: Store, base: Base, queue: int = 64) -> Iterator[Live]:
    live = Live(store, lambda name: base, base.name, poll_s=0.01, lane=LaneSettings(queue))
    live.start()
    try:
        yield live
    finally:
        live.close()


@pytest.fixture
def live(store: Store, tiny: Base) -> Iterator[Live]:
    with serving(store, tiny) as live:
        yield live


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def version(live: Live, schema: Schema) -> str:
    (one,) = live.predict("1", schema, tasks("play"))
    return one.model_version


def test_without_an_adapter_the_cold_start_answers(live: Live, schema: Schema) -> None:
    got = live.predict("1", schema, tasks(*TEXTS))
    assert [p.task for p in got] == [1, 2, 3, 4]
    assert {p.model_version for p in got} == {f"cold-{schema.short}"}
    assert all(p.regions for p in got)
    assert len({p.vector for p in got}) == len({*TEXTS}) and all(p.vector for p in got)


def test_what_is_said_before_loading_is_what_predictions_then_carry(
    store: Store, project: ProjectStore, make_version: MakeVersion, schema: Schema, tiny: Base
) -> None:
    made = make_version(1)
    project.move_current(None, made.version, "gate", "")
    other = read_schema(CONFIG.replace("blue", "navy").replace("colour", "shade"))
    live = Live(store, lambda name: tiny, "tiny", poll_s=0.01)
    said = [live.version("1", schema), live.version("1", other)]
    assert said == [made.version, f"{made.version}+{other.short}"]
    live.start()
    assert [version(live, s) for s in (schema, other)] == said
    live.close()


def test_asking_for_the_version_waits_for_nothing(store: Store, schema: Schema) -> None:
    def never(name: str) -> Base:
        raise BaseUnavailable("not installed")

    live = Live(store, never, "tiny", poll_s=0.01)
    live.start()
    assert live.version("1", schema) == f"cold-{schema.short}"
    with pytest.raises(NotReady, match="not installed"):
        live.predict("1", schema, tasks("play"))
    assert live.health()["ready"] is False and "not installed" in live.health()["error"]
    live.close()


def test_a_move_of_current_is_followed(
    live: Live, project: ProjectStore, make_version: MakeVersion, schema: Schema
) -> None:
    assert version(live, schema).startswith("cold-")
    assert live.health()["swaps"] == 0
    made = make_version(1)
    project.move_current(None, made.version, "gate", "")
    until(lambda: version(live, schema) == made.version)
    assert live.health()["swaps"] == 1
    assert live.version("1", schema) == made.version
    assert live.health()["projects"]["1"]["version"] == made.version


def test_a_rollback_to_the_cold_start_is_followed(
    live: Live, project: ProjectStore, make_version: MakeVersion, schema: Schema
) -> None:
    made = make_version(1)
    project.move_current(None, made.version, "gate", "")
    until(lambda: version(live, schema) == made.version)
    project.move_current(made.version, None, "anna", "worse")
    until(lambda: version(live, schema).startswith("cold-"))


def test_a_broken_next_version_leaves_the_old_one_serving(
    live: Live, project: ProjectStore, make_version: MakeVersion, schema: Schema
) -> None:
    good, bad = make_version(1), make_version(2)
    project.move_current(None, good.version, "gate", "")
    until(lambda: version(live, schema) == good.version)
    (project.adapter_folder(bad.version) / "heads.json").unlink()
    pointer = project.folder / "CURRENT.json"
    write_atomic(pointer, pointer.read_text().replace(good.version, bad.version))
    until(lambda: live.health()["projects"]["1"]["error"] is not None)
    state = live.health()["projects"]["1"]
    assert (state["version"], state["wanted"]) == (good.version, bad.version)
    assert version(live, schema) == live.version("1", schema) == good.version
    project.move_current(bad.version, good.version, "anna", "back")
    until(lambda: live.health()["projects"]["1"]["error"] is None)


def test_a_version_that_breaks_before_it_is_loaded_shows_in_health(
    store: Store, project: ProjectStore, make_version: MakeVersion, schema: Schema, tiny: Base
) -> None:
    good, bad = make_version(1), make_version(2)
    project.move_current(None, good.version, "gate", "")
    project.move_current(good.version, bad.version, "gate", "")
    (project.adapter_folder(bad.version) / "heads.json").write_text("{}")
    with serving(store, tiny) as live:
        assert version(live, schema) == good.version
        state = live.health()["projects"]["1"]
        assert (state["version"], state["wanted"]) == (good.version, bad.version)
        assert "heads.json" in state["error"]


def test_with_no_version_that_loads_the_cold_start_answers(
    store: Store, project: ProjectStore, make_version: MakeVersion, schema: Schema, tiny: Base
) -> None:
    bad = make_version(1)
    project.move_current(None, bad.version, "gate", "")
    (project.adapter_folder(bad.version) / MANIFEST).unlink()
    with serving(store, tiny) as live:
        assert live.version("1", schema) == f"cold-{schema.short}"
        assert version(live, schema) == f"cold-{schema.short}"


def test_a_fallback_is_never_one_that_was_withdrawn_or_kept_back(
    store: Store, project: ProjectStore, make_version: MakeVersion, schema: Schema, tiny: Base
) -> None:
    one, two, _kept_back, bad = (make_version(seed) for seed in (1, 2, 3, 4))
    before = None
    for made in (one, two, bad):
        project.move_current(before, made.version, "gate", "")
        before = made.version
    project.set_withdrawn(two.version, True)
    (project.adapter_folder(bad.version) / MANIFEST).unlink()
    with serving(store, tiny) as live:
        assert version(live, schema) == one.version


def test_a_current_that_cannot_be_read_keeps_what_serves(
    live: Live, project: ProjectStore, make_version: MakeVersion, schema: Schema
) -> None:
    made = make_version(1)
    project.move_current(None, made.version, "gate", "")
    until(lambda: version(live, schema) == made.version)
    (project.folder / "CURRENT.json").write_text("{")
    until(lambda: live.health()["projects"]["1"]["error"] is not None)
    assert version(live, schema) == made.version


def test_a_changed_config_is_served_under_its_own_name(
    live: Live, project: ProjectStore, make_version: MakeVersion, schema: Schema
) -> None:
    made = make_version(1)
    project.move_current(None, made.version, "gate", "")
    until(lambda: version(live, schema) == made.version)
    wider = read_schema(CONFIG.replace('"paint"/>', '"paint"/><Choice value="sell"/>'))
    assert version(live, wider) == live.version("1", wider) == f"{made.version}+{wider.short}"
    assert version(live, schema) == made.version


def test_blind_tasks_are_answered_empty_as_soon_as_they_are_published(
    live: Live, project: ProjectStore, schema: Schema
) -> None:
    assert all(p.regions for p in live.predict("1", schema, tasks(*TEXTS)))
    project.publish_blind([2])
    got = live.predict("1", schema, tasks(*TEXTS))
    assert [bool(p.regions) for p in got] == [True, False, True, True]
    assert (got[1].reason, got[1].score, got[1].model_version) == (
        "blind",
        0.5,
        got[0].model_version,
    )


def test_without_a_readable_blind_list_nothing_is_shown(
    live: Live, project: ProjectStore, schema: Schema
) -> None:
    version(live, schema)
    project.folder.mkdir(parents=True, exist_ok=True)
    (project.folder / "blind.json").write_text("[1, ")
    with pytest.raises(NotReady, match="blind.json"):
        live.predict("1", schema, tasks("play"))
    project.publish_blind([9])
    assert version(live, schema)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "absent"),
        ({"text": ""}, "empty"),
        ({"text": None}, "absent"),
        ({"text": ["a"]}, "list"),
        ({"text": True}, "bool"),
    ],
)
def test_a_task_that_cannot_be_read_gets_an_empty_answer_with_the_reason(
    live: Live, schema: Schema, data: dict[str, object], reason: str
) -> None:
    bad, good = live.predict("1", schema, [Task(1, "1", data), *tasks("play")])
    assert bad.regions == () and reason in (bad.reason or "")
    assert good.regions


def test_a_very_long_text_is_read_up_to_its_limit(live: Live, schema: Schema) -> None:
    (got,) = live.predict("1", schema, tasks("play the song 👍🏽 " * 50_000))
    assert got.regions


def test_no_tasks_are_no_predictions(live: Live, schema: Schema) -> None:
    assert live.predict("1", schema, []) == []


def test_a_project_id_cannot_leave_the_store(live: Live, schema: Schema) -> None:
    with pytest.raises(ValueError, match="project id"):
        live.predict("../2", schema, tasks("play"))


def test_a_full_lane_refuses_the_whole_request(store: Store, schema: Schema, tiny: Base) -> None:
    with serving(store, tiny, queue=1) as live:
        version(live, schema)
        refused: list[Exception] = []

        def many() -> None:
            try:
                live.predict("1", schema, tasks(*TEXTS * 20), bulk=True)
            except Overloaded as error:
                refused.append(error)

        threads = [threading.Thread(target=many) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert refused
        assert len(live.predict("1", schema, tasks(*TEXTS))) == len(TEXTS)


def test_closing_ends_both_threads(store: Store, schema: Schema, tiny: Base) -> None:
    before = set(threading.enumerate())  # another Live may serve the gallery's tests

    def ours() -> list[threading.Thread]:
        return [t for t in set(threading.enumerate()) - before if "annotune" in t.name]

    with serving(store, tiny) as live:
        version(live, schema)
        assert ours()
    until(lambda: not ours())  # a base that an earlier test let go of may come only now, and end
    with pytest.raises(NotReady):
        live.predict("1", schema, tasks("play"))


def flips_without_mixing(
    store: Store, base: Base, schema: Schema, versions: list[str], flips: int, every_s: float
) -> None:
    """4 threads ask while CURRENT flips; each answer must be what its version gives offline."""
    project = store.project("1")
    offline = offline_answers(base, project, schema, versions)
    wrong: list[str] = []
    seen: set[str] = set()
    done = threading.Event()

    def check(got: list[Prediction]) -> None:
        names = {p.model_version for p in got}
        seen.update(names)
        if len(names) != 1:
            wrong.append(f"mixed: {names}")
            return
        want = offline[names.pop()]
        for p, (regions, score) in zip(got, want, strict=True):
            if [(r.labels, getattr(r, "start", None)) for r in p.regions] != regions:
                wrong.append(f"{p.model_version} answered otherwise")
            elif abs(p.score - score) > 1e-3:
                wrong.append(f"{p.model_version} scored {p.score}, alone {score}")

    def ask(live: Live) -> None:
        while not done.is_set():
            try:
                check(live.predict("1", schema, tasks(*TEXTS * 6)))
            except Exception as error:
                wrong.append(repr(error))

    with serving(store, base) as live:
        version(live, schema)
        threads = [threading.Thread(target=ask, args=(live,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(flips):
            now = project.current().version
            to = versions[i % len(versions)]
            if now != to:
                project.move_current(now, to, "test", "")
            time.sleep(every_s)
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert seen >= set(versions)


def offline_answers(
    base: Base, project: ProjectStore, schema: Schema, versions: list[str]
) -> dict[str, list[tuple[list[tuple[object, object]], float]]]:
    network = Network(base)
    contestants = [load_cold(base, schema)]
    contestants += [load_version(base, project.adapter_folder(v), schema) for v in versions]
    rows = [Inputs({"text": t}) for t in TEXTS * 6]
    return {
        loaded.version: [
            ([(r.labels, getattr(r, "start", None)) for r in a.regions], a.score)
            for a in answer(network, loaded, rows)
        ]
        for loaded in contestants
    }


def test_no_answer_mixes_two_versions(
    store: Store, schema: Schema, tiny: Base, make_version: MakeVersion
) -> None:
    versions = [make_version(1).version, make_version(2, rank=8).version]
    flips_without_mixing(store, tiny, schema, versions, flips=12, every_s=0.04)


@pytest.mark.model
def test_no_answer_mixes_two_versions_of_the_real_model(
    store: Store, schema: Schema, minilm: Base, make_version: MakeVersion, tmp_path: Path
) -> None:
    versions = [make_version(1, base=minilm).version, make_version(2, base=minilm).version]
    flips_without_mixing(store, minilm, schema, versions, flips=50, every_s=0.5)


def test_a_blind_list_that_vanishes_still_holds(
    live: Live, project: ProjectStore, schema: Schema
) -> None:
    project.publish_blind([2])
    until(lambda: not live.predict("1", schema, tasks(*TEXTS))[1].regions)
    (project.folder / "blind.json").unlink()
    assert live.predict("1", schema, tasks(*TEXTS))[1].reason == "blind"
    assert "blind.json is gone" in live.health()["projects"]["1"]["error"]
