from dataclasses import replace

import pytest

from augment.sources.generate import ask, headed, read
from augment.values import Made, Prompt
from label_config.controls import Control, InvalidValue, Label, Schema
from label_config.values import Choice, Example, Quantity, Span
from tests.augment.made import (
    CHOICES,
    COUNT,
    INTENT,
    SCHEMA,
    example,
    labels,
    span,
    spoken,
    texts_of,
)

ROW = spoken("add Clem Burke to my Jazz list", artist="Clem Burke", list="Jazz")
SAME = spoken("put on Zoë", "e2", artist="Zoë")
ORDER = spoken("where is my chair", "e3", intent="order")
PLAIN = example("where is my chair")


def asked(row: Example = ROW, schema: Schema = SCHEMA) -> Prompt:
    prompt = ask(row, schema, "About 7 words.", [SAME, ORDER], 3, unlike=[ORDER, SAME])
    assert prompt is not None
    return prompt


def back(said: str, row: Example = ROW, schema: Schema = SCHEMA) -> Made | None:
    return read(row, schema, asked(row, schema), said, "a model")


def test_the_prompt_is_a_list_of_the_label_after_one_of_another_and_ends_open() -> None:
    assert asked().text.splitlines() == [
        "About 7 words.",
        "Parts of a text are marked as [words](label).",
        "",
        'Texts about "order":',
        "- where is my chair",
        "",
        'Texts about "add song":',
        "- put on [Zoë](artist)",
        "- add [Clem Burke](artist) to my [Jazz](list) list",
        "-",
    ]
    assert asked() == asked() and asked().stop == ("\n",)
    chat = ask(ROW, SCHEMA, "", [], 3, chat=True)
    assert chat is not None and chat.text.endswith("Answer with the text alone.") and not chat.stop


def test_marks_become_spans_that_stand_in_the_plain_text() -> None:
    made = back(' "I want [DJ 😀](artist) on [Soul](list) 🎷"')
    assert made is not None and made.texts["text"] == "I want DJ 😀 on Soul 🎷"
    assert texts_of(made) == [("artist", "DJ 😀"), ("list", "Soul")]
    assert made.answers[0] == ROW.answers[0] and made.prompt == asked().digest
    assert made.as_example(ROW, 0.5).group == ROW.group


@pytest.mark.parametrize(
    "said",
    [
        "I want DJ Bo on Soul",
        "I want [DJ Bo](artist on Soul",
        "I want [DJ Bo](singer) on Soul",
        "I want [DJ Bo](when) on it",  # a label of the config that the prompt shows nowhere
        "I want [DJ Bo ](artist) on it",
        "I want [[DJ](artist) Bo](artist) on it",
        "put on [Zoë](artist)",
        "put [on](list) Zoë",
        "Texts about [Bo](artist)",
        "",
    ],
)
def test_lines_that_are_not_what_was_asked_for_are_refused(said: str) -> None:
    assert back(said) is None


def test_a_choice_alone_is_carried_over() -> None:
    made = back(" is the chair on its way\n- no", PLAIN, CHOICES)
    assert made is not None and made.answers == PLAIN.answers
    assert made.texts["text"] == "is the chair on its way"
    assert back("Where is my chair?", PLAIN, CHOICES) is None


def test_a_parent_without_spans_has_children_without() -> None:
    assert back("is the table here", ORDER) is not None
    assert back("is the [table](artist) here", ORDER) is None


def test_labels_that_nobody_was_asked_to_mark_are_not_marked() -> None:
    row = replace(ROW, unasked={"slot": ("list",)}, answers=ROW.answers[:2])
    assert "list)" not in asked(row).text
    assert back("I want [Bo](artist) on [Soul](list)", row) is None


def test_what_has_no_one_text_with_whole_answers_is_not_asked() -> None:
    mood = replace(INTENT, name="mood", to_name="title", key="title")
    two = replace(PLAIN, texts={"text": "it came", "title": "late"})
    for row, schema in (
        (two, Schema((INTENT, mood))),
        (example("3 chairs", Quantity("count", "text", 3)), Schema((COUNT,))),
        (example("one\ntwo"), CHOICES),
        (example("long " * 200), CHOICES),
        (example("see [1] (x)", PLAIN.answers[0], span("see [1] (x)", "see")), SCHEMA),
        (replace(PLAIN, answers=()), CHOICES),
    ):
        assert ask(row, schema, "", [], 1) is None


def test_overlapping_marks_of_other_rows_are_left_out() -> None:
    text = "put on Bo Lee"
    crossed = example(text, ROW.answers[0], span(text, "Bo Lee"), span(text, "Lee"), id="e4")
    assert ask(crossed, SCHEMA, "", [], 1) is None
    prompt = ask(ROW, SCHEMA, "", [crossed], 1)
    assert prompt is not None and "Lee" not in prompt.text


def test_headings_say_all_answers_in_words() -> None:
    stars = Control("stars", "Rating", "text", "text", labels("1", "2", "3"))
    kinds = Control("kinds", "Choices", "text", "text", (Label("a1", "LateOrder", "not here"),))
    own = Control("own", "Choices", "text", "text", options="topics")
    schema = Schema((kinds, stars, own))
    row = replace(PLAIN, options={"own": (Label("t", "Top Ten"),)})

    def heading(*answers: Choice | Span) -> str:
        return headed(replace(row, answers=answers), schema)

    late, two = Choice("kinds", "text", ("a1",)), Choice("stars", "text", ("2",))
    assert heading(late) == '"late order" (not here)'
    assert heading(two) == "stars 2 of 3"
    assert heading(late, two) == 'kinds "late order" (not here); stars 2 of 3'
    assert heading(Choice("own", "text", ("t",))) == '"top ten"'


def test_no_row_that_judges_comes_into_a_prompt() -> None:
    for place in (
        {"alike": [replace(SAME, side="holdout")]},
        {"unlike": [replace(ORDER, side="holdout")]},
    ):
        with pytest.raises(InvalidValue, match="is human on the holdout side"):
            ask(ROW, SCHEMA, "", **{"alike": [], "seed": 1, **place})
