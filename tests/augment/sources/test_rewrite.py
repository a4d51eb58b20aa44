from dataclasses import replace

import pytest

from augment.sources import inputs, rewrite
from augment.values import Made, Prompt
from label_config.controls import InvalidValue, Schema
from label_config.values import Choice, Example, Written
from tests.augment.made import (
    BETTER,
    DIALOGUE,
    SCHEMA,
    WRITTEN,
    example,
    span,
    spoken,
    texts_of,
)

ROW = spoken("add Clem Burke to my 🎷 list", artist="Clem Burke", list="🎷")
OTHER = spoken("put on Bo", "e2", artist="Bo")


def asked(row: Example, schema: Schema = SCHEMA, seed: int = 3) -> Prompt:
    prompt = rewrite.ask(row, schema, "About 7 words.", [OTHER], seed)
    assert prompt is not None
    return prompt


def back(said: str, row: Example = ROW) -> Made | None:
    return rewrite.read(row, SCHEMA, asked(row), said, "a model")


def test_the_prompt_shows_the_constraint_other_texts_and_what_to_keep() -> None:
    prompt = asked(ROW)
    for part in ("About 7 words.", "- put on Bo", "Keep these words as they are: Clem Burke, 🎷."):
        assert part in prompt.text
    assert prompt.text.endswith("\nText: add Clem Burke to my 🎷 list\nRewrite:")
    assert (prompt.parent, prompt.seed, prompt == asked(ROW)) == ("e1", 3, True)
    chat = rewrite.ask(ROW, SCHEMA, "", [], 3, chat=True)
    assert chat is not None and chat.stop == () and "How people write" not in chat.text


def test_spans_are_found_again_where_they_now_stand() -> None:
    made = back(' "on my 🎷 list I want clem burke"')
    assert made is not None
    assert texts_of(made) == [("artist", "clem burke"), ("list", "🎷")]
    assert made.answers[0] == ROW.answers[0]
    assert (made.transform, made.generator, made.prompt) == (
        "rewrite",
        "a model",
        asked(ROW).digest,
    )
    assert made.seed == 3 and made.as_example(ROW, 0.5).origin.parent == "e1"


@pytest.mark.parametrize(
    "said",
    [
        "on my 🎷 list I want Clem",
        "Clem Burke, Clem Burke on my 🎷 list",
        "on my list I want Clem Burkes and 🎷",
        "add Clem Burke to my 🎷 list!",
        "put on Bo",
        "I want the 3 of Clem Burke in 🎷",
        "never put Clem Burke on 🎷",
        "send Clem Burke a parcel on my 🎷 list",
        "Text: put Clem Burke on my 🎷 list",
        "You said: add Clem Burke to my 🎷 list.",
        "",
    ],
)
def test_lost_doubled_echoed_and_changed_rewrites_are_refused(said: str) -> None:
    assert back(said) is None


def test_pieces_that_words_do_not_tell_apart_become_placeholders() -> None:
    text = "move my song to my list"
    row = example(text, span(text, "my", "list"), span(text, "song"))
    prompt = asked(row)
    assert prompt.text.endswith("Text: move [1] [2] to my list\nRewrite:")
    assert "Keep [1], [2] as they are." in prompt.text
    made = back("to my list the [2] is to go, [1]", row)
    assert made is not None and made.texts["text"] == "to my list the song is to go, my"
    assert texts_of(made) == [("list", "my"), ("artist", "song")]
    for lost in ("to my list [1]", "[1] [2] [2] on it", "[1] [2] [3] on it", "move my song on"):
        assert back(lost, row) is None


def test_nested_and_overlapping_spans_travel_together() -> None:
    text = "put Clem Burke on"
    row = example(text, span(text, "Clem"), span(text, "Clem Burke", "list"), span(text, "Burke"))
    made = back("let me hear Clem Burke", row)
    assert made is not None
    assert texts_of(made) == [("artist", "Clem"), ("list", "Clem Burke"), ("artist", "Burke")]


def test_numbers_and_denials_are_kept() -> None:
    row = example("my 2 cards did not come on 5 May")
    assert back("5 May, and still I haven't got the 2 cards", row) is not None
    assert back("5 May, and still I wait for the 2 cards", row) is None
    assert back("still I haven't got the 2 cards", row) is None


def test_what_cannot_be_rewritten_is_not_asked() -> None:
    pair = replace(example("x", Choice("better", "a", ("left",))), texts={"a": "x", "b": "y"})
    for row, schema in (
        (example("one\ntwo"), SCHEMA),
        (example("word " * 300), SCHEMA),
        (example("A: hello"), DIALOGUE),
        (example("hello", Written("note", "text", "greets")), WRITTEN),
        (pair, Schema((BETTER,))),
    ):
        assert rewrite.ask(row, schema, "", [], 1) is None


def test_no_row_that_judges_comes_into_a_prompt() -> None:
    with pytest.raises(InvalidValue, match="e2 is human on the holdout side"):
        rewrite.ask(ROW, SCHEMA, "", [replace(OTHER, side="holdout")], 1)


def test_one_of_several_texts_is_rewritten_and_read_under_the_same_key() -> None:
    two = Schema(
        (
            replace(BETTER, kind="Choices", right_key=None),
            replace(BETTER, name="b", key="b", kind="Choices", right_key=None),
        )
    )
    row = replace(
        example("x", Choice("better", "a", ("left",))), texts={"a": "it came", "b": "no, late"}
    )
    keys = set()
    for seed in range(8):
        prompt = rewrite.ask(row, two, "", [], seed)
        key = rewrite.key_of(row, two, seed)
        assert prompt is not None and key is not None
        assert prompt.text.endswith(f"Text: {row.texts[key]}\nRewrite:")
        made = rewrite.read(row, two, prompt, "no, here it was" if key == "b" else "here it was")
        assert made is not None and {k for k in "ab" if made.texts[k] != row.texts[k]} == {key}
        keys.add(key)
    assert keys == {"a", "b"}


NOTED = example(
    "patient says chest hurts since 3 days, saw Dr. Kumar", Written("note", "text", "3 days; Kumar")
)


def test_an_input_is_rewritten_and_its_target_kept() -> None:
    prompt = inputs.ask(NOTED, WRITTEN, "", [], 1)
    assert prompt is not None and inputs.ask(example("x y"), SCHEMA, "", [], 1) is None
    made = inputs.read(NOTED, WRITTEN, prompt, "dr. kumar was seen; for 3 days the chest hurts")
    assert made is not None and made.answers == NOTED.answers and made.transform == "inputs"
    for lost in ("for 3 days the chest hurts", "Kumar was seen, the chest hurts"):
        assert inputs.read(NOTED, WRITTEN, prompt, lost) is None


def test_a_line_that_the_target_quotes_stays_in_the_input() -> None:
    row = example(
        "well, send the chair back please", Written("note", "text", "send the chair back")
    )
    prompt = inputs.ask(row, WRITTEN, "", [], 1)
    assert prompt is not None
    assert inputs.read(row, WRITTEN, prompt, "please would you send the chair back") is not None
    assert inputs.read(row, WRITTEN, prompt, "please return the chair") is None
