"""A base on a server answers as our own engine does: same prompts, readers, laws.

The server is a fake of vLLM's documented API around a tiny base (tests/lora/causal/remote/vllm.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from label_config import Inputs, read_schema
from label_config.controls import Schema
from label_config.values import Region
from lora.base import Base
from lora.causal.answer import Answerer, Limits
from lora.causal.calibrate import Calibration
from lora.causal.network import CausalNetwork
from lora.causal.ready import ready_causal
from lora.causal.remote.client import Server
from lora.causal.remote.engine import RemoteEngine, start_remote
from lora.engine import LaneSettings
from lora.errors import BaseUnavailable, BrokenAdapter
from lora.loaded import Loaded, open_folder
from lora.weights import Mode
from tests.lora.causal.made import causal_base, sentence_chat
from tests.lora.causal.remote.made import CONFIG, version
from tests.lora.causal.remote.vllm import Vllm, running

ROWS = [
    Inputs({"text": "play the red song now"}),
    Inputs({"text": 'buy a "hat"\n\\ or 😀 <|im_end|> two'}),
    Inputs({"text": "paint the old house blue and then buy the red paint " * 30}),
]
LIMITS = LaneSettings(answer_tokens=24)


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


@pytest.fixture
def engine(server: Vllm, base: Base) -> Iterator[RemoteEngine]:
    made = start_remote(replace(base, model=None), LIMITS, Server(server.url, kind="vllm"))
    yield made
    made.lane.close()


def local(base: Base, schema: Schema, folder: Path | None = None) -> tuple[Answerer, Loaded]:
    net = CausalNetwork(base, Mode(True, torch.float32))
    opened = open_folder(net, folder, "v1-00000001", schema.digest) if folder else None
    loaded = ready_causal(net, opened, schema, cold="cold")
    return Answerer(net, Limits(24, 60)), loaded


def plain(regions: Sequence[Region]) -> set[Region]:
    """Without scores, which differ in the last digits, and in no order of windows."""
    return {replace(r, score=None) for r in regions}


def alike(one: Mapping[str, float], two: Mapping[str, float]) -> None:
    """The same but for what all options share."""
    first = next(iter(one))
    for value in one:
        assert one[value] - one[first] == pytest.approx(two[value] - two[first], abs=1e-3)


def test_every_kind_of_control_is_answered_as_by_our_own_engine(
    engine: RemoteEngine, base: Base, schema: Schema
) -> None:
    answerer, here = local(base, schema)
    there = engine.ready(None, schema, (), "cold")
    ours = answerer.answer(here, ROWS)
    for mine, theirs in zip(ours, engine.answerer.answer(there, ROWS), strict=True):
        assert theirs is not None
        assert plain(theirs.regions) == plain(mine.regions)
        assert {r.from_name for r in theirs.regions} >= {"what", "stars"}


def test_likelihoods_are_those_of_our_own_engine(
    engine: RemoteEngine, base: Base, schema: Schema
) -> None:
    answerer, here = local(base, schema)
    there = engine.ready(None, schema, (), "cold")
    ours = list(answerer.likelihoods(here, ROWS))
    for (one, mine), (two, theirs) in zip(
        ours, engine.answerer.likelihoods(there, ROWS), strict=True
    ):
        assert one == two
        alike(mine, theirs)


def test_an_adapter_is_loaded_by_its_folder_and_answers_as_here(
    engine: RemoteEngine, server: Vllm, base: Base, schema: Schema, tmp_path: Path
) -> None:
    folder = version(tmp_path, base, schema, 1)
    answerer, here = local(base, schema, folder)
    there = engine.ready(engine.open(folder), schema, (), "cold")
    loads = [body for path, body in server.asked if path == "/v1/load_lora_adapter"]
    assert loads == [{"lora_name": folder.name, "lora_path": str(folder.resolve())}]
    ours, theirs = list(answerer.likelihoods(here, ROWS)), engine.answerer.likelihoods(there, ROWS)
    for (one, mine), (two, other) in zip(ours, theirs, strict=True):
        assert one == two
        alike(mine, other)
    both = answerer.answer(here, ROWS), engine.answerer.answer(there, ROWS)
    for mine, found in zip(*both, strict=True):
        assert found is not None and plain(found.regions) == plain(mine.regions)
    since = [path for path, _ in server.asked].index("/v1/load_lora_adapter")
    assert {b["model"] for p, b in server.asked[since:] if p == "/v1/completions"} == {folder.name}


def test_calibration_is_the_adapters_own(
    engine: RemoteEngine, base: Base, schema: Schema, tmp_path: Path
) -> None:
    hot = version(tmp_path, base, schema, 1, {"what": 4.0})
    there = engine.ready(engine.open(hot), schema, (), "cold")
    assert there.calibration["what"] == Calibration(4.0)
    sure = engine.ready(engine.open(version(tmp_path, base, schema, 2)), schema, (), "cold")
    sure = replace(sure, tensors=there.tensors)
    scores = []
    for loaded in (there, sure):
        (found,) = engine.answerer.answer(loaded, ROWS[:1])
        assert found is not None
        scores += [r.score for r in found.regions if r.from_name == "what"]
    assert 1 / 3 <= scores[0] < scores[1]


def test_a_cold_start_takes_off_what_the_pool_shows(
    engine: RemoteEngine, base: Base, schema: Schema
) -> None:
    pool = [{"text": f"play {word} now"} for word in ("this", "that", "more", "some")]
    net = CausalNetwork(base, Mode(True, torch.float32))
    ours = ready_causal(net, None, schema, pool).calibration
    theirs = engine.ready(None, schema, pool, "cold").calibration
    assert set(ours) == set(theirs) == {"what", "stars"}
    for name in ours:
        for value, mine in ours[name].leaning.items():
            assert theirs[name].leaning[value] == pytest.approx(mine, abs=1e-3)


def test_likelihoods_that_are_not_what_the_server_itself_says_are_refused(
    server: Vllm, base: Base, schema: Schema
) -> None:
    server.off = True
    made = start_remote(replace(base, model=None), LIMITS, Server(server.url, kind="vllm"))
    made.lane.close()
    assert "are off" in made.report()["likelihoods"]
    assert {c.name for c in made.ready(None, schema, (), "cold").schema.controls} == {
        *("parts", "any", "n", "note")
    }


def test_another_base_is_noticed_by_its_tokens(server: Vllm) -> None:
    other = replace(causal_base("llama", tokenizer=sentence_chat()), model=None)
    with pytest.raises(BaseUnavailable, match="it serves another base"):
        start_remote(other, LIMITS, Server(server.url, kind="vllm"))


def test_a_server_elsewhere_is_told_where_it_sees_the_store(
    server: Vllm, base: Base, schema: Schema, tmp_path: Path
) -> None:
    there = Server(server.url, kind="vllm", store="/models/store")
    made = start_remote(replace(base, model=None), LIMITS, there)
    with pytest.raises(BrokenAdapter, match="does not take v1-00000001: HTTP 404 No adapter found"):
        made.open(version(tmp_path, base, schema, 1))
    made.lane.close()
    (told,) = [body for path, body in server.asked if path == "/v1/load_lora_adapter"]
    assert told["lora_path"] == "/models/store/projects/1/adapters/v1-00000001"
