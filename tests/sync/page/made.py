"""A project with a past, for tests of the page: answers, rounds, versions, an expansion; in a house
whose neighbours are fakes, on a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lora.expansions import Expansions
from settings import Page, Train
from sync.connect import connect
from sync.loop import turn
from sync.page.views import make_page
from sync.receiver import create_app
from tests.sync.house import House, open_house
from tests.sync.judged import first, scored
from tests.sync.versioned import committed

PASSWORD = "pw-of-the-page-0123"
LABELS = ("refund", "delivery", "broken", "praise")
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="intent" toName="text">'
    + "".join(f'<Choice value="{label}"/>' for label in LABELS)
    + "</Choices></View>"
)
WORDS = (
    "parcel kettle invoice colour driver button lamp order screen cable refund voucher bottle "
    "glass garden lawn pump filter charger handle zip sofa shelf drawer mirror carpet".split()
)
EVIL = '<script>alert("x")</script>'
ROUNDS = (0.46, 0.58, 0.66, 0.71, 0.70, 0.77, 0.80)  # right on blind answers
WRONG = (1.0, 0.9, 0.62, 0.5, 0.42, 0.36, 0.27)  # of shown answers
ANSWERS, BLIND = 25, 100


class Clock:
    """What the log, the fake Label Studio and the store take for the time."""

    def __init__(self, patch: pytest.MonkeyPatch, days: float) -> None:
        self.at = datetime.now(timezone.utc) - timedelta(days=days)
        clock = self

        class Stopped(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return clock.at

        patch.setattr("sync.log_tables.now", lambda: self.at)
        patch.setattr("tests.sync.fake_studio.FakeStudio.now", lambda _: self.at)
        patch.setattr("lora.store.datetime", Stopped)

    def on(self, **more: float) -> None:
        self.at += timedelta(**more)


@contextmanager
def page_house(tmp_path: Path, **page: Any) -> Iterator[House]:
    """A house with a page; nothing is connected yet."""
    with open_house(tmp_path) as house:
        own = replace(
            house.world.settings,
            page=Page(**({"password": PASSWORD} | page)),
            train=Train(every=ANSWERS, least=10),
        )
        house.world = replace(house.world, settings=own)
        house.studio.change_config(CONFIG)
        house.studio.info = replace(house.studio.info, title="Support messages")
        yield house


def app_of(house: House, health: Mapping[str, Any] | None = None) -> Flask:
    told = {"status": "UP", "projects": health or {}}
    page = make_page(house.world, lambda: told, patience_s=30.0)
    return create_app("s3cret", lambda *_: True, lambda: dict(told), page=page)


def signed_in(house: House, **more: Any) -> FlaskClient:
    client = app_of(house, **more).test_client()
    answer = client.post("/login", data={"name": "Ada Ops", "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    return client


def token(text: str) -> str:
    """The token in a page's forms."""
    return text.partition('name="csrf" value="')[2].partition('"')[0]


def past(house: House, patch: pytest.MonkeyPatch, rounds: int = len(ROUNDS)) -> Clock:
    """Rounds of answers, each with its version; most of them were promoted."""
    clock, studio = Clock(patch, days=rounds + 1), house.studio
    studio.tasks.clear()
    for n in range(2 * ANSWERS * (rounds + 1)):
        a, b, c = (WORDS[(n * k + n // 7) % len(WORDS)] for k in (5, 11, 3))
        studio.add_task(f"the {a} came {n * 7919:x} with a {b}, where is my {c} {n}")
    house.backend.label = "refund"
    connect(house.world, "1")
    turn(house.world, "1")
    for n in range(rounds):
        play(house, clock, n)
    return clock


def play(house: House, clock: Clock, n: int) -> None:
    """One round: people answer, a version is made and judged, the next turn adopts it."""
    studio, store = house.studio, house.world.store.project("1")
    open_ = [t for t, s in studio.tasks.items() if not s.annotations][:ANSWERS]
    for i, task in enumerate(open_):
        clock.on(minutes=20)
        changed = (i * 37 % ANSWERS) < WRONG[n] * ANSWERS
        label = LABELS[1 + i % 3] if changed else "refund"
        value = {"choices": [label]}
        region = {"from_name": "intent", "to_name": "text", "type": "choices", "value": value}
        studio.annotate(task, [region], lead_time=8.0)
    clock.on(minutes=5)
    turn(house.world, "1")
    snapshot = house.wanted()
    before, promoted = store.current().version, n != 4
    scores = scores_of(n, before is not None)
    version = committed(
        store, n + 1, snapshot, scores=scores, config=CONFIG, labels=ANSWERS * (n + 1)
    )
    word = "better than the current adapter" if promoted else "not better than the current adapter"
    reason = (
        f"{ROUNDS[n]:.3f} is {word} by {0.03 if promoted else -0.01:+.3f} on {BLIND} blind labels"
    )
    if promoted:
        store.move_current(before, version, by="gate", why=reason)
        house.backend.version = version
    verdict = {
        "promoted": promoted,
        "reason": reason,
        "version": version,
        "labels": ANSWERS * (n + 1),
    }
    store.put_verdict(
        snapshot, verdict | {"scores": scores, "seconds": {"fit": 61.0, "judge": 9.0}}
    )
    clock.on(hours=9)
    turn(house.world, "1")
    turn(house.world, "1")


def scores_of(n: int, champion: bool) -> dict[str, Any]:
    right = first(round(ROUNDS[n] * BLIND), BLIND)
    candidate = scored(right)
    candidate["by_label"] = {
        "intent": {
            "labels": {
                "refund": [41, 38, 6, 3],
                "delivery": [29, 24, 5, 5],
                "broken": [21, 14, 6, 7],
                EVIL if n == 0 else "praise": [9, 4, 3, 5],
            },
            "confused": [
                ["broken", "refund", 6],
                ["delivery", "broken", 4],
                ["praise", "refund", 3],
            ],
        }
    }
    before = scored(first(round((ROUNDS[n] - 0.03) * BLIND), BLIND)) if champion else None
    cold = scored(first(38, BLIND))
    return {"candidate": candidate, "champion": before, "cold": cold, "holdout": BLIND, "train": 80}


def expanded(house: House) -> None:
    """An expansion of the last human round, with samples of what was kept and refused."""
    place = Expansions(house.world.store.project("1"))
    snapshot = house.world.log.rounds("1")[-1]["snapshot"]
    kept = [sample("the lamp is brokn since monday"), sample("my kettle arived in pieces")]
    steps = [
        {"name": "copy", "came": 120, "refused": 4, "state": "on", "samples": []},
        {"name": "spans", "came": 116, "refused": 0, "state": "off", "samples": []},
        {
            "name": "near",
            "came": 116,
            "refused": 31,
            "state": "on",
            "samples": [sample(EVIL, "0.94 like its parent")],
        },
        {
            "name": "drift",
            "came": 85,
            "refused": 9,
            "state": "on",
            "samples": [sample("buy now", "too far: 0.21")],
        },
        {"name": "consistent", "came": 76, "refused": 12, "state": "on", "samples": []},
    ]
    record = {
        "snapshot": snapshot,
        "challenger": None,
        "policy": {"reason": "140 train rows, 62 read rightly: three children each", "off": {}},
        "profile": {"right": 98, "predicted": 140, "rows": 140},
        "funnel": {"made": 120, "kept": 64, "steps": steps, "samples": kept},
    }
    place.put(snapshot, record)


def sample(text: str, why: str = "") -> dict[str, Any]:
    return {
        "key": "k",
        "parent": "annotation-1",
        "transform": "noise",
        "texts": {"text": text},
        "why": why,
    }


Post = Callable[..., Any]


def poster(client: FlaskClient) -> Post:
    """Posts a form with the token of the project's page."""

    def post(path: str, **form: str) -> Any:
        csrf = token(client.get("/project/1").text)
        return client.post(path, data={"csrf": csrf, "name": "Ada Ops", **form})

    return post
