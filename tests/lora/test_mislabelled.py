"""What a model that never saw an answer would not have given, and where it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from label_config import Example, read_schema
from label_config.values import Choice, Span
from lora.base import Base
from lora.crossfit import Embedder
from lora.doubts import KEPT, Doubt, Doubts
from lora.forget import Found, Lost, erase
from lora.mislabelled import doubts, weigh
from lora.store import Store

CHOICES = '<Choices name="c" toName="t"{}><Choice value="music"/><Choice value="paint"/></Choices>'
RATING = '<Rating name="c" toName="t" maxRating="2"/>'
TEXTS = {"music": "play the song number {}", "paint": "paint it red now {}"}


def config(control: str) -> str:
    return f'<View><Text name="t" value="$text"/>{control}</View>'


def rows(labels: dict[str, tuple[str, ...]], count: int = 40) -> list[Example]:
    made: list[Example] = []
    for n in range(count):
        kind = ("music", "paint")[n % 2]
        said = "one two three four five six seven".split()[n % 7] * (n // 7 + 1)
        text = {"text": TEXTS[kind].format(said)}
        answer = (Choice("c", "t", labels[kind]),)
        made.append(Example(f"e{n:02}", n, f"g{n}", "train", text, answer))
    return made


@pytest.fixture(scope="module")
def embed(tiny: Base) -> Embedder:
    return Embedder(tiny)


@pytest.mark.parametrize(
    ("control", "labels"),
    [
        (CHOICES.format(""), {"music": ("music",), "paint": ("paint",)}),
        (RATING, {"music": ("1",), "paint": ("2",)}),
        (CHOICES.format(' choice="multiple"'), {"music": ("music",), "paint": ("paint",)}),
    ],
)
def test_a_wrong_label_is_doubted_first(
    embed: Embedder, control: str, labels: dict[str, tuple[str, ...]]
) -> None:
    examples = rows(labels)
    wrong = replace(examples[6], answers=(Choice("c", "t", labels["paint"]),))
    found = doubts(embed, read_schema(config(control)), [*examples[:6], wrong, *examples[7:]])
    assert (found[0].row, found[0].given) == (wrong.id, labels["paint"])
    assert found[0].said != labels["paint"]
    assert found[0].sure and found[0].margin < 0
    assert [d.margin for d in found] == sorted(d.margin for d in found)
    assert len(found) < len(examples) / 4


def test_a_group_is_not_judged_by_itself(embed: Embedder) -> None:
    """The same wrong text twice would vouch for itself, were its twin among what the judge read."""
    examples = rows({"music": ("music",), "paint": ("paint",)})
    wrong = [
        replace(examples[i], group="twins", texts=examples[6].texts, answers=examples[7].answers)
        for i in (6, 8)
    ]
    schema = read_schema(config(CHOICES.format("")))
    rest = [e for i, e in enumerate(examples) if i not in (6, 8)]
    assert {d.row for d in doubts(embed, schema, [*rest, *wrong])[:2]} == {"e06", "e08"}


def test_confident_learning_counts_what_another_label_would_be_sure_of() -> None:
    chances = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.86, 0.14], [0.6, 0.4]])
    given = np.array([0, 0, 1, 1, 1])
    other, margin, sure = weigh(chances, given)
    assert other.tolist() == [1, 1, 0, 0, 0]
    assert margin.tolist() == pytest.approx([0.8, 0.6, 0.8, -0.72, -0.2])
    assert sure.tolist() == [False, False, False, True, False]  # .6 is less than 0's own mean, .85


def test_controls_that_nothing_judges_are_left_alone(embed: Embedder) -> None:
    number = '<Number name="c" toName="t"/>'
    examples = [replace(e, answers=()) for e in rows({"music": ("a",), "paint": ("b",)})]
    assert doubts(embed, read_schema(config(number)), examples) == []
    assert doubts(embed, read_schema(config(CHOICES.format(""))), examples) == []
    assert doubts(embed, read_schema(config(CHOICES.format(""))), []) == []


def test_rows_of_which_only_spans_are_doubted_come_last(embed: Embedder) -> None:
    labels = '<Labels name="s" toName="t"><Label value="song"/><Label value="colour"/></Labels>'
    examples = [
        replace(e, answers=(*e.answers, Span("s", "t", at, at + len(w), w, (label,))))
        for e in rows({"music": ("music",), "paint": ("paint",)})
        for w, label in (("song", "song"), ("red", "colour"))
        if (at := e.texts["text"].find(w)) >= 0
    ]
    spans = replace(examples[4], answers=examples[4].answers[:1])
    both = replace(examples[6], answers=(Choice("c", "t", ("paint",)),))
    changed = [spans if e.id == spans.id else both if e.id == both.id else e for e in examples]
    found = doubts(embed, read_schema(config(CHOICES.format("") + labels)), changed)
    assert (found[0].row, found[0].control) == (both.id, "c")
    assert (found[-1].row, found[-1].control, found[-1].said) == (spans.id, "s", ("song",))
    assert [d.control for d in found] == sorted(d.control for d in found)
    (only,) = doubts(embed, read_schema(config(labels)), changed[:6])
    assert (only.row, only.given) == (spans.id, ())


def doubt(number: int) -> Doubt:
    return Doubt(f"annotation-{number}", number, number, "c", ("a",), ("b",), -0.5, True)


def test_doubts_are_kept_of_the_last_snapshots(tmp_path: Path) -> None:
    place = Doubts(Store(tmp_path).project("1"))
    assert place.get("0" * 64) is None and not place.has("0" * 64)
    for n in range(KEPT + 2):
        assert place.put(f"{n:064}", [doubt(n)])
    assert place.get(f"{KEPT + 1:064}") == [doubt(KEPT + 1)]
    assert [n for n in range(KEPT + 2) if place.has(f"{n:064}")] == list(range(2, KEPT + 2))


def test_forgetting_a_snapshot_forgets_what_was_doubted_of_it(tmp_path: Path) -> None:
    store = Store(tmp_path).project("1")
    place = Doubts(store)
    place.put("a" * 64, [doubt(1)])
    place.put("b" * 64, [doubt(2)])
    erase(store, Found(snapshots={"a" * 64}), Lost())
    assert not place.has("a" * 64) and place.has("b" * 64)
    assert not place.put("a" * 64, [doubt(1)]) and not place.has("a" * 64)
