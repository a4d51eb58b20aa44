"""Whatever a model says, a reader returns a child that holds together, or None."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.sources import generate, inputs, rewrite
from augment.values import Made, Prompt
from label_config.controls import Schema
from label_config.values import Example, Written
from tests.augment.made import SCHEMA, WRITTEN, example, span, spoken, texts_of

SPOKEN = spoken("add Clem Burke to my 🎷 list", artist="Clem Burke", list="🎷")
TWICE = example("my song to my list", span("my song", "my", "list"))
NOTED = example("three chairs for Bo", Written("note", "text", "Bo: chairs"))
SAID = st.lists(
    st.sampled_from(
        [
            "add",
            "Clem Burke",
            "🎷",
            "[Bo](artist)",
            "[1]",
            "[",
            "](list)",
            '"',
            "“",
            "\n",
            "Rewrite:",
        ]
        + [
            "1.",
            "- ",
            "my",
            "song",
            "Bo",
            "not",
            "٣",
            "\r",
            "\u202e",
            "ß",
            "👩‍👩‍👧",
            ":",
            "Text:",
            "(",
            "\x00",
        ]
    ),
    max_size=9,
).map(" ".join)
Read = Callable[[Example, Schema, Prompt, str], Made | None]


@pytest.mark.parametrize(
    ("row", "schema", "read"),
    [
        (SPOKEN, SCHEMA, rewrite.read),
        (TWICE, SCHEMA, rewrite.read),
        (SPOKEN, SCHEMA, generate.read),
        (NOTED, WRITTEN, inputs.read),
    ],
)
@settings(max_examples=60)
@given(said=SAID | st.text(max_size=30))
def test_a_reader_never_raises_and_never_misplaces_a_span(
    row: Example, schema: Schema, read: Read, said: str
) -> None:
    ask = {rewrite.read: rewrite.ask, generate.read: generate.ask, inputs.read: inputs.ask}[read]
    prompt = ask(row, schema, "About 7 words.", [], 1)
    assert prompt is not None
    made = read(row, schema, prompt, said)
    if made is not None:
        assert made.texts["text"].strip() == made.texts["text"] != row.texts["text"]
        texts_of(made)
        assert made == read(row, schema, prompt, said)
