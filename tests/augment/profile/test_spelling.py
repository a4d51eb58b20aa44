import pytest

from augment.profile.spelling import abbreviations, acronyms, slips, texts_with, words

PROJECT = [words(t) for t in ["please send my order back to the seller"] * 20]


@pytest.mark.parametrize("wrong", ["ordr", "ordder", "oredr", "sellar", "plaese", "pleqse"])
def test_a_rare_word_one_letter_off_a_frequent_one_is_a_slip(wrong: str) -> None:
    found = slips(texts_with([*PROJECT, [wrong]]))
    assert list(found) == [wrong]


@pytest.mark.parametrize(
    "right",
    [
        "orders",  # an ending
        "border",  # a beginning
        "sender",  # two letters off
        "beck",  # four letters, one changed: "back" is meant, or is it?
        "müller",  # none is near
    ],
)
def test_another_word_is_no_slip(right: str) -> None:
    assert slips(texts_with([*PROJECT, [right]])) == {}


def test_a_word_that_recurs_is_the_projects_own() -> None:
    jargon = [["ordr"]] * 5  # 20 texts have "order": four times as many, five are needed
    assert slips(texts_with([*PROJECT, *jargon])) == {}
    assert slips(texts_with([*PROJECT, *jargon[:4]])) == {"ordr": "order"}


def test_words_keep_scripts_and_apostrophes_and_drop_digits() -> None:
    assert words("Don’t pay €50 für Zürich, приве́т №2") == ["don’t", "pay", "für", "zürich"] + [
        "приве",
        "т",
    ]


def test_shortened_words() -> None:
    assert abbreviations("Pls call u b4 6 hrs, thx. I am at a b. The Dr said so") == [
        *("pls", "u", "b4", "hrs", "thx", "b", "dr"),
    ]


@pytest.mark.parametrize(
    "text",
    ["why my try", "see www.xyz.com/pdf", "R&B x@y.z", "(b) or c)", "PLS CALL", "I can't", ""],
)
def test_words_addresses_and_list_marks_are_not_shortened(text: str) -> None:
    assert abbreviations(text) == []


def test_acronyms_stand_out_only_where_not_all_is_in_capitals() -> None:
    assert acronyms("My ATM card and PIN, please I SAY") == ["ATM", "PIN", "SAY"]
    assert acronyms("MY ATM CARD") == []
