import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.profile.style import RATES, Style, rates, style_of

CHAT = [
    "u there? pls call me, i cant find it",
    "im late sorry :)",
    "sooo good lol",
    "where's my order",
]
FORMAL = [
    "The Agreement does not renew without the written consent of both Parties.",
    "It is governed by the laws of the State of New York, and is not assignable.",
]


def test_a_chat_and_a_contract_differ_where_they_should() -> None:
    chat, formal = style_of(CHAT), style_of(FORMAL)
    assert (chat.lower, formal.lower) == (1.0, 0.0)
    assert (chat.loose, formal.loose) == (0.75, 0.0)
    assert (chat.contracted, chat.bare) == (1.0, 0.6667)
    assert (formal.contracted, formal.expanded) == (0.0, 1.0)
    assert (chat.unended, formal.unended) == (1.0, 0.0)
    assert (chat.question, formal.question) == (0.25, 0.0)
    assert (chat.abbreviated, formal.abbreviated) == (1.0, 0.0)
    assert (chat.polite, chat.first_person) == (0.5, 0.75)


def test_lengths_are_the_tenth_the_fiftieth_and_the_ninetieth() -> None:
    assert style_of(["a " * n for n in range(1, 12)]).words == (2, 6, 10)


def test_starts_ends_capitals_and_commas() -> None:
    style = style_of(["my Card", "My card.", "MY CARD!", 'he said "no."', "我的卡。"])
    assert (style.upper, style.small_start) == (0.2, 0.5)
    assert style.unended == 0.2
    long = "one two three four five six seven eight nine ten eleven twelve"
    assert style_of([long, long + ", thirteen", "short"]).no_commas == 0.5


def test_terse_needs_a_language_with_articles() -> None:
    assert style_of(["send me new card please", "send me the new card"]).terse == 0.5
    assert style_of(["пришлите мне новую карту пожалуйста"]).terse == 0.0


def test_openings_and_jargon_are_what_several_texts_share() -> None:
    style = style_of(["Can I use my card", "can i lose my card", "My card is lost"])
    assert style.openings == (("can i", 0.6667),)
    assert style.jargon == ("card",)


def test_acronyms_are_not_shouted_words() -> None:
    style = style_of(["My ATM card is NOT here", "it is not"])
    assert style.acronym_words == ("ATM",)


def test_nothing_is_measured_of_nothing() -> None:
    assert style_of([]) == style_of(["", "  \n"]) == Style()


def test_rates_are_what_noise_may_do_at_most() -> None:
    found = rates(style_of(CHAT))
    assert set(found) == set(RATES)
    assert (found["lower"], found["unended"], found["typos"]) == (1.0, 1.0, 0.0)


@given(st.lists(st.text(max_size=60), max_size=12))
def test_any_text_has_a_style_of_shares_that_json_can_hold(texts: list[str]) -> None:
    style = style_of(texts)
    json.dumps(asdict(style))
    shares = {name: v for name, v in asdict(style).items() if isinstance(v, float)}
    assert all(0.0 <= v <= 1.0 for v in shares.values()), shares
    assert style_of(reversed(texts)) == style


@pytest.mark.parametrize("slip", ["ordr", "oredr"])
def test_slips_count_by_how_often_they_are_made(slip: str) -> None:
    style = style_of(["where is my order"] * 9 + [f"where is my {slip}"])
    assert (style.typos, style.typo_words) == (round(1 / 40, 4), (slip,))
