"""The model object: 2.x signatures, and nothing leaves that Label Studio could not show."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from label_config import (
    Choice,
    Prediction,
    Quantity,
    Region,
    Schema,
    Span,
    Task,
    Written,
    read_schema,
)
from ml_backend.model import AnnotuneModel, BrokenAnswer
from tests.ml_backend.fakes import XML, FirstLabelLive, ListedJobs

SCHEMA = read_schema(XML)
RAW = {"id": 1, "data": {"text": "Alice came"}}
GOOD = Choice("mood", "text", ("Good",), 0.9)
ALICE = Span("ner", "text", 0, 5, "Alice", ("PER",), 0.8)


class SaysLive(FirstLabelLive):
    """Says exactly the predictions it was given."""

    def __init__(self, *said: Prediction) -> None:
        super().__init__()
        self.said = said

    def predict(
        self,
        project: str,
        schema: Schema,
        tasks: Sequence[Task],
        *,
        bulk: bool = False,
        timeout_s: float = 60,
    ) -> list[Prediction]:
        return list(self.said)


def answered(*regions: Region) -> list[str]:
    """The from_names of what is sent when the model says `regions`."""
    live = SaysLive(Prediction(1, regions, 0.5, "v1-0a1b2c3d"))
    (item,) = AnnotuneModel(live, ListedJobs(), "7", SCHEMA).predict([RAW])
    return [r["from_name"] for r in item["result"]]


def test_what_fits_the_config_and_the_text_is_sent() -> None:
    assert answered(GOOD, ALICE) == ["mood", "ner"]


@pytest.mark.parametrize(
    "bad",
    [
        Choice("sadness", "text", ("Good",)),
        Choice("mood", "title", ("Good",)),
        Choice("mood", "text", ("Splendid",)),
        Choice("mood", "text", ("Good", "Bad")),
        Choice("ner", "text", ("PER",)),
        Span("mood", "text", 0, 5, "Alice", ("Good",)),
        Span("ner", "text", 0, 5, "Alibi", ("PER",)),
        Span("ner", "text", 6, 11, "came!", ("PER",)),
        Span("ner", "text", 0, 5, "Alice", ("LOC",)),
    ],
)
def test_a_region_that_could_not_be_shown_is_left_out_and_recorded(
    bad: Region, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert answered(ALICE, bad) == ["ner"]
    assert "project 7: 1 x the model" in caplog.text and "Alice" not in caplog.text


ALL = read_schema(
    '<View><Text name="t" value="$text"/><Text name="u" value="$other"/>'
    '<Rating name="stars" toName="t" maxRating="3"/><Number name="n" toName="t" min="0" max="9"/>'
    '<Taxonomy name="tree" toName="t"><Choice value="a"><Choice value="b"/></Choice></Taxonomy>'
    '<Pairwise name="pair" toName="t,u"/>'
    '<Choices name="own" toName="t" value="$own"/><TextArea name="why" toName="t"/></View>'
)
DATA = {"text": "one", "other": "two", "own": [{"value": "mine"}]}


@pytest.mark.parametrize(
    ("region", "sent"),
    [
        (Choice("stars", "t", ("3",)), True),
        (Choice("stars", "t", ("4",)), False),
        (Quantity("n", "t", 9.0), True),
        (Quantity("n", "t", 9.5), False),
        (Quantity("n", "t", -1.0), False),
        (Choice("n", "t", ("9",)), False),
        (Quantity("stars", "t", 3.0), False),
        (Choice("tree", "t", ("a / b",)), True),
        (Choice("tree", "t", ("b",)), False),
        (Choice("own", "t", ("mine",)), True),
        (Choice("own", "t", ("theirs",)), False),
        (Written("why", "t", "because\n\U0001f600"), True),
        (Written("why", "t", "a\0b"), False),
        (Written("why", "t", "a\ud800b"), False),
        (Written("why", "u", "because"), False),
        (Written("stars", "t", "3"), False),
        (Choice("why", "t", ("because",)), False),
    ],
)
def test_every_kind_of_region_is_checked_against_its_control(region: Region, sent: bool) -> None:
    live = SaysLive(Prediction(1, (region,), 0.5, "v1-0a1b2c3d"))
    model = AnnotuneModel(live, ListedJobs(), "7", ALL)
    (item,) = model.predict([{"id": 1, "data": DATA}])
    assert bool(item["result"]) == sent


def test_a_second_answer_to_one_choice_is_left_out() -> None:
    assert answered(GOOD, Choice("mood", "text", ("Bad",))) == ["mood"]


@pytest.mark.parametrize(
    "said",
    [
        (),
        (Prediction(1, (), 0.5, "a"), Prediction(1, (), 0.5, "a"), Prediction(1, (), 0.5, "a")),
        (Prediction(1, (), 0.5, "a"), Prediction(1, (), 0.5, "b")),
    ],
)
def test_too_few_too_many_or_mixed_predictions_are_never_sent(said: tuple[Prediction, ...]) -> None:
    with pytest.raises(BrokenAnswer):
        AnnotuneModel(SaysLive(*said), ListedJobs(), "7", SCHEMA).predict([RAW, RAW])


def test_setup_gives_the_version_and_fit_asks_for_training_only_when_told() -> None:
    jobs = ListedJobs()
    model = AnnotuneModel(FirstLabelLive(), jobs, "7", SCHEMA)
    assert model.setup() == "v1-0a1b2c3d"
    assert model.fit("ANNOTATION_CREATED", {"annotation": {}}, extra=1) is None
    assert model.fit("START_TRAINING", {"project": {"id": 7}}) == "ask-7"
    assert jobs.asked == [("sync.jobs.ask", ("7",), "ask-7")]


def test_the_2x_call_forms_work() -> None:
    model = AnnotuneModel(FirstLabelLive(), ListedJobs(), "7", SCHEMA)
    assert model.predict([RAW], None, login=None) == model.predict([RAW], context=None)
