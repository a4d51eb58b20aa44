import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.guard.spans import cuts_letter, spans
from augment.guard.values import Thresholds
from augment.values import Made
from label_config.values import Region, Span
from tests.augment.guard.made import PARENT, child, context, example, intent, span

HERE = context()


def refused(made: Made) -> str | None:
    return spans(made, HERE, Thresholds())


def at(start: int, end: int, text: str, label: str = "product") -> Span:
    return Span("entity", "text", start, end, text, (label,))


@pytest.mark.parametrize(
    "text",
    [
        "👨‍👩‍👧 where is my lamp",
        "🇩🇪🇫🇷lamp?",
        "أين lamp الخاص بي؟",
        "where\r\nlamp\r\n",
        "cafe\u0301 lamp",
        "מנורה lamp",
    ],
)
def test_a_span_that_covers_what_it_says_stays_in_any_script(text: str) -> None:
    assert refused(child(text)) is None


@pytest.mark.parametrize(
    ("text", "made", "says"),
    [
        ("👍 my lamp", at(2, 6, "lamp"), "covers not what it says"),  # an emoji counted as two
        ("my lamp", at(3, 8, "lamp "), "at 3:8 of 7"),
        ("my lamp now", at(3, 8, "lamp "), "begins or ends in white space"),
        ("my lamp", at(3, 6, "lam"), "cuts a word in two at 6"),
        ("cafe\u0301 is", at(0, 4, "cafe"), "cuts a letter in two at 4"),
        ("👩‍🚀 x", at(0, 1, "👩"), "cuts a letter in two at 1"),
        ("👍🏽 x", at(0, 1, "👍"), "cuts a letter in two at 1"),
        ("🇩🇪 x", at(0, 1, "🇩"), "cuts a letter in two at 1"),
        ("lamp\r\nx", at(0, 5, "lamp\r"), "white space"),
    ],
)
def test_a_span_that_lies_elsewhere_or_cuts_is_refused(text: str, made: Span, says: str) -> None:
    assert says in str(refused(child(text, "generate", answers=(intent("order"), made))))


@pytest.mark.parametrize("transform", ["noise", "substitute", "rewrite"])
def test_a_span_lost_on_the_way_is_counted(transform: str) -> None:
    made = child("where is it", transform, answers=(intent("order"),))
    assert refused(made) == "it lost 1 span(s) of its parent's and has 0 more"
    day = at(12, 18, "friday", "day")
    swapped = child("where is it friday", transform, answers=(intent("order"), day))
    assert refused(swapped) == "it lost 1 span(s) of its parent's and has 1 more"
    assert refused(child("where is it", "generate", answers=(intent("order"),))) is None


def test_spans_twice_or_overlapping_are_refused_where_people_never_overlap() -> None:
    one = at(3, 12, "desk lamp")
    assert "there twice" in str(refused(child("my desk lamp", "generate", answers=(one, one))))
    both: tuple[Region, ...] = (one, at(8, 12, "lamp"))
    made = child("my desk lamp", "generate", answers=both)
    assert "1 pair(s) of spans overlap" in str(refused(made))
    text = "my desk lamp"
    people = [
        example(i, text, span(text, "desk lamp"), span(text, "desk", "day")) for i in range(10)
    ]
    here = context(people)
    assert spans(child(text, "generate", people[0], both), here, Thresholds()) is None


def test_too_few_spans_of_people_say_nothing_of_their_habits() -> None:
    made = child("my lamp", "generate", answers=(at(3, 6, "lam"),))
    assert spans(made, context((PARENT,)), Thresholds()) is None


LETTERS = st.text(st.sampled_from("aé👍🏽🇩\u0301\u200d\r\n א中b "), min_size=1, max_size=12)


@given(text=LETTERS, data=st.data())
def test_a_place_is_sound_exactly_where_the_offsets_give_the_text(
    text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    said = data.draw(st.sampled_from([text[start:end], text[start:end][::-1]]))
    made = child(text, "generate", answers=(at(start, end, said),))
    why = spans(made, context((PARENT,)), Thresholds())
    assert (why is not None and "covers not" in why) == (text[start:end] != said)
    if why is None:
        assert not cuts_letter(text, start) and not cuts_letter(text, end)
