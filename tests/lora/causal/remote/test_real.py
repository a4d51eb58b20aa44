"""The same base on real servers: llama.cpp's own, llama-cpp-python's, `transformers serve`.

Each runs where its package is installed. vLLM was not at hand: tests/lora/causal/remote/vllm.py.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from label_config import Inputs, Span, read_schema
from label_config.controls import Schema
from label_config.values import Quantity
from lora.base import load_base, load_reader
from lora.bundled import converted
from lora.causal.answer import Answerer
from lora.causal.network import CausalNetwork
from lora.causal.ready import ready_causal
from lora.causal.remote.client import Client, Kind, Server
from lora.causal.remote.engine import RemoteEngine, start_remote
from lora.engine import LaneSettings
from lora.errors import BaseUnavailable, EngineDown, Refused
from lora.loaded import Loaded
from lora.recipe import find_source
from lora.weights import Mode
from sync.start.process import LOOPBACK, free_port, start, wait_until
from tests.lora.causal.hard import texts
from tests.lora.causal.made import causal_base

pytestmark = pytest.mark.real

CONFIG = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="intent" toName="t"><Choice value="PlayMusic"/><Choice value="GetWeather"/>'
    '<Choice value="BookRestaurant"/></Choices>'
    '<Labels name="parts" toName="t"><Label value="place"/><Label value="time"/></Labels>'
    '<Choices name="any" toName="t" choice="multiple"><Choice value="red"/><Choice value="blue"/>'
    '</Choices><Number name="n" toName="t" min="0"/><TextArea name="reply" toName="t"/></View>'
)
ROWS = [Inputs({"text": "will it rain in Oslo tomorrow?"})]


@dataclass(frozen=True)
class Way:
    """How a server is started; `likelihoods`: whether it returns those of a prompt's tokens."""

    package: str
    kind: Kind
    likelihoods: bool
    grammar: str

    def command(self, port: int, gguf: str, folder: str) -> list[str]:
        if self.package == "xllamacpp":
            return [str(Path(__file__).parent / "llama_cpp.py"), str(port), gguf]
        if self.package == "llama_cpp":
            how = ["--n_ctx", "1024", "--logits_all", "true", "--n_threads", "1"]
            return ["-m", "llama_cpp.server", "--model", gguf, "--port", str(port), *how]
        where = ["--port", str(port), "--host", LOOPBACK, "--device", "cpu"]
        return ["-m", "transformers.cli.transformers", "serve", folder, *where]


def lane(way: Way) -> LaneSettings:
    """Short answers of servers that are slow on a CPU."""
    return LaneSettings(answer_tokens=28 if way.package == "xllamacpp" else 6, answer_s=300)


WAYS = {
    "llama.cpp": Way("xllamacpp", "llama.cpp", False, "lark"),
    "llama-cpp-python": Way("llama_cpp", "llama-cpp-python", True, "gbnf"),
    "transformers": Way("fastapi", "openai", False, ""),
}


@pytest.fixture(scope="module", params=list(WAYS))
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Way, Server]]:
    way = WAYS[request.param]
    if importlib.util.find_spec(way.package) is None:
        pytest.skip(f"{request.param}: the package {way.package} is not installed")
    port = free_port()
    source = find_source("smollm")
    folder = str(converted(source).folder)
    command = [sys.executable, *way.command(port, str(source.folder / source.gguf), folder)]
    place = tmp_path_factory.mktemp("server")
    # `transformers serve` lists the hub's cache, and fails where there is none
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(place)}
    process = start(request.param, command, place, env)
    model = folder if way.kind == "openai" else ""
    server = Server(f"http://{LOOPBACK}:{port}", kind=way.kind, model=model)
    try:
        wait_until(process, lambda: _answers(server), 60)
        yield way, server
    finally:
        process.stop()


def _answers(server: Server) -> bool:
    try:
        Client(server, pause_s=0.1).models()
    except (EngineDown, Refused, TimeoutError):
        return False
    return True


@pytest.fixture(scope="module")
def engine(running: tuple[Way, Server]) -> Iterator[RemoteEngine]:
    made = start_remote(load_reader("smollm"), lane(running[0]), running[1])
    yield made
    made.lane.close()


@pytest.fixture(scope="module")
def schema() -> Schema:
    return read_schema(CONFIG)


def cold(engine: RemoteEngine, schema: Schema) -> Loaded:
    return engine.ready(None, schema, (), "cold")


def test_what_the_server_can_do_is_found_out(
    running: tuple[Way, Server], engine: RemoteEngine, schema: Schema
) -> None:
    way, report = running[0], engine.report()
    assert (report["likelihoods"] is True) == way.likelihoods
    assert (report["grammar"] or "") == way.grammar
    served = {c.name for c in cold(engine, schema).schema.controls}
    assert ("intent" in served) == way.likelihoods and "parts" in served
    if not way.likelihoods:
        (why,) = cold(engine, schema).schema.unsupported
        assert why.name == "intent" and "log-probabilities of a prompt's tokens" in why.reason


def test_answers_are_of_their_kind_and_spans_lie_in_the_text(
    running: tuple[Way, Server], engine: RemoteEngine, schema: Schema
) -> None:
    hard = [Inputs({"text": text[:100]}) for _, text in texts(8) if text.strip()]
    rows = ROWS + (hard if running[0].package == "xllamacpp" else [])
    only = schema.without({"intent"}, "", "")  # its likelihoods are another test's
    found = engine.answerer.answer(cold(engine, only), rows)
    for inputs, answer in zip(rows, found, strict=True):
        assert answer is not None and 0 <= answer.score <= 1
        for region in answer.regions:
            if isinstance(region, Span):
                assert inputs.texts["text"][region.start : region.end] == region.text
            if isinstance(region, Quantity):
                assert region.value >= 0
    said = {r.from_name for a in found if a is not None for r in a.regions}
    assert "reply" in said and (running[0].package != "xllamacpp" or "n" in said)


def test_likelihoods_are_those_of_our_own_engine(
    running: tuple[Way, Server], engine: RemoteEngine, schema: Schema
) -> None:
    """But for rounding: its weights have 4 bits as the file's, and so have its sums 8."""
    if not running[0].likelihoods:
        pytest.skip("this server returns none, and is refused for it above")
    net = CausalNetwork(load_base("smollm", threads=1), Mode())
    here, there = ready_causal(net, None, schema, cold="cold"), cold(engine, schema)
    ours, theirs = Answerer(net).likelihoods(here, ROWS), engine.answerer.likelihoods(there, ROWS)
    for (_, mine), (_, found) in zip(ours, theirs, strict=True):
        gap = mine["PlayMusic"] - found["PlayMusic"]
        for value in mine:
            assert found[value] + gap == pytest.approx(mine[value], abs=0.5)
        assert max(mine, key=mine.__getitem__) == max(found, key=found.__getitem__)


def test_another_bases_tokenizer_is_noticed(running: tuple[Way, Server]) -> None:
    other = replace(causal_base("llama"), model=None)
    with pytest.raises(BaseUnavailable, match="it serves another base"):
        start_remote(other, lane(running[0]), running[1])
