import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.guard.fit import fit_thresholds
from augment.guard.guard import ALWAYS, FILTERS, Passed, guard
from augment.guard.values import Context, Judges
from augment.guard.vectors import row_vectors
from augment.values import Made
from label_config.controls import InvalidValue
from label_config.values import Choice
from tests.augment.guard.made import (
    PARENT,
    POOL,
    ROWS,
    SCHEMA,
    ByWord,
    WordVectors,
    child,
    context,
    intent,
    shuffled,
    span,
)

WORDS = {"money": "refund", "broken": "refund", "password": "login", "sign": "login"}
FOLD = {e.id: i % 2 for i, e in enumerate(ROWS)}
HOLDOUT = ("Has the courier already left with my sofa?",)


def here() -> Context:
    judges = Judges(FOLD, (ByWord(WORDS), ByWord(WORDS)))
    return context(holdout=HOLDOUT, embed=WordVectors(), judges=judges)


BARS = replace(
    fit_thresholds(SCHEMA, ROWS, POOL, row_vectors(WordVectors(), [e.texts for e in ROWS])),
    nearest=0.3,
    centroid=0.05,
)
GOOD = child("Where did you leave my lamp?")
AGAIN = child("where did you leave my lamp", parent=PARENT, answers=(intent("order"),))
CASES: dict[str, Made] = {
    "shape": child("Where is that lamp?", answers=(Choice("mood", "text", ("x",)),)),
    "spans": child("Where is it now?", answers=(intent("order"),)),
    "length": child("lamp " + "Where is it, I have been waiting since the spring? " * 3),
    "copy": child("where is my LAMP", "generate", answers=(intent("order"),)),
    "answered": child("Sure, where is that lamp?"),
    "nonsense": child("wqzx lamp jkqv zzxq vvkw", "generate"),
    "leak": child(
        "has the courier left with my sofa already", "generate", answers=(intent("order"),)
    ),
    "near": child("Has the lamp been sent yet", "generate"),
    "drift": child("Quarterly rainfall over Lisbon", "generate", answers=(intent("order"),)),
    "consistent": child("Where is my money for the lamp?", "generate"),
}

COVERED_TOO = {"length": ("nonsense",), "copy": ("near",)}  # what refuses the same child later


def run(made: list[Made], off: tuple[str, ...] = ()) -> Passed:
    return guard(made, here(), BARS, off)


@pytest.mark.parametrize("name", [n for n in FILTERS if n not in {"same", "twin"}])
def test_each_filter_refuses_what_only_it_sees(name: str) -> None:
    passed = run([CASES[name]])
    assert [r.by for r in passed.refused] == [name]
    assert any(c.isdigit() for c in passed.refused[0].why)
    assert passed.kept == ()
    if name in ALWAYS:
        with pytest.raises(InvalidValue, match="cannot be switched off"):
            run([CASES[name]], (name,))
    else:
        off = (name, *COVERED_TOO.get(name, ()))
        assert run([CASES[name]], off).kept == (CASES[name],)


def test_the_first_of_two_twins_by_key_is_kept() -> None:
    first, second = sorted([GOOD, replace(AGAIN, transform="generate")], key=lambda m: m.key)
    passed = run([second, first])
    assert passed.kept == (first,)
    assert [(r.made, r.by) for r in passed.refused] == [(second, "twin")]
    assert run([second, first], ("twin",)).kept == (first, second)


def test_of_two_that_say_the_very_same_one_goes_even_with_twins_allowed() -> None:
    passed = run([replace(GOOD, seed=2), replace(GOOD, seed=1)], ("twin",))
    assert [m.seed for m in passed.kept] == [1]
    assert [r.by for r in passed.refused] == ["same"]


def test_a_child_that_the_model_alone_gets_wrong_goes_to_the_experts_first() -> None:
    wrong = CASES["consistent"]
    alike = child("where is my money for the lamp", "generate", answers=(intent("order"),))
    passed = run([wrong, alike, CASES["leak"], GOOD])
    assert [r.by for r in passed.refused if r.made in (wrong, alike)] == ["consistent"] * 2
    assert passed.experts_first == (min((wrong, alike), key=lambda m: m.key),)
    assert len(run([wrong, alike, GOOD], ("twin",)).experts_first) == 2


def test_unknown_filters_are_named() -> None:
    with pytest.raises(InvalidValue, match=r"no filter is called \['typo'\]; same, shape, spans"):
        run([GOOD], ("typo",))


def test_the_funnel_adds_up_in_the_order_of_the_filters_and_is_json() -> None:
    made = [*CASES.values(), GOOD]
    funnel = run(made).funnel
    assert [s.name for s in funnel.steps] == list(FILTERS)
    left = funnel.made
    for step in funnel.steps:
        assert step.came == left
        left -= step.refused
    assert left == funnel.kept == 1 and funnel.experts_first == 1
    told = json.loads(json.dumps(funnel.to_dict(), allow_nan=False))
    assert told["by_transform"]["rewrite"]["kept"] == 1
    assert told["by_transform"]["generate"]["leak"] == 1
    by_name = {s["name"]: s for s in told["steps"]}
    assert by_name["answered"]["samples"][0]["texts"] == {"text": "Sure, where is that lamp?"}
    assert "opens with 'sure'" in by_name["answered"]["samples"][0]["why"]
    assert told["samples"][0]["key"] == GOOD.key
    assert told["thresholds"]["lengths"]["text"] == list(BARS.lengths["text"])


def test_the_funnel_says_what_could_not_be_done() -> None:
    bare = replace(here(), embed=None, judges=None, holdout=())
    passed = guard([GOOD], bare, replace(BARS, surprise=None), ("copy",))
    states = {s.name: s.state for s in passed.funnel.steps if s.state != "on"}
    assert states == {
        "copy": "off",
        "nonsense": "on, repetition only: too few texts",
        "leak": "no holdout",
        "near": "on, by letters only: no embeddings",
        "drift": "no embeddings",
        "consistent": "no judges",
        "twin": "on, by letters only: no embeddings",
    }
    assert all(s.state == "on" for s in run([GOOD]).funnel.steps)


def test_each_text_is_embedded_once_and_those_refused_before_are_not() -> None:
    embed = WordVectors()
    guard([GOOD, CASES["answered"]], replace(here(), embed=embed), BARS)
    assert len(embed.asked) == len(set(embed.asked))
    assert CASES["answered"].texts["text"] not in embed.asked


def test_nothing_made_is_nothing_kept() -> None:
    passed = run([])
    assert (passed.kept, passed.refused, passed.experts_first) == ((), (), ())
    assert passed.funnel.made == 0


PIECES = ("my lamp", "a lamp", "where", "is", "it", "Sure,", "money", "friday", "👍", "اليوم", "灯")
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map(" ".join)


@settings(max_examples=25)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=8),
    transforms=st.lists(st.sampled_from(["noise", "rewrite", "generate"]), min_size=8, max_size=8),
    seed=st.integers(0, 99),
)
def test_the_order_the_children_came_in_changes_nothing(
    texts: list[str], transforms: list[str], seed: int
) -> None:
    rng = random.Random(seed)
    made = [
        child(text, kind, rng.choice(ROWS[:3]), (intent("order"),))
        for text, kind in zip(texts, transforms, strict=False)
    ]
    one, other = run(made, ("near",)), run(shuffled(made, seed), ("near",))
    assert one == other
    assert json.dumps(one.funnel.to_dict()) == json.dumps(other.funnel.to_dict())
    assert len(one.kept) + len(one.refused) == len(made)
    alone = [run([m], ("near",)) for m in one.kept]  # but for twins each child stands for itself
    assert [p.kept for p in alone] == [(m,) for m in one.kept]
    for refusal in one.refused:
        if refusal.by not in {"same", "twin"}:
            assert run([refusal.made], ("near",)).refused == (refusal,)


def test_spans_of_a_good_child_stay_where_they_are() -> None:
    (kept,) = run([GOOD]).kept
    assert kept.answers == (intent("order"), span(GOOD.texts["text"], "lamp"))
    assert kept.as_example(PARENT, 0.5).group == PARENT.group
