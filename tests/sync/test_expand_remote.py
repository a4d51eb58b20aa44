"""An expansion by a writer on another machine: killed anywhere, its children are the same."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from label_config.values import Snapshot
from lora.expansions import Expansions
from lora.store import ProjectStore, Store
from settings import Augment, Settings
from sync.augmented import Augmented
from sync.expand import preview
from tests.lora.causal.remote.endpoint import Body, Endpoint, prompt_of, serving
from tests.sync.test_expand import CONFIG, example

pytestmark = pytest.mark.model  # each run embeds with MiniLM in a process of its own

KEY = "sk-hush-98765"
WORDS = {
    "refund": "cancel bill money charged card twice return unpaid cost price owed fee".split(),
    "delivery": "courier van door box late street tracking arrived driver missing stuck".split(),
}


def says(body: Body) -> str:
    """A text for the label that the last list is about; the same for the same prompt and seed."""
    asked = prompt_of(body)
    label = asked.rpartition('Texts about "')[2].partition('"')[0]
    dice = hashlib.sha256(f"{asked}{body['seed']}".encode()).digest()
    picked = [WORDS[label][b % len(WORDS[label])] for b in dice[:4]]
    lead = {"refund": "please give me back the", "delivery": "where is the parcel,"}[label]
    return f"{lead} {' '.join(dict.fromkeys(picked))} it's {dice[5]} days"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(Endpoint(says)) as made:
        yield made


def place_of(home: Path) -> ProjectStore:
    return Store(home / "store").project("1")


def frozen(home: Path) -> str:
    rows = [example(n) for n in range(12)] + [example(n, "holdout") for n in range(90, 94)]
    return place_of(home).put_snapshot(Snapshot("1", CONFIG, tuple(rows), ()))


def started(home: Path, endpoint: Endpoint, **more: str) -> subprocess.Popen[bytes]:
    key = home / "key"
    key.write_text(f"{KEY}\n")
    environ = {
        **os.environ,
        "ANNOTUNE_HOME": str(home),
        "ANNOTUNE_AUGMENT_SOURCES": "generate",
        "ANNOTUNE_AUGMENT_GENERATOR": "tiny-instruct",
        "ANNOTUNE_AUGMENT_GENERATOR_URL": f"{endpoint.url}/v1",
        "ANNOTUNE_AUGMENT_GENERATOR_KEY_FILE": str(key),
        "ANNOTUNE_AUGMENT_GENERATOR_PARALLEL": "3",
        **{f"ANNOTUNE_AUGMENT_{name.upper()}": value for name, value in more.items()},
    }
    argv = [sys.executable, "-m", "sync.expand", "--project", "1", "--snapshot", frozen(home)]
    with (home / "log").open("ab") as log:
        return subprocess.Popen(argv, env=environ, stdout=log, stderr=log)


def ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(180)
    finally:
        process.kill()


def killed_when(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not ready():
        assert process.poll() is None and time.monotonic() < end, "it ended before the kill"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def record_of(home: Path) -> dict[str, Any]:
    record = Expansions(place_of(home)).get(frozen(home))
    assert record is not None, (home / "log").read_text()
    return record


def children(home: Path) -> bytes:
    """All that is made, byte by byte: what was kept, what was refused, the challenger."""
    record = record_of(home)
    del record["seconds"], record["writer"]
    challenger = place_of(home).folder / "snapshots" / f"{record['challenger']}.json"
    return json.dumps(record, sort_keys=True).encode() + challenger.read_bytes()


def kept_lines(home: Path) -> int:
    path = Expansions(place_of(home)).written
    return path.read_text().count('"said"') if path.exists() else 0


def test_killed_at_any_point_it_goes_on_to_the_same_children_and_asks_for_no_answer_twice(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    assert ended(started(whole, endpoint)) == 0
    asked = Counter(json.dumps(b, sort_keys=True) for b in endpoint.heard)
    assert record_of(whole)["kept"] and len(asked) > 30 and set(asked.values()) == {1}
    assert record_of(whole)["writer"]["answered"] == len(asked)
    assert record_of(whole)["writer"]["tokens"] == 15 * len(asked)

    lost = 0
    for stop_at in (1, 20, len(asked)):
        with endpoint.lock:
            endpoint.heard.clear()
        before, held = kept_lines(cut), stop_at < len(asked)

        def reached(n: int = stop_at, held: bool = held) -> bool:
            """So many answers are kept, and, but at the end, others under way."""
            if held and kept_lines(cut) >= n - 1:
                endpoint.hold.clear()
            return kept_lines(cut) >= n - held and (not held or endpoint.under_way == 3)

        process = started(cut, endpoint)
        killed_when(process, reached)
        assert Expansions(place_of(cut)).get(frozen(cut)) is None or stop_at == len(asked)
        came = kept_lines(cut)
        sent = len(endpoint.heard)
        assert sent - (came - before) <= 3, "what was under way and nothing else has no answer"
        lost += sent - (came - before)
        endpoint.hold.set()
    endpoint.heard.clear()
    assert ended(started(cut, endpoint)) == 0, (cut / "log").read_text()
    assert len(endpoint.heard) == 0 and children(cut) == children(whole)
    assert record_of(cut)["writer"]["unanswered"] == lost > 0
    assert record_of(cut)["writer"]["answered"] == len(asked)
    assert endpoint.keys == {f"Bearer {KEY}"}
    assert_key_is_nowhere(tmp_path)


def assert_key_is_nowhere(home: Path) -> None:
    files = [p for p in home.rglob("*") if p.is_file() and p.name != "key"]
    assert len(files) > 2 and all(KEY.encode() not in p.read_bytes() for p in files)


def test_a_key_that_is_refused_ends_it_at_once_and_is_not_told(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    endpoint.always = (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}, {})
    assert ended(started(tmp_path, endpoint)) == 2
    log = (tmp_path / "log").read_text()
    assert "HTTP 401 Incorrect API key provided: (the key)" in log and len(endpoint.heard) <= 3
    assert_key_is_nowhere(tmp_path)


def test_it_stops_at_its_budget_says_so_and_keeps_what_it_has(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    endpoint.tokens = (200, 20)
    assert ended(started(tmp_path, endpoint, generator_tokens="5000")) == 0
    record = record_of(tmp_path)
    told = record["writer"]
    assert 0 < told["answered"] == len(endpoint.heard) < len(record["prompts"])
    assert 4000 < told["tokens"] <= 5000
    assert told["stopped"] == "the budget of 5000 tokens is spent"
    assert record["kept"] and record["challenger"]
    words = "\n".join(Augmented("1", False, record).lines())
    assert "the budget of 5000 tokens is spent; no further prompts were sent" in words
    assert f"tiny-instruct chat t0.9 p0.95 answered {told['answered']} times" in words


def test_two_expansions_at_a_time_are_one(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.hold.clear()
    first = started(tmp_path, endpoint)
    while not endpoint.heard:
        assert first.poll() is None
        time.sleep(0.02)
    assert Expansions(place_of(tmp_path)).is_expanding()
    assert ended(started(tmp_path, endpoint)) == 0
    assert "another expansion of project 1 is at work" in (tmp_path / "log").read_text()
    endpoint.hold.set()
    assert ended(first) == 0
    assert len(endpoint.heard) == record_of(tmp_path)["writer"]["answered"]


def test_a_dry_run_says_who_would_be_asked_where_and_sends_nothing(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    own = Augment("generate", "tiny-instruct", endpoint.url, KEY, generator_tokens=500)
    told = preview(place_of(tmp_path), frozen(tmp_path), Settings(home=tmp_path, augment=own))
    words = "\n".join(Augmented("1", True, told).lines())
    assert f"would ask tiny-instruct at {endpoint.url} {told['asked']['prompts']} times" in words
    assert "tokens to write, 500 in all" in words and KEY not in json.dumps(told)
    assert told["asked"]["samples"][0].endswith("Answer with the text alone."), "a message"
    assert "there is no past yet" in words
    assert not endpoint.heard


def test_a_dry_run_estimates_what_is_kept_of_what_a_writer_says_by_what_was(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    place = place_of(tmp_path)
    counts = {"made": 30, "kept": 9}, {"made": 10, "kept": 1}
    for n, one in enumerate(counts):
        funnel = {"by_transform": {"generate": one, "noise": {"made": 5, "kept": 5}}}
        Expansions(place).put(f"{n}" * 64, {"funnel": funnel})
    again = {"review": {"made_of": "0" * 64}, "funnel": {"by_transform": {"generate": counts[0]}}}
    Expansions(place).put("a" * 64, again)
    own = Augment("generate", "tiny-instruct", endpoint.url, KEY)
    told = preview(place, frozen(tmp_path), Settings(home=tmp_path, augment=own))
    assert told["past"] == {"generate": (40, 10)}
    wanted = sum(told["plan"]["children"]["generate"].values())
    words = "\n".join(Augmented("1", True, told).lines())
    assert f"generate: about {wanted / 4:.0f} of {wanted} may be kept, an estimate from 40" in words
