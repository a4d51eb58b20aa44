"""A causal base answers every control of a row, alone or among others, version by version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch

from label_config import Inputs, read_schema
from label_config.controls import Schema
from label_config.values import Choice, Region, Span, Written
from lora.base import Base
from lora.causal import grammar, packed
from lora.causal.answer import FAR, Answerer, Limits
from lora.causal.calibrate import Calibration
from lora.causal.kinds.spans import Spans
from lora.causal.lane import CausalLane
from lora.causal.network import CausalNetwork
from lora.causal.prompt import Chat, asks
from lora.causal.ready import ready_causal
from lora.engine import LaneSettings, start_engine
from lora.errors import NotReady
from lora.lane import Answers
from lora.loaded import Loaded, Opened
from lora.weights import Mode
from tests.lora.causal.made import causal_base, causal_tensors
from tests.lora.made import WORDS

LIMITS = Limits(tokens=12, seconds=60)
ROWS = [
    Inputs({"text": "play the red song now"}),
    Inputs({"text": "buy a hat"}),
    Inputs({"text": "paint the old house blue and then buy the red paint"}),
    Inputs({"text": "play"}),
]


@pytest.fixture(scope="module")
def base() -> Base:
    return causal_base("llama")


@pytest.fixture(scope="module")
def schema() -> Schema:
    return read_schema(
        '<View><Text name="t" value="$text"/>'
        '<Choices name="what" toName="t"><Choice value="play"/><Choice value="buy"/>'
        '<Choice value="paint"/></Choices>'
        '<Labels name="parts" toName="t"><Label value="thing"/><Label value="colour"/></Labels>'
        '<TextArea name="note" toName="t"/></View>'
    )


def network(base: Base) -> CausalNetwork:
    return CausalNetwork(base, Mode(True, torch.float32))


def version(net: CausalNetwork, schema: Schema, seed: int) -> Loaded:
    weights = net.prepare(causal_tensors(net.base, seed, size=0.5), 2.0)
    return ready_causal(net, Opened(f"v{seed}", schema.digest, weights, {}), schema)


def plain(regions: Sequence[Region]) -> list[object]:
    """Regions without their scores, which differ in the last digits by batch."""
    return [replace(r, score=None) for r in regions]


def test_each_control_gets_an_answer_of_its_kind(base: Base, schema: Schema) -> None:
    net = network(base)
    for found in Answerer(net, LIMITS).answer(version(net, schema, 1), ROWS):
        kinds = {type(r) for r in found.regions}
        assert Choice in kinds and kinds <= {Choice, Span, Written}
        assert 0 <= found.score <= 1


def test_a_row_is_answered_as_it_is_alone(base: Base, schema: Schema) -> None:
    net = network(base)
    answerer, loaded = Answerer(net, LIMITS), version(net, schema, 1)
    together = answerer.answer(loaded, ROWS)
    for inputs, found in zip(ROWS, together, strict=True):
        alone = answerer.answer(loaded, [inputs])[0]
        assert plain(alone.regions) == plain(found.regions)
        assert alone.score == pytest.approx(found.score, abs=1e-4)


def test_calibration_turns_the_choice(base: Base, schema: Schema) -> None:
    net = network(base)
    loaded = version(net, schema, 1)
    answerer = Answerer(net, LIMITS)
    first = answerer.answer(loaded, ROWS[:1])[0].regions[0]
    assert isinstance(first, Choice)
    leaning = {value: 50.0 if value in first.labels else 0.0 for value in ("play", "buy", "paint")}
    turned = replace(loaded, calibration={"what": Calibration(leaning=leaning)})
    second = answerer.answer(turned, ROWS[:1])[0].regions[0]
    assert isinstance(second, Choice) and second.labels != first.labels


def test_with_an_adapter_labels_that_are_far_behind_are_not_asked_for_to_their_ends(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "OWN_NODES", 20)
    words = [f"{a} {b} {c}" for a in ("play", "buy") for b in WORDS[:5] for c in WORDS[5:9]]
    values = "".join(f'<Choice value="{w}"/>' for w in words)
    many = read_schema(
        '<View><Text name="t" value="$text"/>'
        f'<Choices name="what" toName="t">{values}</Choices></View>'
    )
    net = network(base)
    sure = Calibration(0.1)  # as if it had been trained
    answerer = Answerer(net, LIMITS)
    taught = replace(version(net, many, 1), calibration={"what": sure})
    cold = replace(taught, tensors=net.prepare({}))
    read: list[int] = []
    states = net.states
    monkeypatch.setattr(
        net, "states", lambda ids, *rest: read.append(ids.shape[1]) or states(ids, *rest)
    )

    def tables(loaded: Loaded, exact: bool) -> list[torch.Tensor]:
        net.activate(loaded, loaded.tensors)
        asked = [a for r in ROWS for a in asks(Chat(base.tokenizer), many, r, answerer.room)]
        answerer.tables(loaded, asked, exact=exact)  # reads what all begin with alike
        read.clear()
        return answerer.tables(loaded, asked, exact=exact)

    whole = tables(taught, True)
    most = sum(read)
    near = tables(taught, False)
    assert sum(read) < most
    for a, b in zip(whole, near, strict=True):
        assert a.argmax() == b.argmax()
        close = a >= a.max() - sure.margin(FAR)
        assert torch.allclose(a[close], b[close], atol=1e-4)
    every, same = tables(cold, True), tables(cold, False)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(every, same, strict=True))


def test_a_cold_start_takes_off_what_options_gain_whatever_the_text(
    base: Base, schema: Schema
) -> None:
    net = network(base)
    pool = [{"text": f"{row.texts['text']} {n}"} for n in range(3) for row in ROWS]
    loaded = ready_causal(net, None, schema, pool)
    assert loaded.calibration["what"].leaning.keys() == {"play", "buy", "paint"}
    assert ready_causal(net, None, schema, ()).calibration == {}


def test_a_model_that_says_the_same_span_for_ever_is_stopped(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = read_schema(
        '<View><Text name="t" value="$text"/>'
        '<Labels name="parts" toName="t"><Label value="thing"/></Labels></View>'
    )
    loops = 'start: "thing: red" ("\\nthing: red"){90}\n'
    monkeypatch.setattr(Spans, "grammar", lambda self, ask: loops)
    monkeypatch.setattr(Spans, "most_tokens", lambda self, ask: 300)
    net = network(base)
    answerer = Answerer(net, Limits(300, 60))
    (row,) = answerer.begin(version(net, spans, 1), [Inputs({"text": "the red or red song"})])
    steps = 0
    while not row.done:
        answerer.step()
        steps += 1
    assert [(r.start, r.end) for r in row.answer().regions if isinstance(r, Span)] == [
        (4, 7),
        (11, 14),
    ]
    assert steps < 60


def test_nothing_is_asked_of_a_row_without_its_text(base: Base, schema: Schema) -> None:
    net = network(base)
    found = Answerer(net, LIMITS).answer(version(net, schema, 1), [Inputs({}), ROWS[1]])
    assert found[0].regions == () and found[0].score == 0.0
    assert found[1].regions


@pytest.fixture
def lane(base: Base) -> Iterator[CausalLane]:
    lane = CausalLane(queue=64, limits=LIMITS)
    lane.start(network(base))
    yield lane
    lane.close()


def regions_of(answers: Answers) -> list[list[object]]:
    return [plain(a.regions) if a else [] for a in answers]


def test_versions_under_way_together_do_not_mix(
    base: Base, schema: Schema, lane: CausalLane
) -> None:
    """A generation is finished by the version that began it; the next begins beside it."""
    net = network(base)
    both = [version(net, schema, seed) for seed in (1, 2)]
    alone = [regions_of(list(Answerer(net, LIMITS).answer(v, ROWS))) for v in both]
    assert alone[0] != alone[1]
    waits = [(n % 2, lane.submit(both[n % 2], ROWS, bulk=n % 3 == 0)) for n in range(8)]
    for which, wait in waits:
        assert regions_of(wait(60)) == alone[which]


def test_a_lane_is_warm_before_its_first_request(
    base: Base, schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    make = grammar.from_tokenizer
    monkeypatch.setattr(
        grammar, "from_tokenizer", lambda *args, **how: made.append(1) or make(*args, **how)
    )
    grammar.grammars.cache_clear()
    engine = start_engine(base, LaneSettings(answer_tokens=4))
    assert made == [1]
    try:
        loaded = ready_causal(engine.side, None, schema)
        assert engine.lane.submit(loaded, ROWS[:1], bulk=False)(60)[0]
    finally:
        engine.lane.close()
    assert made == [1]


def test_a_failure_costs_what_was_under_way_and_nothing_after(
    base: Base, schema: Schema, lane: CausalLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = version(network(base), schema, 1)
    whole = Answerer.step
    failed: list[int] = []

    def step(self: Answerer) -> int:
        if not failed:
            failed.append(1)
            raise RuntimeError("broken")
        return whole(self)

    monkeypatch.setattr(Answerer, "step", step)
    assert lane.submit(loaded, ROWS[:2], bulk=False)(60) == [None, None]
    assert all(a is not None for a in lane.submit(loaded, ROWS[:2], bulk=False)(60))


def test_closing_tells_those_who_wait(base: Base, schema: Schema) -> None:
    lane = CausalLane(queue=64, limits=Limits(tokens=200, seconds=60))
    loaded = version(network(base), schema, 1)
    lane.start(network(base))
    waits = [lane.submit(loaded, ROWS, bulk=False) for _ in range(6)]
    lane.close()
    told = 0
    for wait in waits:
        try:
            wait(5)
        except NotReady:
            told += 1
    assert told
