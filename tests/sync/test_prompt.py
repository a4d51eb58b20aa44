"""`annotune prompt` shows what a causal base is asked, and what the annotation answers."""

from __future__ import annotations

import pytest

from lora.causal.chat import Chat
from lora.causal.prompt import Room
from lora.errors import BaseUnavailable
from settings import load
from sync import prompt as room_of_prompt
from sync.check import Unreadable
from sync.prompt import prompt
from tests.lora.causal.made import byte_chat
from tests.sync.fake_studio import FakeStudio

CONFIG = """<View><Text name="t" value="$text"/>
<Choices name="what" toName="t"><Choice value="play"/><Choice value="buy"/></Choices>
<Labels name="parts" toName="t"><Label value="thing"/></Labels></View>"""
RESULT = [
    {"from_name": "what", "to_name": "t", "type": "choices", "value": {"choices": ["buy"]}},
    {
        "from_name": "parts",
        "to_name": "t",
        "type": "labels",
        "value": {"start": 4, "end": 7, "text": "hat", "labels": ["thing"]},
    },
]


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> FakeStudio:
    monkeypatch.setattr(room_of_prompt, "chat_of", lambda base: (Chat(byte_chat()), Room()))
    return FakeStudio(CONFIG)


def test_the_chat_of_a_task_is_shown_with_what_its_annotation_answers(studio: FakeStudio) -> None:
    first, second = studio.add_task("play"), studio.add_task("buy hat")
    studio.annotate(second, RESULT)
    lines = prompt(load({}), studio, "1", second).lines()
    assert lines[-2:] == ["what: buy<|im_end|>", "parts: thing: hat<|im_end|>"]
    assert sum("text: buy hat" in line for line in lines) == 1
    open_ = prompt(load({}), studio, "1")
    assert open_.task == first and open_.lines()[-2:] == ["what: ?", "parts: ?"]
    assert open_.to_dict()["questions"][0]["lead"] == "what: "


def test_a_task_that_is_not_there_or_holds_nothing_is_named(studio: FakeStudio) -> None:
    with pytest.raises(Unreadable, match="project 1 has no tasks"):
        prompt(load({}), studio, "1")
    empty = studio.add_task(" ")
    with pytest.raises(Unreadable, match="no text that a control asks about"):
        prompt(load({}), studio, "1", empty)
    with pytest.raises(Unreadable, match="no task 99"):
        prompt(load({}), studio, "1", 99)


def test_an_encoder_has_no_prompt() -> None:
    studio = FakeStudio(CONFIG)
    studio.add_task("play")
    with pytest.raises(BaseUnavailable, match="is an encoder"):
        prompt(load({}), studio, "1")
