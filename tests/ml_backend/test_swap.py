"""A causal base over HTTP while its versions are swapped: nothing fails, nothing is mixed, and what
was begun is finished by the version that began it, within the time limit of an answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from label_config import Inputs, read_schema
from label_config.wire import write_result
from lora.adapter import Recipe
from lora.base import Base
from lora.causal.answer import Answerer, Limits
from lora.causal.decode import Decoder
from lora.causal.files import FORMAT, TABLE
from lora.causal.network import CausalNetwork
from lora.causal.prompt import VERSION
from lora.engine import LaneSettings
from lora.live import Live
from lora.loaded import open_version, ready
from lora.store import ProjectStore, Store
from ml_backend.app import create_app
from ml_backend.wsgi import make_server
from settings import Backend
from tests.lora.causal.made import causal_base, write_causal
from tests.ml_backend.fakes import ListedJobs
from tests.served import served

CONFIG = """<View><Text name="t" value="$text"/>
<Labels name="parts" toName="t"><Label value="thing"/><Label value="colour"/></Labels>
<TextArea name="note" toName="t"/></View>"""
SCHEMA = read_schema(CONFIG)
TEXTS = ["play the red song", "buy a coat please", "paint the wall blue now", "stop the music"]
CLIENTS, SWAPS, TOKENS = 4, 20, 16

Said = list[tuple[str, str]]
"""Of each region its control and value."""


@pytest.fixture(scope="module")
def base() -> Base:
    return causal_base("llama")


@pytest.fixture
def project(tmp_path: Path) -> ProjectStore:
    return Store(tmp_path).project("1")


def commit(project: ProjectStore, base: Base, seed: int) -> str:
    """An adapter of random numbers, so one that writes its own texts, as a version."""
    staging = project.staging()
    write_causal(staging, base, seed)
    table = {"format": FORMAT, "prompt": VERSION, "controls": {}}
    (staging / TABLE).write_text(json.dumps(table))
    recipe = Recipe(base.name, base.revision, f"{seed:064x}", {}, seed)
    made = project.commit(
        staging, recipe, schema=SCHEMA.digest, config=CONFIG, labels=1, parent=None, scores={}
    )
    return made.version


def move(project: ProjectStore, version: str) -> None:
    project.move_current(project.current().version, version, "test", "")


def said(result: Sequence[dict[str, Any]]) -> Said:
    return [(r["from_name"], json.dumps(r["value"], sort_keys=True)) for r in result]


def offline(base: Base, project: ProjectStore, version: str, limits: Limits) -> dict[str, Said]:
    """What a version says by itself, by text."""
    network = CausalNetwork(base)
    loaded = ready(network, open_version(network, project.adapter_folder(version)), SCHEMA)
    answers = Answerer(network, limits).answer(loaded, [Inputs({"text": t}) for t in TEXTS])
    return {
        text: said(write_result(SCHEMA, 0, a.regions, {"text": text}))
        for text, a in zip(TEXTS, answers, strict=True)
    }


@contextmanager
def serving(
    project: ProjectStore, base: Base, lane: LaneSettings
) -> Iterator[tuple[Live, httpx.Client]]:
    """The real server on a free port, in front of the real engine."""
    live = Live(Store(project.folder.parents[1]), lambda _: base, base.name, poll_s=0.01, lane=lane)
    own = Backend(port=0, threads=CLIENTS)
    server = make_server(create_app(own, live, ListedJobs(), list), own)
    live.start()
    try:
        with (
            served(server) as url,
            httpx.Client(base_url=url, trust_env=False, timeout=30) as client,
        ):
            yield live, client
    finally:
        live.close()


def predict(client: httpx.Client, *texts: str) -> list[dict[str, Any]]:
    tasks = [{"id": i, "data": {"text": t}} for i, t in enumerate(texts)]
    body = {"project": "1.1", "label_config": CONFIG, "tasks": tasks}
    answer = client.post("/predict", json=body)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


def test_no_answer_fails_or_mixes_versions_while_they_are_swapped(
    project: ProjectStore, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = versions = [commit(project, base, seed) for seed in (1, 2)]
    alone = {v: offline(base, project, v, Limits(TOKENS, 60)) for v in versions}
    assert all(alone[one][t] != alone[two][t] for t in TEXTS)
    together: list[int] = []
    step = Decoder.step

    def noted(self: Decoder) -> int:
        together.append(len(self._groups))
        return step(self)

    monkeypatch.setattr(Decoder, "step", noted)
    wrong: list[str] = []
    answered: dict[str, int] = {}
    done = threading.Event()

    def load(client: httpx.Client, k: int) -> None:
        n = k
        while not done.is_set():
            texts = [TEXTS[(n + i) % 4] for i in range(1 + k % 2)]
            n += 1
            time.sleep(0.005 * k)  # or all would begin and end together
            try:
                results = predict(client, *texts)
            except httpx.HTTPError as error:
                wrong.append(f"failed: {error!r}")
                continue
            names = {r["model_version"] for r in results}
            if len(names) != 1:
                wrong.append(f"mixed: {names}")
                continue
            (version,) = names
            answered[version] = answered.get(version, 0) + 1
            if [said(r["result"]) for r in results] != [alone[version][t] for t in texts]:
                wrong.append(f"{version} answered otherwise than alone")

    move(project, one)
    lane = LaneSettings(answer_tokens=TOKENS, answer_s=60)
    with serving(project, base, lane) as (live, client):
        predict(client, TEXTS[0])
        threads = [threading.Thread(target=load, args=(client, k)) for k in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for n in range(SWAPS):
            to = versions[(n + 1) % 2]
            move(project, to)
            until(lambda to=to: live.version("1", SCHEMA) == to)  # type: ignore[misc]
            before = answered.get(to, 0)
            until(lambda to=to, b=before: answered.get(to, 0) > b or bool(wrong))  # type: ignore[misc]
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert answered.keys() == set(versions)
    assert max(together) == 2  # answers of both were under way at once


def test_an_answer_under_way_is_finished_by_its_version_within_its_time(
    project: ProjectStore, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = versions = [commit(project, base, seed) for seed in (1, 2)]
    whole = {v: offline(base, project, v, Limits(200, 60))[TEXTS[0]] for v in versions}
    assert all(len(text_of(whole[v])) > 60 for v in versions)
    begun, pause = threading.Event(), [0.0]
    step = Decoder.step

    def slow(self: Decoder) -> int:
        if pause[0] and self.open:
            begun.set()
            time.sleep(pause[0])
        return step(self)

    monkeypatch.setattr(Decoder, "step", slow)
    move(project, one)
    got: list[tuple[float, dict[str, Any]]] = []
    with serving(project, base, LaneSettings(answer_tokens=200, answer_s=0.6)) as (live, client):
        predict(client, TEXTS[0])  # the model is there, and warm
        pause[0] = 0.05  # now 200 tokens would take ten seconds

        def ask() -> None:
            began = time.monotonic()
            (result,) = predict(client, TEXTS[0])
            got.append((time.monotonic() - began, result))

        asking = threading.Thread(target=ask)
        asking.start()
        assert begun.wait(5)
        move(project, two)
        until(lambda: live.version("1", SCHEMA) == two)
        assert not got  # it is still being answered
        (later,) = predict(client, TEXTS[0])
        asking.join()
    took, first = got[0]
    assert (first["model_version"], later["model_version"]) == (one, two)
    assert 0.6 <= took < 5
    for version, result in ((one, first), (two, later)):
        text = text_of(said(result["result"]))
        assert text and text_of(whole[version]).startswith(text) and text != text_of(whole[version])


def text_of(regions: Said) -> str:
    """What was written."""
    (text,) = [json.loads(value)["text"][0] for name, value in regions if name == "note"]
    return str(text)
