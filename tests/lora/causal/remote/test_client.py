"""The wire to a server: bounded tries, clear refusals, a key that stays where it belongs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lora.causal.remote.client import ATTEMPTS, Client, Server
from lora.causal.remote.read import read_models
from lora.errors import EngineDown, Refused

GOOD = {"choices": [{"index": 0, "text": " hi", "finish_reason": "stop"}]}


class Scripted(ThreadingHTTPServer):
    """Answers each request with the next (status, body or raw bytes, headers)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[tuple[int, Any, dict[str, str]]] = []
        self.heard: list[tuple[str, str | None]] = []
        self.slow_s = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self.server.heard.append((self.path, self.headers.get("Authorization")))
        time.sleep(self.server.slow_s)
        script = self.server.script
        status, body, headers = script.pop(0) if len(script) > 1 else script[0]
        if status == 0:  # the connection breaks
            return
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError):  # whoever asked has gone
            self.wfile.write(data)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def client(server: Scripted, key: str = "") -> Client:
    return Client(Server(server.url + "/v1/", key), pause_s=0.01)


def complete(of: Client, timeout_s: float = 5) -> str:
    return of.complete({"prompt": "p"}, timeout_s).said[0].text


def test_a_server_without_room_is_asked_again(server: Scripted) -> None:
    server.script = [(503, b"", {}), (0, b"", {}), (200, GOOD, {})]
    assert complete(client(server)) == " hi"
    assert [path for path, _ in server.heard] == ["/v1/completions"] * 3


def test_tries_are_bounded_and_the_trouble_is_told_until_it_is_over(server: Scripted) -> None:
    server.script = [(429, {"error": {"message": "too many"}}, {})]
    of = client(server)
    with pytest.raises(EngineDown, match=f"{server.url} does not answer: HTTP 429 too many"):
        complete(of)
    assert len(server.heard) == ATTEMPTS and "too many" in (of.trouble or "")
    server.script = [(200, GOOD, {})]
    complete(of)
    assert of.trouble is None


def test_nobody_there_is_down() -> None:
    with pytest.raises(EngineDown, match="Connection refused"):
        complete(Client(Server("http://127.0.0.1:9"), pause_s=0.01))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"error": {"message": "no such\nfield"}}, "HTTP 400 no such field"),
        (404, {"detail": "Not Found"}, "HTTP 404 Not Found"),
        (500, b"oops " * 1000, "HTTP 500 oops"),
        (200, b"<html>", "no JSON"),
        (200, {"choices": []}, "0 completions of 1 prompts"),
        (200, {"choices": [{"index": "x"}]}, "cannot be read"),
        (200, ["choices"], "cannot be read"),
        (200, {"choices": None}, "cannot be read"),
    ],
)
def test_a_refusal_is_told_once(server: Scripted, status: int, body: Any, words: str) -> None:
    server.script = [(status, body, {})]
    with pytest.raises(Refused, match=words) as told:
        complete(client(server))
    assert len(server.heard) == 1 and len(str(told.value)) < 400


def test_a_slow_answer_is_not_asked_for_twice(server: Scripted) -> None:
    server.script, server.slow_s = [(200, GOOD, {})], 0.6
    with pytest.raises(TimeoutError):
        complete(client(server), timeout_s=0.1)
    assert len(server.heard) == 1


def test_the_key_goes_nowhere_else(server: Scripted) -> None:
    server.script = [(307, b"", {"Location": "http://127.0.0.1:9/v1/completions"})]
    with pytest.raises(Refused, match="HTTP 307"):
        complete(client(server, "hush"))
    assert server.heard == [("/v1/completions", "Bearer hush")]


def test_log_probabilities_are_read_in_both_forms(server: Scripted) -> None:
    own = {"token_logprobs": [None, -1.5], "tokens": ["a", "b"]}
    chat = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -2}]}
    found = []
    for logprobs in (own, chat, None, {"token_logprobs": "?"}):
        server.script = [(200, {"choices": [{"text": "", "logprobs": logprobs}]}, {})]
        found.append(client(server).complete({"prompt": "p"}, 5).said[0].logprobs)
    assert found == [(None, -1.5), (-0.5, -2.0), None, None]


def test_a_closed_client_gives_up_at_once(server: Scripted) -> None:
    server.script = [(503, b"", {})]
    of = Client(Server(server.url), pause_s=30)
    of.close()
    began = time.monotonic()
    with pytest.raises(EngineDown):
        complete(of)
    assert time.monotonic() - began < 5 and len(server.heard) == 1


def test_a_key_that_no_header_can_hold_is_refused_without_being_told() -> None:
    for key in ("hush\nhush", "h\u00fcsh", "hush\x7f"):
        with pytest.raises(ValueError, match="no header can hold") as told:
            Server("http://127.0.0.1:9", key)
        assert "sh" not in str(told.value).replace("signs", "")


@pytest.mark.parametrize(
    "told", ["[]", '{"data": ["m"]}', '{"data": [{"id": "m", "meta": "x"}]}', "\xff"]
)
def test_a_list_of_models_that_cannot_be_read_is_refused(told: str) -> None:
    with pytest.raises(Refused):
        read_models(told.encode("latin-1"), "there")
