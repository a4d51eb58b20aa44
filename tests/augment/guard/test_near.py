from dataclasses import replace

import numpy as np
import pytest

from augment.guard.near import leak, near, twin
from augment.guard.values import Thresholds
from augment.guard.vectors import Remembered
from augment.values import Made
from label_config.controls import InvalidValue
from tests.augment.guard.made import PARENT, ROWS, WordVectors, child, context, example, intent

BARS = Thresholds()
HOLDOUT = (
    "Has the courier already left with my sofa?",
    "Transferencia de 250,00 € a la cuenta de ahorro",
    "患者は昨日から胸の痛みを訴えている",
    "👍👍👍",
    "yes",
)


def leaked(text: str, holdout: tuple[str, ...] = HOLDOUT, embed: bool = False) -> str | None:
    here = context(holdout=holdout, embed=WordVectors() if embed else None)
    return leak([child(text, "generate", answers=())], here, BARS)[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("has the courier already left with my SOFA", "is a holdout text"),
        ("Has the courier already left with my new sofa?", "of its pieces with a holdout"),
        ("Hello! Has the courier already left with my sofa? Thank you in advance.", "stands in it"),
        ("already left with my sofa?", "stand in a holdout text"),
        ("Transferencia de 90,50 € a la cuenta de ahorro", "is a holdout text"),
        ("昨日から胸の痛みを訴えている", "stand in a holdout text"),
        ("医師によると患者は昨日から胸の痛みを訴えているとのことです", "stands in it"),
        ("👍👍👍", "is a holdout text"),
        ("Yes!", "is a holdout text"),
    ],
)
def test_what_gives_a_holdout_text_away_is_refused(text: str, says: str) -> None:
    why = leaked(text)
    assert says in str(why)
    assert "sofa" not in str(why) and "ahorro" not in str(why)  # nor does the reason tell it


@pytest.mark.parametrize(
    "text",
    [
        "Where is the sofa that I ordered in May?",
        "yes please send the lamp again",  # a short holdout text stands in many
        "Pago de 12,00 € en la panadería",
        "患者は頭痛がある",
        "👍 thanks",
    ],
)
def test_what_only_is_of_the_same_kind_stays(text: str) -> None:
    assert leaked(text) is None


def test_a_holdout_text_in_other_words_is_found_by_its_meaning() -> None:
    text = "already with my sofa the courier has left?"
    assert leaked(text) is None
    assert "its cosine to a holdout text is 1.000" in str(leaked(text, embed=True))
    assert leaked("Where is my lamp?", embed=True) is None


def test_a_text_that_many_tasks_share_gives_nothing_away_unless_it_was_changed() -> None:
    shared = {"question": "How do I bleed a radiator?", "reply": "Open the valve."}
    row = replace(PARENT, texts=shared, answers=())
    here = replace(context((row,)), holdout=({**shared, "reply": "Call a plumber first."},))
    new = Made(row.id, {**shared, "reply": "Turn the valve slowly."}, (), "rewrite")
    taken = Made(row.id, {**shared, "reply": "Call a plumber first!"}, (), "rewrite")
    assert leak([new], here, BARS) == [None]
    assert "is a holdout text" in str(leak([taken], here, BARS)[0])


def test_a_single_text_is_held_against_the_holdout_even_if_unchanged() -> None:
    here = context(holdout=(PARENT.texts["text"],))
    assert leak([child(PARENT.texts["text"])], here, BARS)[0] is not None


def nearly(made: Made, embed: bool = False) -> str | None:
    here = context(embed=WordVectors() if embed else None)
    return near([made], here, BARS)[0]


def test_a_rewrite_near_its_parent_or_another_original_is_refused() -> None:
    first = nearly(child("I still wait for a kettle I ordered."))
    assert first is not None and "of its pieces with original annotation-1" in first
    assert "says what original annotation-7 says" in str(
        nearly(child("has the lamp been sent yet"))
    )


def test_light_transforms_are_near_their_own_parent_by_design() -> None:
    assert nearly(child("Whre is my lamp?", "noise")) is None
    assert nearly(child("WHERE IS MY LAMP", "noise-case")) is None
    assert nearly(child("Where is my phone cases?", "substitute")) is not None  # another's


def test_an_original_in_other_words_is_found_by_its_meaning() -> None:
    text = "The lamp has been sent yet?"
    assert nearly(child(text, "generate")) is None
    assert "its cosine to original annotation-7 is 1.000" in str(
        nearly(child(text, "generate"), True)
    )
    noise = child("my lamp where is?", "noise")
    assert nearly(noise, True) is None and nearly(replace(noise, transform="rewrite"), True)


def test_a_new_way_to_say_it_stays() -> None:
    for text in (
        "Any news about the lamp?",
        "灯什么时候到？",
        "📦 lamp ???",
        "Wo bleibt die Lampe",
    ):
        assert nearly(child(text, "generate", answers=()), True) is None


def test_of_twins_the_first_is_kept() -> None:
    made = [
        child("Any news about the lamp I paid for?"),
        child("any news about the lamp i paid for"),
        child("Any news about the lamp that I paid for?", parent=ROWS[7], answers=()),
        child("Nothing has come so far"),
    ]
    first, same, alike, other = twin(made, context(), BARS)
    assert first is None and other is None
    assert same == f"it says what child {made[0].key} says (1.00)"
    assert alike is not None and f"of its pieces with child {made[0].key}" in alike


def test_twins_in_other_words_are_found_by_their_meaning() -> None:
    made = [child("so any news about my new lamp"), child("my new lamp, any news about so?")]
    assert twin(made, context(), BARS) == [None, None]
    _, why = twin(made, context(embed=WordVectors()), BARS)
    assert why == f"its cosine to child {made[0].key} is 1.000"


def test_light_siblings_may_be_alike_but_not_the_same() -> None:
    typos = [child("wher is my lamp", "noise"), child("where s my lamp", "noise")]
    assert twin(typos, context(embed=WordVectors()), BARS) == [None, None]
    same = [child("wher is my lamp", "noise"), child("Wher is my LAMP!", "noise")]
    assert twin(same, context(), BARS)[1] is not None


def test_a_twin_of_a_refused_twin_is_held_against_the_kept_ones_only() -> None:
    chain = [child(t) for t in ("aaaa bbbb cccc dddd", "aaaa bbbb cccc dddd eeee", "eeee ffff")]
    assert [w is None for w in twin(chain, context(), BARS)] == [True, False, True]


def test_vectors_of_the_wrong_kind_are_refused_before_they_let_a_leak_through() -> None:
    nan = Remembered(lambda texts: np.full((len(texts), 4), np.nan, np.float32))
    with pytest.raises(InvalidValue, match="not of length 1"):
        nan(["a"])
    few = Remembered(lambda texts: np.ones((1, 1), np.float32))
    with pytest.raises(InvalidValue, match=r"2 text\(s\) gave an array of shape \(1, 1\)"):
        few(["a", "b"])
    assert few([]).shape[0] == 0


def test_originals_of_one_say_are_named_by_id_whatever_their_order() -> None:
    twins = (
        example(5, "Bring it back", intent("order")),
        example(4, "bring it back", intent("order")),
    )
    for people in (twins, twins[::-1]):
        here = context((PARENT, *people))
        why = near([child("Bring it back!", answers=())], here, BARS)[0]
        assert why == "it says what original annotation-4 says (1.00)"
