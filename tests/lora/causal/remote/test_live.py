"""Live serving through a server: the laws of our own engine hold, whatever the server does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from label_config import read_schema
from label_config.controls import Schema
from label_config.values import Prediction, Task
from lora.base import Base
from lora.causal.remote.client import Kind, Server
from lora.engine import LaneSettings
from lora.errors import NotReady
from lora.live import Live
from lora.store import Store
from tests.lora.causal.made import causal_base
from tests.lora.causal.remote.made import version
from tests.lora.causal.remote.vllm import Vllm, running

CONFIG = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="what" toName="t"><Choice value="play"/><Choice value="buy"/></Choices>'
    '<TextArea name="note" toName="t"/></View>'
)
ONE, TWO = "v1-00000001", "v2-00000002"


@pytest.fixture(scope="module")
def base() -> Base:
    return causal_base("llama")


@pytest.fixture(scope="module")
def schema() -> Schema:
    return read_schema(CONFIG)


@pytest.fixture
def server(base: Base) -> Iterator[Vllm]:
    with running(Vllm(base)) as server:
        yield server


@contextmanager
def serving(store: Path, base: Base, server: Vllm, kind: Kind = "vllm") -> Iterator[Live]:
    lane = LaneSettings(answer_tokens=6, answer_s=20, remote=Server(server.url, kind=kind))
    reader = replace(base, model=None)
    live = Live(Store(store), lambda name: reader, base.name, poll_s=0.01, lane=lane)
    live.start()
    try:
        yield live
    finally:
        live.close()


@pytest.fixture
def store(tmp_path: Path, base: Base, schema: Schema) -> Path:
    for n in (1, 2):
        version(tmp_path, base, schema, n)
    return tmp_path


def move(store: Path, of: str | None, to: str | None) -> None:
    Store(store).project("1").move_current(of, to, "gate", "")


def tasks(*texts: str) -> list[Task]:
    return [Task(i + 1, "1", {"text": t}) for i, t in enumerate(texts)]


def ask(live: Live, schema: Schema, *texts: str) -> list[Prediction]:
    return live.predict("1", schema, tasks(*(texts or ("play the red song",))))


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_a_request_is_finished_by_the_version_that_began_it_and_only_then_is_that_let_go(
    store: Path, base: Base, schema: Schema, server: Vllm
) -> None:
    with serving(store, base, server) as live:
        move(store, None, ONE)
        (before,) = ask(live, schema)
        assert before.model_version == ONE and before.regions
        server.hold.clear()
        late: list[Prediction] = []
        asker = threading.Thread(target=lambda: late.extend(ask(live, schema, "play", "buy a hat")))
        asker.start()
        until(lambda: server.waiting > 0)
        move(store, ONE, TWO)
        until(lambda: live.version("1", schema) == TWO)
        assert set(server.adapters) == {ONE, TWO}
        server.hold.set()
        asker.join()
        assert [p.model_version for p in late] == [ONE, ONE] and all(p.regions for p in late)
        (after,) = ask(live, schema)
        assert after.model_version == TWO and after.regions != before.regions
        until(lambda: set(server.adapters) == {TWO})
    unloads = [body for path, body in server.asked if path == "/v1/unload_lora_adapter"]
    assert unloads == [{"lora_name": ONE}]


def test_swaps_while_many_ask_mix_nothing_and_fail_nothing(
    store: Path, base: Base, schema: Schema, server: Vllm
) -> None:
    rows = ["play the red song", "buy a hat"]
    with serving(store, base, server) as live:
        said: dict[str, Any] = {}
        for old, new in ((None, ONE), (ONE, TWO)):
            move(store, old, new)
            until(lambda new=new: live.version("1", schema) == new)
            said[new] = [p.regions for p in ask(live, schema, *rows)]
        assert said[ONE] != said[TWO]
        stop, wrong, done = threading.Event(), [], []

        def go_on() -> None:
            while not stop.is_set():
                got = ask(live, schema, *rows)
                versions = {p.model_version for p in got}
                if len(versions) != 1 or not _alike([p.regions for p in got], said[versions.pop()]):
                    wrong.append(got)
                done.append(1)

        askers = [threading.Thread(target=go_on) for _ in range(3)]
        for asker in askers:
            asker.start()
        for i in range(6):
            old, new = (TWO, ONE) if i % 2 == 0 else (ONE, TWO)
            move(store, old, new)
            until(lambda new=new: live.version("1", schema) == new)
            before = len(done)
            until(lambda before=before: len(done) > before)  # however busy the cores are
        stop.set()
        for asker in askers:
            asker.join()
    assert not wrong and len(done) >= 6


def _alike(one: Any, two: Any) -> bool:
    """The same but for the last digits of scores."""
    return [[replace(r, score=None) for r in row] for row in one] == [
        [replace(r, score=None) for r in row] for row in two
    ]


def test_a_server_that_is_down_is_a_clear_503_and_comes_back(
    store: Path, base: Base, schema: Schema, server: Vllm
) -> None:
    with serving(store, base, server) as live:
        assert ask(live, schema)[0].regions
        server.down = True
        with pytest.raises(NotReady, match=r"does not answer: HTTP 503 starting up"):
            ask(live, schema)
        assert "does not answer" in live.health()["error"]
        asked = len(server.asked)
        server.down = False
        assert ask(live, schema)[0].regions
        assert live.health()["error"] is None and len(server.asked) > asked


def test_without_a_server_at_the_start_requests_say_so(
    store: Path, base: Base, schema: Schema, server: Vllm
) -> None:
    server.down = True
    with serving(store, base, server) as live:
        with pytest.raises(NotReady, match="base 'llama' waits for its inference server"):
            ask(live, schema)
        assert not live.health()["ready"]


def test_a_text_that_the_server_refuses_costs_only_itself(
    store: Path, base: Base, schema: Schema, server: Vllm, caplog: pytest.LogCaptureFixture
) -> None:
    server.refuse = "qqq"
    with serving(store, base, server) as live:
        good, bad, fine = ask(live, schema, "play", "the secret qqq", "buy")
        assert [base["refused"] for base in live.health()["bases"].values()] == [1]
    assert good.regions and fine.regions
    assert bad.regions == () and bad.reason == "the model failed on this text"
    assert "secret" not in caplog.text and "refused a row (HTTP 400)" in caplog.text


def test_a_server_started_anew_gets_its_adapters_again(
    store: Path, base: Base, schema: Schema, server: Vllm
) -> None:
    with serving(store, base, server) as live:
        move(store, None, ONE)
        (before,) = ask(live, schema)
        server.forget()
        (after,) = ask(live, schema)
        assert after.regions == before.regions and after.model_version == ONE
        assert set(server.adapters) == {ONE}


def test_without_likelihoods_the_controls_that_need_them_are_refused_by_name(
    store: Path, base: Base, schema: Schema, server: Vllm
) -> None:
    server.likelihoods = False
    with serving(store, base, server) as live:
        (got,) = ask(live, schema)
        assert {r.from_name for r in got.regions} == {"note"}
        health = live.health()
        assert "no log-probabilities of a prompt's tokens" in health["base"]["likelihoods"]
        assert "answered by likelihoods" in health["projects"]["1"]["refused"]["what"]
        only = read_schema(CONFIG.replace('<TextArea name="note" toName="t"/>', ""))
        (none,) = ask(live, only)
        assert none.regions == () and "answered by likelihoods" in (none.reason or "")


def test_a_server_of_one_model_serves_the_version_of_its_name_and_no_other(
    store: Path, base: Base, schema: Schema, server: Vllm
) -> None:
    server.adapters[TWO] = str(store / "projects" / "1" / "adapters" / TWO)
    server.strict = False
    with serving(store, base, server, "openai") as live:
        move(store, None, TWO)
        assert ask(live, schema)[0].model_version == TWO
        move(store, TWO, ONE)
        until(lambda: bool(live.health()["projects"]["1"]["error"]))
        told = live.health()["projects"]["1"]["error"]
        assert f"serves 'tiny', '{TWO}' and loads no adapters, so {ONE} waits" in told
        assert ask(live, schema)[0].model_version == TWO
        del server.adapters[TWO]  # started anew with another model
        time.sleep(1.1)
        with pytest.raises(NotReady, match=f"no more '{TWO}'"):
            ask(live, schema)
    assert not [p for p, _ in server.asked if "lora" in p]


def test_the_key_is_sent_and_its_absence_told(
    store: Path, base: Base, schema: Schema, server: Vllm
) -> None:
    server.key = "hush"
    with serving(store, base, server) as live:
        with pytest.raises(NotReady, match="HTTP 401 Unauthorized"):
            ask(live, schema)
    assert "hush" not in repr(Server(server.url, "hush"))
