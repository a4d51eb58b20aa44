import pytest

from augment.profile import Style, style_of
from augment.voices import is_talk, voices

TALK = Style(texts=50, words=(5, 10, 20), contracted=0.5)
CONTRACT = Style(texts=50, words=(20, 40, 90), contracted=0.01, first_person=0.1)


@pytest.mark.parametrize(
    ("style", "talk"),
    [
        (TALK, True),
        (CONTRACT, False),
        (Style(question=0.5), True),
        (style_of(["i can't find it", "where's it?"]), True),
        (style_of(["tesco stores 3217 | GBP 6.22"]), False),
    ],
)
def test_only_where_people_speak_there_are_ages_and_dialects(style: Style, talk: bool) -> None:
    told = " ".join(voices(style))
    assert is_talk(style) == talk
    assert [word in told for word in ("teenager", "elderly", "dialect", "first language")] == [
        talk
    ] * 4


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"loose": 0.02, "abbreviation_words": ("u", "pls")}, "shortened words such as u, pls."),
        ({"typos": 0.002}, "misspelt"),
        ({"clipped": 0.1}, "Not a whole sentence"),
        ({"jargon": ("card", "fee", "pin", "atm")}, "words like card, fee, pin are usual"),
    ],
)
def test_a_habit_is_asked_for_only_where_the_project_has_it(
    changes: dict[str, object], word: str
) -> None:
    with_it = Style(texts=50, words=(5, 10, 20), **changes)  # type: ignore[arg-type]
    assert word in " ".join(voices(with_it))
    assert word not in " ".join(voices(TALK))


def test_the_plain_voice_is_always_there() -> None:
    assert voices(CONTRACT) == ("",)
    assert "" in voices(TALK)
