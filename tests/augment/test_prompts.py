from dataclasses import replace

import pytest

from augment import prompts
from augment.profile import OutOfFold, profile
from augment.prompts import MOST_SAID, Brief, guidance_of, write_brief
from label_config.controls import Control, InvalidValue, Label, Schema
from label_config.values import Choice, Example, Origin, Span

LABELS = (
    Label("lost_card", "lost_card", "the card itself is gone"),
    Label("card_delay", "card_delay"),
    Label("top_up", "top_up"),
)
SCHEMA = Schema((Control("intent", "Choices", "text", "text", LABELS),))
TEXTS = {
    "lost_card": ["where's my card, i lost it", "My card was stolen!", "LOST MY CARD"],
    "card_delay": ["Where's my card?", "My card hasn't come yet."],
    "top_up": ["How do i top up", "top up by cash"],
}
ROWS = [
    Example(
        f"{label}-{i}",
        i,
        f"{label}-{i}",
        "train",
        {"text": text},
        (Choice("intent", "text", (label,)),),
    )
    for label, texts in TEXTS.items()
    for i, text in enumerate(texts)
]
PARENT = ROWS[0]
SAYS: OutOfFold = {
    "lost_card-0": {"intent": {"lost_card": 0.3, "card_delay": 0.6, "top_up": 0.1}},
    "lost_card-1": {"intent": {"lost_card": 0.9, "card_delay": 0.1, "top_up": 0.0}},
}
GUIDANCE = {"intent": {"lost_card": ["says late,\nmeans stolen"], "top_up": ["not this one"]}}


def brief(seed: int = 0, parent: Example = PARENT, rows: list[Example] = ROWS) -> Brief:
    return write_brief(parent, rows, SCHEMA, profile(rows, SCHEMA, SAYS), seed, GUIDANCE)


def test_alike_are_rows_of_the_same_label_but_not_of_the_same_group() -> None:
    assert {e.id for e in brief().alike} == {"lost_card-1", "lost_card-2"}
    variant = replace(ROWS[1], group=PARENT.group)
    others = [PARENT, variant, *ROWS[2:]]
    assert {e.id for e in brief(rows=others).alike} == {"lost_card-2"}


def test_unlike_are_rows_of_a_label_it_is_taken_for_and_the_difference_is_told() -> None:
    told = brief()
    assert {e.answers[0].labels for e in told.unlike} == {("card_delay",)}  # type: ignore[union-attr]
    why = 'It means "lost card" (the card itself is gone), not "card delay".'
    assert told.unlike_why == (why,)
    assert why in told.constraint
    other = brief(parent=ROWS[3])  # the other side of the pair, which itself is always right
    assert other.unlike_why == (
        'It means "card delay", not "lost card" (the card itself is gone).',
    )
    assert brief(parent=ROWS[-1]).unlike == ()


def test_more_probability_than_chance_makes_a_pair_before_the_first_row_falls() -> None:
    sure: OutOfFold = {"top_up-0": {"intent": {"top_up": 0.6, "card_delay": 0.35, "x": 0.05}}}
    found = profile(ROWS, SCHEMA, sure)
    told = write_brief(ROWS[-2], ROWS, SCHEMA, found, 0)
    assert told.unlike_why == ('It means "top up", not "card delay".',)


def test_what_experts_said_stands_under_each_label_of_the_answer_once() -> None:
    said = [
        replace(ROWS[0], context=("says late,\nmeans stolen", "x" * 999)),
        replace(ROWS[1], context=("says late, means stolen",)),
        *ROWS[2:-1],
        replace(ROWS[-1], answers=(), context=("of no label",)),
    ]
    assert guidance_of(said) == {
        "intent": {"lost_card": ("says late, means stolen", "x" * MOST_SAID)}
    }
    with pytest.raises(InvalidValue, match="holdout"):
        guidance_of([replace(ROWS[0], side="holdout", context=("of a row that judges",))])


def test_experts_sentences_of_its_label_are_told_and_of_no_other() -> None:
    assert brief().guidance == ("says late, means stolen",)
    assert brief(parent=ROWS[3]).guidance == ()


def test_the_form_is_that_of_a_real_row_of_the_label() -> None:
    styles = [" ".join(brief(seed).style) for seed in range(60)]
    assert any("All in small letters." in s and "No mark at the end." in s for s in styles)
    assert any("All in capitals." in s and "About 3 words." in s for s in styles)
    assert not any("question" in s for s in styles)  # no row of this label asks
    assert not any("capitals" in s and "small letters" in s for s in styles)


def test_the_same_seed_gives_the_same_brief_and_other_seeds_other_voices() -> None:
    assert brief(3) == brief(3, rows=ROWS[::-1])
    assert brief(3).digest == brief(3, rows=ROWS[::-1]).digest
    assert len({brief(seed).voice for seed in range(40)}) > 4


def test_the_digest_covers_what_is_told_and_the_version_of_the_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = brief()
    others = [
        replace(told, voice="As a child would."),
        replace(told, alike=told.alike[:1]),
        replace(told, alike=(*told.alike, *told.unlike), unlike=()),
        replace(told, guidance=()),
        replace(told, seed=1),
        replace(told, parent="x"),
    ]
    digests = {b.digest for b in (told, *others)}
    monkeypatch.setattr(prompts, "VERSION", prompts.VERSION + 1)
    assert len({*digests, told.digest}) == 8


def test_people_can_read_all_of_it() -> None:
    told = brief()
    shown = told.shown()
    assert shown.startswith(
        f"brief {told.digest} (rules {prompts.VERSION}, seed 0) for lost_card-0"
    )
    for part in (*told.style, *told.unlike_why, *told.guidance, "LOST MY CARD -> lost_card"):
        assert part in shown


def test_only_a_human_train_row_has_a_brief_and_no_holdout_row_is_shown() -> None:
    child = replace(PARENT, id="child", origin=Origin("synthetic", parent=PARENT.id))
    with pytest.raises(InvalidValue, match="child is not among the 7 human train rows"):
        brief(parent=child, rows=[*ROWS, child])
    found = profile(ROWS, SCHEMA)
    with pytest.raises(InvalidValue, match="top_up-1 is on the holdout side"):
        rows = [*ROWS[:-1], replace(ROWS[-1], side="holdout")]
        write_brief(PARENT, rows, SCHEMA, found, 0)
    children = [replace(e, id=f"child-{e.id}", origin=Origin("synthetic")) for e in ROWS]
    assert brief(rows=[*ROWS, *children]) == brief()


def test_of_several_answers_rows_that_share_most_come_first() -> None:
    schema = Schema((*SCHEMA.controls, Control("slots", "Labels", "text", "text", (LABELS[0],))))
    mark = Span("slots", "text", 0, 2, "My", ("lost_card",))
    rows = [PARENT, *(replace(e, answers=(*e.answers, mark)) for e in ROWS[1:3]), ROWS[2]]
    rows[3] = replace(ROWS[2], id="bare", group="bare")
    parent = replace(PARENT, answers=(*PARENT.answers, mark))
    told = write_brief(parent, [parent, *rows[1:]], schema, profile(rows, schema), 0)
    assert [e.id for e in told.alike][2:] == ["bare"]
