import random
import re
from dataclasses import replace

import pytest

from augment.sources.figures import figures
from augment.sources.substitute import forms_of, substitute
from augment.spans import apply
from augment.values import Made
from label_config.controls import InvalidValue, Schema
from label_config.values import Choice, Example, Quantity, Span, Written
from tests.augment.made import COUNT, INTENT, NOTE, SCHEMA, SLOTS, example, span, spoken, texts_of

ROWS = [
    spoken("add Clem Burke to my Night Out list", "e1", artist="Clem Burke", list="Night Out"),
    spoken("please add Zoë to my Jazz list", "e2", artist="Zoë", list="Jazz"),
    spoken("put it on my 🎷 Blues list", "e3", list="🎷 Blues"),
    spoken("is the Order by Bo here", "e4", intent="order", artist="Bo"),
    spoken("may I hear Ko by Li", "e5", artist="Li"),
    spoken("add Mo", "e6", intent="order", artist="Mo"),
]


def child(row: Example, rows: list[Example] = ROWS, seed: int = 0) -> Made | None:
    return substitute(row, SCHEMA, forms_of(rows, SCHEMA), random.Random(seed))


def test_names_become_others_of_the_same_label_and_every_span_still_covers_its_own() -> None:
    seen = set()
    for seed in range(20):
        made = child(ROWS[0], seed=seed)
        assert made is not None and made == child(ROWS[0], seed=seed)
        seen |= set(texts_of(made))
        artist, where = (text for _, text in texts_of(made))
        assert made.texts["text"] == f"add {artist} to my {where} list"
        assert made.as_example(ROWS[0], 0.5).answers[0] == ROWS[0].answers[0]
    assert {("artist", "Zoë"), ("list", "Jazz"), ("list", "🎷 Blues")} <= seen
    assert {("artist", "Li"), ("artist", "Mo")}.isdisjoint(seen)  # behind `by`; another intent


def test_a_lone_name_has_nothing_to_be_exchanged_for() -> None:
    assert child(ROWS[3]) is None
    assert child(ROWS[0], rows=[ROWS[0]]) is None


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [
        ("book a [chair]", "book a [oven]", False),
        ("book a [chair]", "book a [table]", True),
        ("give [3] points", "give [1] points", False),
        ("give [3] points", "give [five] points", False),
        ("give [3] points", "give [5] points", True),
        ("go to the [Hague]", "go to the [The Shire]", False),
        ("Go to [song]", "Go to [songs]", False),
        ("Go to [song]", "Go to [Jazz]", False),
        ("go to [song]", "Go to [Jazz]", True),
    ],
)
def test_a_form_fits_the_words_around_it(old: str, new: str, fits: bool) -> None:
    rows = []
    for i, line in enumerate((old, new)):
        start, end = line.index("["), line.index("]") - 1
        text = line.replace("[", "").replace("]", "")
        mark = Span("slot", "text", start, end, text[start:end], ("when",))
        rows.append(example(text, mark, id=f"e{i}"))
    made = child(rows[0], rows)
    assert (made is not None) is fits
    if made is not None:
        assert texts_of(made) == [("when", texts_of(rows[1])[0][1].lower())]


@pytest.mark.parametrize("text", ["add Clem Burke, yes Clem Burke", "add Clem Burke"])
def test_overlapping_spans_and_names_said_twice_stay(text: str) -> None:
    one, inner = span(text, "Clem Burke"), span(text, "Clem", "list")
    spans = (one,) if text.count("Clem") == 2 else (one, inner)
    row = example(text, ROWS[0].answers[0], *spans)
    assert child(row) is None
    assert child(replace(row, texts={"text": "add Clem Burke"}, answers=(*row.answers[:1], one)))


@pytest.mark.parametrize("left", [Quantity("count", "text", 3), Written("note", "text", "3 of Bo")])
def test_an_answer_that_may_speak_of_a_figure_forbids_exchanging_it(
    left: Quantity | Written,
) -> None:
    schema = Schema((INTENT, SLOTS, NOTE, COUNT))
    row = example("pay $4,500.00", Choice("intent", "text", ("order",)), left)
    forms = forms_of([], schema)
    assert substitute(row, schema, forms, random.Random(0)) is None
    assert substitute(replace(row, answers=row.answers[:1]), schema, forms, random.Random(0))


def test_forms_are_never_taken_from_rows_that_judge() -> None:
    with pytest.raises(InvalidValue, match="e2 is human on the holdout side"):
        forms_of([ROWS[0], replace(ROWS[1], side="holdout")], SCHEMA)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("paid $2,000.00 now", r"paid \$2,\d00\.00 now"),
        ("GBP 189.72", r"GBP 1\d\d\.\d\d"),
        ("about 1.250,50 € more", r"about 1\.\d{3},\d\d € more"),
        ("on 2024-03-12", r"on 2024-03-(0[1-9]|1\d|2[0-8])"),
        ("on 31/03/2024", r"on (1[3-9]|2[0-8])/03/2024"),
        ("by March 5th, ok", r"by March (1st|2nd|3rd|[4-9]th), ok"),
        ("the 23rd of June", r"the (1\dth|2\d(st|nd|rd|th)) of June"),
        ("at 10:15am", r"at 10:\d[05]am"),
        ("order #482913", r"order #4\d{5}"),
        ("call 555-123-4567", r"call 555-123-\d{4}"),
    ],
)
def test_figures_keep_their_format_and_their_size(text: str, pattern: str) -> None:
    made = {apply(text, figures(text, {}, random.Random(seed))) for seed in range(30)}
    assert len(made - {text}) > 1
    assert [m for m in made if not re.fullmatch(pattern, m)] == []


@pytest.mark.parametrize(
    "text",
    [
        "give it 5 stars, 20% of 3",
        "my iPhone 12 and 120/80",
        "John 3:16 in B2B",
        "on Monday, March 4",
        "may 5 people come at 16:9",
        "version 1.2.10 at 192.168.10.20",
        "$5 for 100 pieces",
    ],
)
def test_figures_that_may_be_what_the_label_turns_on_stay(text: str) -> None:
    assert all(figures(text, {}, random.Random(seed)) == [] for seed in range(20))


def test_a_figure_said_twice_stays_one_and_spans_move_behind_it() -> None:
    text = "on May 5 or 2024-05-05, not May 5 😀 Bo"
    row = example(text, span(text, "May 5", "when"), span(text, "Bo"))
    made = child(row)
    assert made is not None
    (when, day), (_, who) = texts_of(made)
    assert (when, who) == ("when", "Bo") and day != "May 5" and made.texts["text"].count(day) == 2
