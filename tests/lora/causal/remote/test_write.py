"""A server as a generator: what it is sent, what its faults cost, and what nobody gets to see."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from lora.causal.remote.client import Client, Patience, Server
from lora.causal.remote.write import PATIENCE, RemoteWriter
from lora.errors import EngineDown, Refused
from tests.lora.causal.remote.endpoint import Endpoint, prompt_of, serving

KEY = "sk-hush-1234"


@dataclass(frozen=True)
class Asked:
    text: str = "Texts about refunds:\n- i want my money back\n-"
    seed: int = 3
    stop: tuple[str, ...] = ("\n",)
    most_tokens: int = 24


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(Endpoint(lambda body: f" {prompt_of(body)[:5]} {body['seed']}\nmore")) as made:
        yield made


def writer(endpoint: Endpoint, **how: Any) -> RemoteWriter:
    patience: Patience = replace(PATIENCE, pause_s=0.01)
    if "wait_s" in how:
        patience = replace(patience, wait_s=how.pop("wait_s"))
    client = Client(Server(endpoint.url, KEY), patience=patience)
    return RemoteWriter(client, "tiny-instruct", **how)


def test_a_chat_is_sent_one_message_and_a_completion_the_text(endpoint: Endpoint) -> None:
    found = writer(endpoint).ask(Asked(stop=()))
    assert found.text == "Texts 3\nmore" and found.tokens == 15
    (body,) = endpoint.heard
    assert endpoint.paths == {"/v1/chat/completions"} and endpoint.keys == {f"Bearer {KEY}"}
    assert body == {
        "model": "tiny-instruct",
        "messages": [{"role": "user", "content": Asked().text}],
        "max_tokens": 24,
        "temperature": 0.9,
        "top_p": 0.95,
        "seed": 3,
    }
    assert writer(endpoint, chat=False).ask(Asked()).text == "Texts 3", "up to the stop"
    assert endpoint.heard[1]["prompt"] == Asked().text and endpoint.heard[1]["stop"] == ["\n"]


def test_its_name_says_who_writes_and_how_and_neither_where_nor_the_key(endpoint: Endpoint) -> None:
    name = writer(endpoint).name
    assert name == "tiny-instruct chat t0.9 p0.95" and KEY not in repr(writer(endpoint))
    assert name not in {writer(endpoint, chat=False).name, writer(endpoint, temperature=0.5).name}


@pytest.mark.parametrize(
    "fault",
    [(429, {}, {}), (500, {"error": "oops"}, {}), (503, b"", {}), "cut", "half", "garbage"],
)
def test_what_may_pass_is_tried_again(endpoint: Endpoint, fault: Any) -> None:
    endpoint.faults = [fault, fault]
    assert writer(endpoint).ask(Asked()).text == "Texts 3" and len(endpoint.heard) == 3


@pytest.mark.parametrize("fault", [(500, {"error": "oops"}, {}), "garbage"])
def test_a_prompt_that_it_chokes_on_is_left_out(endpoint: Endpoint, fault: Any) -> None:
    endpoint.always = fault
    found = writer(endpoint).ask(Asked())
    assert found.text is None and found.why in {"HTTP 500 oops", "it answered no JSON"}
    assert len(endpoint.heard) == PATIENCE.attempts


@pytest.mark.parametrize("fault", [(429, {}, {}), (503, {}, {}), "cut", "half"])
def test_a_server_that_stays_away_is_down_after_bounded_tries(
    endpoint: Endpoint, fault: Any
) -> None:
    endpoint.always = fault
    with pytest.raises(EngineDown, match="does not answer"):
        writer(endpoint).ask(Asked())
    assert len(endpoint.heard) == PATIENCE.attempts


def test_it_waits_as_long_as_it_is_told_to(endpoint: Endpoint) -> None:
    soon = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=1), usegmt=True)
    for told, least in (("0.5", 0.5), (soon, 0.0), ("soon", 0.0), ("-3", 0.0)):
        endpoint.faults, began = [(429, {}, {"Retry-After": told})], time.monotonic()
        assert writer(endpoint).ask(Asked()).text == "Texts 3"
        assert least <= time.monotonic() - began < 5


def test_it_does_not_wait_longer_than_it_may(endpoint: Endpoint) -> None:
    endpoint.always = (429, {}, {"Retry-After": "3600"})
    began = time.monotonic()
    with pytest.raises(EngineDown, match="Retry-After: 3600 s"):
        writer(endpoint).ask(Asked())
    assert time.monotonic() - began < 5 and len(endpoint.heard) == 1


@pytest.mark.parametrize("fault", ["slow", "drip"])
def test_an_answer_that_takes_too_long_is_left_out_and_not_asked_for_twice(
    endpoint: Endpoint, fault: str
) -> None:
    endpoint.faults = [fault]
    asked, began = Asked(), time.monotonic()
    found = writer(endpoint, timeout_s=0.4).ask(asked)
    assert found.text is None and found.why == "no answer within 0.4 s"
    assert found.tokens == writer(endpoint).estimate(asked) > 24, "it may be charged"
    assert time.monotonic() - began < 1.8 and len(endpoint.heard) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_prompt_that_is_refused_is_left_out_at_once(endpoint: Endpoint, status: int) -> None:
    endpoint.faults = [(status, {"error": {"message": "context of 512 exceeded"}}, {})]
    found = writer(endpoint).ask(Asked())
    assert found.text is None and found.why == f"HTTP {status} context of 512 exceeded"
    assert len(endpoint.heard) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 307])
def test_where_nobody_may_ask_it_says_so_without_the_key(endpoint: Endpoint, status: int) -> None:
    endpoint.faults = [(status, {"error": {"message": f"bad key {KEY}"}}, {"Location": "/x"})]
    with pytest.raises(Refused, match=f"HTTP {status} bad key .the key.") as told:
        writer(endpoint).ask(Asked())
    assert KEY not in str(told.value) and len(endpoint.heard) == 1
    assert told.value.__suppress_context__, "nor does a traceback show it"


def test_a_message_that_repeats_the_prompt_is_not_told(endpoint: Endpoint) -> None:
    endpoint.faults = [(400, {"error": {"message": "bad: ...want my money ba..."}}, {})]
    assert writer(endpoint).ask(Asked()).why == "HTTP 400, in words that repeat the prompt"
    endpoint.always = (429, {"error": "no room for i want my mon"}, {})
    with pytest.raises(EngineDown) as told:
        writer(endpoint).ask(Asked())
    assert "money" not in str(told.value) and endpoint.url in str(told.value)


def test_what_no_row_can_hold_is_taken_off_and_silence_is_an_answer() -> None:
    said = iter(["a\x00b \ud800c", None, "x" * 50_000])
    with serving(Endpoint(lambda body: next(said), tokens=None)) as endpoint:
        asks = writer(endpoint)
        found = [asks.ask(Asked(stop=())) for _ in range(3)]
    assert [a.text for a in found[:2]] == ["ab c", ""] and len(found[2].text or "") == 20_000
    assert all(a.tokens == asks.estimate(Asked()) for a in found), "it told no usage"


def test_an_answer_of_another_form_cannot_be_read(endpoint: Endpoint) -> None:
    for said in ({"choices": []}, {"choices": [{"message": {"content": [1]}}]}, [], {"error": 1}):
        endpoint.faults = [(200, said, {})] * PATIENCE.attempts
        found = writer(endpoint).ask(Asked())
        assert found.text is None and "cannot be read" in found.why
