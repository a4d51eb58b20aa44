"""What a teacher reads of the pool is lent to a causal fit, unless rows held back speak against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from label_config.controls import Control
from label_config.schema import read_schema
from label_config.values import Choice, Example, Inputs, Origin
from lora.adapter import digest_files
from lora.base import Base
from lora.causal.checkpoint import Keeper
from lora.causal.files import write_causal
from lora.causal.fit import CausalFitted, fit_causal
from lora.causal.loop import Course, Fit
from lora.causal.plan import LENT
from lora.causal.teacher import FEWEST, EncoderTeacher, Said, lend
from lora.causal.variants import Adapted
from lora.errors import BaseUnavailable, LoraError
from lora.examples import weight_of
from lora.recipe import recipe_for
from settings import Train
from tests.lora.causal.made import causal_base
from tests.lora.causal.rowed import FAST, examples, schema

SETTINGS = replace(FAST, steps=3)
VERBS = ("play", "buy", "paint")
POOL = [{"text": f"{VERBS[n % 3]} the old {n} of them"} for n in range(40)]


@dataclass
class Fake:
    """Says the verb in the text, or always the same one. `taught`: ids of the rows it learned."""

    name: str = "fake"
    always: str = ""
    missing: bool = False
    taught: list[list[str]] = field(default_factory=list)

    def __call__(
        self, controls: Sequence[Control], rows: Sequence[Example], asked: Sequence[Inputs]
    ) -> list[Said]:
        if self.missing:
            raise BaseUnavailable("no such base")
        self.taught.append([e.id for e in rows])
        assert [c.name for c in controls] == ["what"], "spans are not taught"
        words = [self.always or i.texts["text"].split()[0] for i in asked]
        return [{"what": Choice("what", "t", (w,), 0.9)} if w in VERBS else {} for w in words]


@pytest.fixture(scope="module")
def base() -> Base:
    return causal_base("llama")


def fitted(
    base: Base,
    teacher: Fake | None,
    count: int = 60,
    pool: Sequence[Mapping[str, str]] = POOL,
    settings: Train = SETTINGS,
    **how: object,
) -> CausalFitted:
    rows = examples(count)
    return fit_causal(base, schema(), rows, pool, settings, teacher=teacher, **how)  # type: ignore[arg-type]


def written(folder: Path, made: CausalFitted) -> Mapping[str, str]:
    folder.mkdir()
    write_causal(folder, made)
    return digest_files(folder)


def held(groups: int = 20) -> set[str]:
    return {e.group for e in examples(60)[:groups]}


def test_the_pool_is_lent_with_what_the_teacher_says_to_it() -> None:
    teacher = Fake()
    made = lend(teacher, schema(), examples(60), POOL, held(), {"what": 0.5, "parts": 1.0})
    assert [(e.texts, e.answers[0].labels[0]) for e in made.examples] == [  # type: ignore[union-attr]
        (text, text["text"].split()[0]) for text in POOL
    ]
    assert {e.side for e in made.examples} == {"train"}
    assert {(e.origin.kind, e.origin.generator) for e in made.examples} == {("synthetic", "fake")}
    assert made.notes == (
        "what: fake reads the pool for it, with 20 of 20 held back right, this base 50% of them",
    )
    first, second = teacher.taught
    assert not set(first) & {e.id for e in examples(60)[:20]}, "it is judged on what it never saw"
    assert len(second) == 60, "then it learns from all"


def test_a_teacher_that_knows_less_is_not_followed() -> None:
    teacher = Fake(always="play")  # right on a third
    made = lend(teacher, schema(), examples(60), POOL, held(), {"what": 0.5})
    assert not made.examples and "fake does not read the pool" in made.notes[0]
    assert len(teacher.taught) == 1


def test_by_one_row_nobody_is_shown_to_know_better() -> None:
    hits = sum(e.texts["text"].startswith("play") for e in examples(60)[:20])
    for more, follows in ((1, True), (2, False)):
        right = {"what": (hits + more) / 20}
        made = lend(Fake(always="play"), schema(), examples(60), POOL, held(), right)
        assert bool(made.examples) == follows


@pytest.mark.parametrize("right", [{}, {"parts": 1.0}])
def test_what_cannot_be_compared_is_not_lent(right: dict[str, float]) -> None:
    teacher = Fake()
    assert not lend(teacher, schema(), examples(60), POOL, held(), right).examples
    assert not lend(teacher, schema(), examples(60), [], held(), {"what": 0.0}).examples
    assert not teacher.taught


def test_a_control_that_few_held_rows_answer_is_not_taught() -> None:
    rows = examples(60)
    asked = {e.id for e in rows[:FEWEST]} | {e.id for e in rows[20:40]}
    teacher = Fake()
    for left, follows in ((0, True), (1, False)):  # of the five held rows that answer
        gone = {e.id for e in rows[:left]}
        some = [e if e.id in asked - gone else replace(e, answers=()) for e in rows]
        made = lend(teacher, schema(), some, POOL, held(), {"what": 1.0})
        assert bool(made.examples) == follows


def test_a_control_that_held_rows_alone_answer_is_not_taught() -> None:
    """Else its fit would find nothing to learn from, and take the training with it."""
    rows = [e if e.group in held() else replace(e, answers=()) for e in examples(60)]
    teacher = Fake()
    assert not lend(teacher, schema(), rows, POOL, held(), {"what": 1.0}).examples
    assert not teacher.taught


@pytest.fixture
def courses(monkeypatch: pytest.MonkeyPatch) -> list[Course]:
    """What is fitted from here on."""
    seen: list[Course] = []

    def keep(adapted: Adapted, course: Course, *rest: Any) -> Fit:
        seen.append(course)
        return Fit(adapted, course, *rest)

    monkeypatch.setattr("lora.causal.fit.Fit", keep)
    return seen


def test_few_lent_texts_do_not_outweigh_people_s_rows(base: Base, courses: list[Course]) -> None:
    fitted(base, Fake(), pool=POOL[:3])
    fitted(base, Fake())
    held_back, few, _, many = courses
    assert (held_back.lent_weight, many.lent_weight) == (0.0, pytest.approx(40 / 120))
    assert few.lent_weight == pytest.approx(3 / 120), "sixty examples, of two controls each"
    assert {sum(r.lent for r in step) for step in few.steps} == {3}


def test_synthetic_rows_keep_their_weight_beside_lent_ones(
    base: Base, courses: list[Course]
) -> None:
    origin = Origin("synthetic", transform="noise", parent="e000", weight=0.5)
    child = replace(examples(1)[0], id="child", origin=origin)
    fit_causal(base, schema(), [*examples(60), child], POOL, SETTINGS, teacher=Fake())
    *_, last = courses
    assert last.made_weight == pytest.approx(weight_of([child], 60))
    kinds = Counter(r.kind for r in last.steps[0])
    assert kinds == {"human": 8, "made": 2, "lent": LENT}


def test_a_teacher_that_is_not_there_costs_a_note_and_no_training(base: Base) -> None:
    made = fitted(base, Fake(missing=True))
    assert "nothing is lent: no such base" in made.notes


def test_lent_rows_teach_beside_people_s(base: Base, tmp_path: Path) -> None:
    alone, taught = fitted(base, None), fitted(base, Fake())
    assert written(tmp_path / "a", alone) != written(tmp_path / "b", taught)
    assert f"{3 * LENT} of 40 texts of the pool were lent" in taught.notes, "in three steps"
    assert not any("lent" in note for note in alone.notes)
    assert len(alone.losses) == len(taught.losses)
    assert LENT > 4, "more of them than of synthetic rows: they are real texts"


@pytest.mark.parametrize("count", [24, 420])
def test_with_few_rows_or_many_nothing_is_lent(base: Base, count: int) -> None:
    """Of few none are held back to compare on; many teach enough by themselves."""
    teacher = Fake()
    fitted(base, teacher, count, settings=replace(SETTINGS, steps=1))
    assert not teacher.taught


@pytest.mark.parametrize("kill_at", [1, 4])
def test_a_training_killed_in_either_fit_ends_in_the_same_bytes(
    base: Base, tmp_path: Path, kill_at: int
) -> None:
    want = written(tmp_path / "a", fitted(base, Fake()))
    seen: list[int] = []

    def die(step: int) -> None:
        seen.append(step)
        if len(seen) == kill_at + 1:
            raise KeyboardInterrupt

    keeper = Keeper(tmp_path / "c", 0.0)
    with pytest.raises(KeyboardInterrupt):
        fitted(base, Fake(), keeper=keeper, after=die)
    again = fitted(base, Fake(), keeper=keeper, after=seen.append)
    assert len(seen) == 6  # no step was done twice
    assert written(tmp_path / "b", again) == want


def test_a_checkpoint_of_another_teacher_is_not_gone_on_with(base: Base, tmp_path: Path) -> None:
    keeper, seen = Keeper(tmp_path / "c", 0.0), []

    def die(step: int) -> None:
        seen.append(step)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(base, Fake(), keeper=keeper, after=die)
    other = fitted(base, Fake(always="buy", name="other"), keeper=keeper)
    assert written(tmp_path / "a", other) == written(
        tmp_path / "b", fitted(base, Fake(always="buy", name="other"))
    )


def test_which_teacher_it_was_is_in_a_causal_base_s_recipe_alone() -> None:
    def recipe(base: str, teacher: str) -> str:
        return recipe_for(base, "0" * 64, Train(base=base, teacher=teacher)).id

    assert recipe("smollm", "minilm") != recipe("smollm", "")
    assert recipe("smollm", "/no/such/base") == recipe("smollm", ""), "nobody teaches there"
    assert recipe("minilm", "minilm") == recipe("minilm", "")


def test_a_causal_base_is_no_teacher(tmp_path: Path) -> None:
    teacher = EncoderTeacher(schema(), POOL, Train(base="smollm", teacher="smollm"), tmp_path)
    with pytest.raises(LoraError, match="ANNOTUNE_TRAIN_TEACHER='smollm' is no encoder"):
        teacher(schema().controls[:1], examples(), [])


@pytest.mark.model
def test_the_bundled_encoder_teaches_what_it_learned(tmp_path: Path) -> None:
    whole = read_schema(
        '<View><Text name="t" value="$text"/><Choices name="what" toName="t">'
        '<Choice value="play"/><Choice value="buy"/><Choice value="paint"/></Choices>'
        '<TextArea name="why" toName="t"/></View>'
    )
    teacher = EncoderTeacher(whole, POOL, Train(base="smollm", steps=3), tmp_path / "out")
    controls = [c for c in whole.controls if c.name == "what"]
    said = teacher(controls, examples(24), [Inputs(text) for text in POOL])
    verbs = [text["text"].split()[0] for text in POOL]
    assert sum(s["what"].labels == (v,) for s, v in zip(said, verbs, strict=True)) >= 36
    assert said == teacher(controls, examples(24), [Inputs(text) for text in POOL])
