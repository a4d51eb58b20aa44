"""The published pool: never blind, never answered, and renewed as seldom as can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest

from label_config.fetch import NotFetched
from label_config.values import Task
from lora.store import ProjectStore, Store
from settings import Backend, Settings
from sync.groups import Place
from sync.log import Log
from sync.pool import LEAST, MOST, pool_texts, renew_pool
from sync.studio_values import SeenAnnotation, TaskState
from sync.terms import Terms, read_terms

T0 = datetime(2026, 11, 22, 7, 0, tzinfo=timezone.utc)
BLIND_TEXT = "blind"


def config(*keys: str, labels: str = "AB", more: str = "") -> str:
    return "".join(
        [
            "<View>",
            *(f'<Text name="{k}" value="${k}" {more}/>' for k in keys),
            *(
                f'<Choices name="c{k}" toName="{k}">'
                + "".join(f'<Choice value="{label}"/>' for label in labels)
                + "</Choices>"
                for k in keys
            ),
            "</View>",
        ]
    )


@dataclass
class Room:
    log: Log
    store: ProjectStore
    terms: Terms
    tasks: int = 0

    def add(self, count: int, blind: bool = False, key: str = "text") -> None:
        numbers = range(self.tasks + 1, self.tasks + count + 1)
        word = BLIND_TEXT if blind else "open"
        states = [TaskState(Task(n, "1", {key: f"{word} {n}"}), T0) for n in numbers]
        self.log.append("1", states, {n: Place(f"g{n}", blind) for n in numbers})
        self.tasks += count

    def answer(self, task: int) -> None:
        state = TaskState(
            Task(task, "1", {"text": f"open {task}"}),
            T0,
            (SeenAnnotation(1000 + task, task, [{}], 1, T0, T0),),
        )
        self.log.append("1", [state], {})

    def renew(self, xml: str | None = None) -> bool:
        terms = read_terms(self.terms.settings, xml) if xml else self.terms
        return renew_pool(self.log, self.store, "1", terms)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    log = Log(f"sqlite:///{tmp_path / 'log.db'}")
    log.connect("1", "any")
    yield Room(log, Store(tmp_path / "store").project("1"), read_terms(Settings(), config("text")))
    log.close()


def test_too_few_texts_are_no_pool(room: Room) -> None:
    room.add(LEAST - 1)
    room.add(20, blind=True)
    assert not room.renew() and room.store.pool() == ()


def test_a_pool_is_published_once_and_answers_leave_it_as_it_is(room: Room) -> None:
    room.add(LEAST)
    room.add(20, blind=True)
    assert room.renew()
    pool = room.store.pool()
    assert len(pool) == LEAST
    assert not any(BLIND_TEXT in text for texts in pool for text in texts.values())
    room.answer(1)
    room.add(5)
    assert not room.renew() and room.store.pool() == pool


def test_an_answered_text_is_in_no_pool(room: Room) -> None:
    room.add(LEAST + 1)
    room.answer(3)
    assert room.renew()
    assert {"text": "open 3"} not in room.store.pool() and len(room.store.pool()) == LEAST


def test_a_small_pool_grows_once_to_its_full_size(room: Room) -> None:
    room.add(LEAST)
    room.renew()
    room.add(MOST - LEAST)
    assert room.renew() and len(room.store.pool()) == MOST
    pool = room.store.pool()
    room.add(MOST)
    assert not room.renew() and room.store.pool() == pool


def test_new_labels_change_nothing_and_a_new_key_renews_the_pool(room: Room) -> None:
    room.add(LEAST)
    room.renew()
    assert not room.renew(config("text", labels="ABC"))
    assert not room.renew(config("text", "title")), "no task has a title: nothing would change"
    room.add(2 * LEAST, key="title")
    assert room.renew(config("title")) and {*room.store.pool()[0]} == {"title"}
    assert not room.renew(config("title"))


def test_a_key_that_few_tasks_have_does_not_renew_a_full_pool(room: Room) -> None:
    room.add(MOST + 20)
    assert room.renew()
    pool = room.store.pool()
    room.add(20, key="title")
    room.answer(1)
    assert not room.renew(config("text", "title")) and room.store.pool() == pool


def test_texts_that_cannot_be_fetched_are_left_out_and_soon_not_asked_for(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def fetched(self: Terms, data: dict[str, str]) -> dict[str, str]:
        asked.append(data)
        raise NotFetched("the host does not answer")

    settings = Settings(backend=Backend(urls="https://texts.example/"))
    terms = read_terms(settings, config("text", more='valueType="url"'))
    monkeypatch.setattr(Terms, "fetched", fetched)
    room.add(LEAST)
    assert not renew_pool(room.log, room.store, "1", terms) and len(asked) == 3
    assert pool_texts(terms, "1", room.log.tasks("1"), 10) == ()
