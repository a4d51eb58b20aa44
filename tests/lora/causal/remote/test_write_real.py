"""llama.cpp's own server as a generator: both ways of asking, and an expansion through it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from augment.sources import generate
from augment.values import Prompt
from label_config.schema import read_schema
from label_config.values import Snapshot
from lora.causal.remote.client import Client, Server
from lora.causal.remote.write import PATIENCE, RemoteWriter
from lora.errors import EngineDown, Refused
from lora.expansions import Expansions
from lora.recipe import find_source
from lora.store import Store
from settings import Augment, Settings
from sync.expand import run
from sync.start.process import LOOPBACK, free_port, start, wait_until
from tests.sync.test_expand import CONFIG, example

pytestmark = pytest.mark.real

MODEL = "smollm-there"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("the package xllamacpp is not installed")
    source, port = find_source("smollm"), free_port()
    script = str(Path(__file__).parent / "llama_cpp.py")
    command = [sys.executable, script, str(port), str(source.folder / source.gguf), MODEL]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = start("llama.cpp", command, tmp_path_factory.mktemp("server"), env)
    made = Server(f"http://{LOOPBACK}:{port}")
    try:
        wait_until(process, lambda: _answers(made), 60)
        yield made
    finally:
        process.stop()


def _answers(server: Server) -> bool:
    try:
        return bool(Client(server, pause_s=0.1).models())
    except (EngineDown, Refused, TimeoutError):
        return False


def asked(chat: bool, seed: int = 1) -> Prompt:
    rows = [example(n) for n in range(0, 8, 2)]
    made = generate.ask(rows[0], read_schema(CONFIG), "About 12 words.", rows[1:], seed, chat=chat)
    assert made is not None
    return made


@pytest.mark.parametrize("chat", [True, False])
def test_it_writes_and_says_what_that_took(server: Server, chat: bool) -> None:
    writer = RemoteWriter(Client(server, patience=PATIENCE), MODEL, chat=chat)
    prompt = asked(chat)
    found = writer.ask(prompt)
    assert found.text is not None and len(found.text.split()) > 1, found
    assert (chat or "\n" not in found.text) and not found.why
    least, most = len(prompt.text.split()), writer.estimate(prompt)
    assert least < found.tokens <= most, "the estimate is on the safe side"
    others = {writer.ask(asked(chat, seed=n)).text for n in (2, 3)}
    assert len({found.text, *others}) > 1, "the seed is heard"


def test_a_prompt_that_is_too_long_is_left_out(server: Server) -> None:
    long = Prompt("p", "play the song " * 4000, 0)
    found = RemoteWriter(Client(server, patience=PATIENCE), MODEL).ask(long)
    assert found.text is None and found.why.startswith("HTTP 400"), found


def test_an_expansion_through_it_is_the_same_again_when_it_is_gone(
    server: Server, tmp_path: Path
) -> None:
    place = Store(tmp_path).project("1")
    rows = [example(n) for n in range(12)] + [example(n, "holdout") for n in range(90, 94)]
    human = place.put_snapshot(Snapshot("1", CONFIG, tuple(rows)))

    def expanded(url: str) -> dict[str, Any]:
        own = Augment("generate", MODEL, url, generator_api="completions", generator_tokens=4000)
        return run(place, human, Settings(home=tmp_path, augment=own))

    first = expanded(server.url)
    told = first["writer"]
    assert told["answered"] > 5 and 0 < told["tokens"] <= 4000 and told["unanswered"] == 0
    assert told["stopped"] and told["by"].startswith(MODEL)
    (place.folder / "expansions" / f"{human}.json").unlink()
    again = expanded("http://127.0.0.1:9")  # nobody listens there
    for record in (first, again):
        del record["seconds"]
    assert again == first
    assert Expansions(place).get(human) is not None
