"""What counts as a mixed answer."""

from typing import Any

import pytest

from demo.offline import count_mixed
from demo.predictor import Answer
from demo.probe import Reply
from label_config import Choice, read_schema
from lora.answer import Answer as Said

SCHEMA = read_schema(
    '<View><Text name="text" value="$text"/><Choices name="label" toName="text">'
    '<Choice value="a"/><Choice value="b"/></Choices></View>'
)


def region(label: str, score: float) -> dict[str, Any]:
    value = {"choices": [label]}
    known = {"from_name": "label", "to_name": "text", "type": "choices"}
    return {**known, "value": value, "score": score}


def said(version: str, label: str = "a", score: float = 0.9) -> Answer:
    return Answer(version, score, [region(label, score)])


def alone(version: str) -> list[Said]:
    score = {"v1": 0.9, "v2": 0.8}[version]
    return [Said((Choice("label", "text", ("a",), score),), score)] * 2


@pytest.mark.parametrize(
    ("answers", "mixed"),
    [
        ((said("v1"), said("v1")), 0),
        ((said("v1", score=0.9005), said("v1")), 0),
        ((said("v2", score=0.8), said("v2", score=0.8)), 0),
        ((said("v1"), said("v2", score=0.8)), 1),
        ((said("v1"), said("v1", score=0.8)), 1),
        ((said("v1"), said("v1", label="b")), 1),
        ((said("v1"), Answer("v1", 0.9, [])), 1),
    ],
    ids=["equal", "rounding", "other version", "two versions", "score", "label", "empty"],
)
def test_a_reply_is_mixed_when_its_version_alone_says_otherwise(
    answers: tuple[Answer, Answer], mixed: int
) -> None:
    reply = Reply(0.0, (0, 1), answers)
    assert count_mixed([reply], ["one", "two"], SCHEMA, alone) == mixed
