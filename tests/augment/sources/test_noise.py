import random
import re
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.sources.habits import (
    abbreviate,
    contractions,
    expand,
    no_commas,
    terse,
    unended,
)
from augment.sources.noise import Rates, noise
from augment.sources.typos import misspell
from augment.spans import apply
from label_config.controls import InvalidValue, Schema
from label_config.values import Choice, Written
from tests.augment.made import BETTER, DIALOGUE, SCHEMA, WRITTEN, example, span, spoken, texts_of

ALL = Rates(**{f.name: 1.0 for f in fields(Rates) if f.name not in {"upper", "expanded"}})
WORDS = [
    *"I do not can't never without the a my refund waiting please you 3 $4,500.00 14:30".split(),
    *"B2B Zoë PIN 👩‍👩‍👧 שלום e\u0301te because arrived, is it yesterday. cancelled! two".split(),
    *"x@y.org No, LONGER isn’t it's".split(),
    "\r\n",
]


def drawn(text: str, rates: Rates, seed: int = 0) -> str | None:
    made = noise(example(text), SCHEMA, rates, random.Random(seed))
    return None if made is None else made.texts["text"]


def denials(text: str) -> int:
    denied = r"\b(?:not|no|never|without|cannot|cant|dont|isnt)\b|n't\b"
    return len(re.findall(denied, text.lower().replace("’", "'")))


@settings(max_examples=100)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=16), st.integers(0, 9), st.data())
def test_numbers_denials_and_span_texts_stay_whatever_the_rates(
    words: list[str], seed: int, data: st.DataObject
) -> None:
    text = " ".join(words)
    at = data.draw(st.integers(0, len(words) - 1))
    start = len(" ".join(words[:at])) + (at > 0)
    held = replace(span(text, words[at]), start=start, end=start + len(words[at]))
    row = example(text, Choice("intent", "text", ("order",)), held)
    made = noise(row, SCHEMA, ALL, random.Random(seed))
    assert made == noise(row, SCHEMA, ALL, random.Random(seed))
    if made is not None:
        said = made.texts["text"]
        assert said != text and made.answers[0] == row.answers[0]
        assert [t.lower() for _, t in texts_of(made)] == [words[at].lower()]
        assert re.findall(r"\d+", said) == re.findall(r"\d+", text)
        assert denials(said) == denials(text)
        assert made.as_example(row, 0.5).side == "train"


def test_no_rates_make_no_children() -> None:
    assert drawn("I do not know where the parcel is, please help me.", Rates()) is None


def test_typos_are_as_frequent_as_the_rate_says_and_never_another_word_of_the_project() -> None:
    text = " ".join(["parcel", "delivery", "refund", "waiting"] * 100)
    said = (drawn(text, Rates(typos=0.1)) or "").split()
    wrong = sum(a != b for a, b in zip(said, text.split(), strict=True))
    assert 20 <= wrong <= 60  # 40 expected of 400; the draw is fixed
    slips = {misspell("form", (), random.Random(n)) for n in range(300)}
    assert "from" in slips and "form" not in slips
    assert "from" not in {misspell("form", {"from"}, random.Random(n)) for n in range(300)}


def test_names_numbers_codes_and_denials_get_no_typo() -> None:
    text = "Never send Clem B2B order48 thirteen monday https://parcel.example nothing without"
    said = drawn(text, Rates(typos=1.0)) or ""
    assert [w for w in said.split() if w not in text.split()] == [said.split()[1]]


def test_casing_reaches_spans_and_moves_them_but_abbreviations_stay() -> None:
    row = spoken("Add Clem Burke to my PIN list. İstanbul", artist="Clem Burke")
    made = noise(row, SCHEMA, Rates(lower=1.0), random.Random(1))
    assert made is not None and texts_of(made) == [("artist", "clem burke")]
    assert made.texts["text"] == "add clem burke to my PIN list. İstanbul"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I do not know.", "I don't know."),
        ("It is late, I will not wait.", "It's late, I won't wait."),
        ("Tell me where it is now", "Tell me where it is now"),
        ("So it is.", "So it is."),
    ],
)
def test_contractions_stand_only_where_people_use_them(text: str, said: str) -> None:
    assert apply(text, contractions(text, 1.0, 0.0, random.Random(0))) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I don't know why it doesn't work", "I do not know why it doesn't work"),
        ("Don't you know", "Don't you know"),
        ("I can’t pay", "I cannot pay"),
    ],
)
def test_contractions_are_written_out_where_the_order_of_words_allows(text: str, said: str) -> None:
    assert apply(text, expand(text, 1.0, random.Random(0))) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I need the refund for a broken chair", "Need refund for broken chair"),
        ("The parcel is at the Hague office", "Parcel is at the Hague office"),
        ("she has hepatitis a infection for a few weeks", None),
        ("is the chair here", None),  # four words
        ("the pub on the hoe | GBP 102.30", None),
    ],
)
def test_terse_texts_lose_articles_but_no_grades_names_or_quantities(
    text: str, said: str | None
) -> None:
    assert apply(text, terse(text, 1.0, random.Random(0))) == (said or text)


def test_a_question_mark_goes_only_where_the_words_ask() -> None:
    def end(text: str) -> str:
        return apply(text, unended(text, 1.0, random.Random(0)))

    assert end("Hi. where is it?") == "Hi. where is it"
    assert end("My card arrived?") == "My card arrived?"
    assert end("It came at 5 p.m.") == "It came at 5 p.m." and end("Done!") == "Done"


def test_commas_go_between_clauses_but_not_in_lists_or_behind_a_no() -> None:
    text = "Well, I ate fish, eggs and ham, but no, it was bad"
    said = "Well I ate fish, eggs and ham but no, it was bad"
    assert apply(text, no_commas(text, 1.0, random.Random(0))) == said


def test_titles_are_not_abbreviated() -> None:
    assert abbreviate("the book people | GBP 58.48", 1.0, random.Random(0)) == []
    text = "Please play Thank You People for your people"
    assert re.fullmatch(
        r"Pl[sz] play Thank You People for ur ppl",
        apply(text, abbreviate(text, 1.0, random.Random(0))),
    )


def test_words_that_a_written_answer_shares_stay_as_they_are() -> None:
    row = example("Please ship the Chair tomorrow, thanks", Written("note", "text", "ship chair"))
    made = noise(row, WRITTEN, ALL, random.Random(3))
    assert made is not None and {"ship", "Chair"} <= set(made.texts["text"].split())
    assert made.answers == row.answers


def test_the_authors_of_a_dialogue_stay() -> None:
    row = example("Agent Smith: what do you need?\nCustomer: the refund, please")
    made = noise(row, DIALOGUE, ALL, random.Random(0))
    assert made is not None
    assert [t.split(":")[0] for t in made.texts["text"].split("\n")] == ["Agent Smith", "Customer"]


def test_a_comparison_of_two_texts_has_no_noisy_child() -> None:
    row = replace(
        example("x", Choice("better", "a", ("left",))), texts={"a": "The one.", "b": "The other."}
    )
    assert noise(row, Schema((BETTER,)), ALL, random.Random(0)) is None


def test_rows_that_judge_have_no_children() -> None:
    judge = replace(example("Where is it?"), side="holdout")
    with pytest.raises(InvalidValue, match="e1 is human on the holdout side"):
        noise(judge, SCHEMA, ALL, random.Random(0))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_rate_is_a_share(share: float) -> None:
    with pytest.raises(InvalidValue, match="the rate typos is"):
        Rates(typos=share)
