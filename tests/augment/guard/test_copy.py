import pytest

from augment.guard.copy import copy
from augment.guard.values import Thresholds
from augment.values import Made
from label_config.values import Example
from tests.augment.guard.made import child, context, example, intent

EMOJI = example(90, "thanks 👍", intent("order"))
TURKISH = example(91, "Kartım nerede? ÇOK acil!", intent("order"))
BANK = example(92, "Card payment GBP 12.00", intent("order"))
HERE = context((*context().originals, EMOJI, TURKISH, BANK))


def refused(text: str, transform: str, parent: Example | None = None) -> str | None:
    made = child(text, transform) if parent is None else child(text, transform, parent)
    return copy(made, HERE, Thresholds())


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        ("where is my lamp", None),
        ("WHERE is: my lamp?!", None),
        ("Thanks, 👍", EMOJI),
        ("kartım nerede çok acil", TURKISH),
    ],
)
def test_a_rewrite_that_changes_case_and_signs_alone_is_a_copy(
    text: str, parent: Example | None
) -> None:
    assert refused(text, "rewrite", parent) == "1 of 1 text(s) are its parent's own"


@pytest.mark.parametrize(
    ("text", "transform", "parent"),
    [
        ("where is my lamp", "noise", None),  # casing is what noise may change
        ("Where's the lamp of mine?", "rewrite", None),
        ("thanks 😡", "rewrite", EMOJI),
        ("Card payment GBP 13.00", "substitute", BANK),
        ("Card payment GBP 1300", "rewrite", BANK),
    ],
)
def test_what_changes_a_word_an_emoji_or_an_amount_is_none(
    text: str, transform: str, parent: Example | None
) -> None:
    assert refused(text, transform, parent) is None


def test_noise_that_changed_white_space_alone_is_a_copy() -> None:
    assert refused(" Where is  my lamp?", "noise") is not None


def test_of_several_texts_one_must_have_changed() -> None:
    pair = Example("p", 1, "g", "train", {"a": "red", "b": "blue"}, ())
    here = context((pair,))
    assert copy(Made("p", {"a": "Red.", "b": "blue!"}, (), "rewrite"), here, Thresholds())
    assert copy(Made("p", {"a": "red", "b": "navy"}, (), "rewrite"), here, Thresholds()) is None
