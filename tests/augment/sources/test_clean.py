import pytest

from augment.sources.clean import one_line, repeats, wraps

SOURCE = "where is my order"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (" has my parcel come\n", "has my parcel come"),
        ('"has my parcel come"', "has my parcel come"),
        ("Rewrite: “has my parcel come”", "has my parcel come"),
        (
            "Sure! Here is the text in other words:\n\n1. has my parcel come\n2. no",
            "has my parcel come",
        ),
        ("- 'has my parcel come'", "has my parcel come"),
        ("**has my parcel come**", None),
        ('has my "parcel come', None),
        ("As an AI I know no parcel.", None),
        ("This rewriting says it: where", None),
        ("<|im_end|>", None),
        ("...", None),
        ("\n \n", None),
        ("Here is the text:", None),
        ('say "hi" to it', 'say "hi" to it'),
    ],
)
def test_wrapping_is_taken_off_and_talk_about_the_asking_is_refused(
    said: str, line: str | None
) -> None:
    assert one_line(said, SOURCE) == line


def test_what_the_source_has_itself_is_no_wrapping() -> None:
    assert one_line('"it came"', '"where is it"') == '"it came"'
    assert one_line("2. it came", "1. where is it") == "2. it came"
    assert one_line("rewrite my letter now", "please rewrite my letter") == "rewrite my letter now"


def test_repeating_the_source_or_the_prompt_is_seen_through_form() -> None:
    prompt = "Text: has it come?\nRewrite: did it come\n- is it here\n\nText: where is my order"
    for said in ("Where is my order?!", "did it come", "Is it here.", "Has it come"):
        assert repeats(said, prompt, SOURCE)
    assert not repeats("where is my parcel", prompt, SOURCE)


def test_the_source_with_words_around_it_is_no_rewrite() -> None:
    assert wraps('It asks: "Where is my order"', SOURCE)
    assert not wraps("where may my order be", SOURCE)
    assert not wraps("my order, please", "my order")
