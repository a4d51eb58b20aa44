"""Training learns, gives the same bytes each time, and never looks at the holdout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from label_config import Example
from label_config.controls import Schema
from label_config.values import Origin
from lora.adapter import digest_files
from lora.base import Base
from lora.examples import answered_rows, rows_of_example
from lora.fit import KEPT, fit, with_lora, write_adapter
from lora.judge import judge
from lora.learner import Learner, collate
from lora.loaded import load_cold, open_folder, ready
from lora.network import Network
from lora.plan import BATCH, Step, plan_steps
from settings import Train
from tests.lora.made import heads_of

FAST = Train(steps=40, rank=4)
POOL = ({"text": "stop the music"}, {"text": "buy the house"}, {"text": "paint it red now"})


def of(examples: Sequence[Example], side: str) -> list[Example]:
    return [e for e in examples if e.side == side]


def train_into(
    folder: Path, base: Base, schema: Schema, rows: Sequence[Example], settings: Train = FAST
) -> dict[str, str]:
    folder.mkdir()
    write_adapter(
        folder,
        fit(base, schema, rows, [{"text": "stop the music"}, {"text": "buy the house"}], settings),
    )
    return digest_files(folder)


@pytest.mark.model  # trains: seconds
def test_telling_how_far_it_is_changes_no_byte(
    tiny: Base, schema: Schema, examples: list[Example], tmp_path: Path
) -> None:
    told: list[tuple[int, int, float | None]] = []
    rows = of(examples, "train")
    made = fit(tiny, schema, rows, POOL[:2], FAST, lambda *far: told.append(far))
    (tmp_path / "told").mkdir()
    write_adapter(tmp_path / "told", made)
    silent = fit(tiny, schema, rows, POOL[:2], FAST)
    (tmp_path / "silent").mkdir()
    write_adapter(tmp_path / "silent", silent)
    assert digest_files(tmp_path / "told") == digest_files(tmp_path / "silent")
    losses = [loss for _, _, loss in told if loss is not None]
    assert [step for step, of, loss in told if loss is None and of == 40] == list(range(1, 41))
    assert len(losses) == 4 and losses[-1] < losses[0]


@pytest.mark.model  # trains: seconds
def test_training_beats_the_cold_start(
    tiny: Base, schema: Schema, examples: list[Example], tmp_path: Path
) -> None:
    train_into(tmp_path / "a", tiny, schema, of(examples, "train"), replace(FAST, steps=80))
    network = Network(tiny)
    opened = open_folder(tiny, tmp_path / "a", "candidate", schema.digest)
    holdout = of(examples, "holdout")
    candidate = judge(network, ready(tiny, opened, schema), holdout)
    cold = judge(network, load_cold(tiny, schema), holdout)
    assert candidate["mean"] > cold["mean"] + 0.3
    assert set(candidate["right"]) == {e.id for e in holdout}


@pytest.mark.model  # trains: seconds
def test_the_same_rows_in_any_order_give_the_same_bytes(
    tiny: Base, schema: Schema, examples: list[Example], tmp_path: Path
) -> None:
    rows = of(examples, "train")
    brief = replace(FAST, steps=8)
    one = train_into(tmp_path / "a", tiny, schema, rows, brief)
    two = train_into(tmp_path / "b", tiny, schema, rows[::-1], brief)
    assert one == two


@pytest.mark.model  # trains: seconds
def test_another_seed_gives_another_adapter(
    tiny: Base, schema: Schema, examples: list[Example]
) -> None:
    rows = of(examples, "train")
    short = replace(FAST, steps=3)
    one = fit(tiny, schema, rows, [], short).heads["what"]
    two = fit(tiny, schema, rows, [], replace(short, seed=1)).heads["what"]
    assert not one.weight.equal(two.weight)


def test_synthetic_rows_weigh_what_they_are_given_and_human_ones_what_they_did(
    tiny: Base, schema: Schema, examples: list[Example]
) -> None:
    heads = list(load_cold(tiny, schema).heads.values())
    taught = [replace(h, trained=True) for h in heads]
    rows = answered_rows(tiny, schema, of(examples, "train"))
    alone, beside = (
        collate(Step(tuple(rows[:4]), made=tuple(made), made_weight=0.5), taught, 0)
        for made in ([], rows[4:10])
    )
    human, made = beside["share_of_row"][:4], beside["share_of_row"][4:]
    assert torch.equal(alone["share_of_row"], human) and len(made) == 6
    assert float(made.sum()) == pytest.approx(0.5 * float(human.sum()))


@pytest.mark.model  # trains: seconds
def test_synthetic_rows_teach(
    tiny: Base, schema: Schema, examples: list[Example], tmp_path: Path
) -> None:
    rows = of(examples, "train")
    made = [
        replace(e, id=f"synthetic-{e.id}", origin=Origin("synthetic", parent=e.id, weight=0.5))
        for e in rows
    ]
    alone = fit(tiny, schema, rows, POOL, FAST)
    beside = fit(tiny, schema, [*rows, *made], POOL, FAST)
    assert any("synthetic examples together weigh 0.50" in note for note in beside.notes)
    assert not any("synthetic" in note for note in alone.notes)
    assert any(not torch.equal(h.weight, beside.heads[n].weight) for n, h in alone.heads.items())


@pytest.mark.model  # trains: seconds
def test_a_control_nobody_answered_stays_cold(
    tiny: Base, schema: Schema, examples: list[Example]
) -> None:
    spans_only = [replace(e, answers=e.answers[1:]) for e in of(examples, "train")]
    fitted = fit(tiny, schema, spans_only, [], replace(FAST, steps=3))
    assert not fitted.heads["what"].trained and fitted.heads["parts"].trained


def test_nothing_to_learn_from_is_said(tiny: Base, schema: Schema) -> None:
    with pytest.raises(ValueError, match="nothing to learn from"):
        fit(tiny, schema, [], [], FAST)


def test_every_row_is_seen_equally_often(
    tiny: Base, schema: Schema, examples: list[Example]
) -> None:
    rows = [r for e in examples for r in rows_of_example(tiny, schema, e)]
    steps = plan_steps(rows, [], [], 15, seed=0)
    seen = [sum(r is row for s in steps for r in s.rows) for row in rows]
    assert all(len(s.rows) == BATCH for s in steps)
    assert max(seen) - min(seen) <= 1


@pytest.mark.model  # trains: seconds
def test_many_answers_to_choices_alone_are_pulled_back_and_few_or_spans_are_not(
    tiny: Base, schema: Schema, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = of(examples, "train")
    choices = replace(schema, controls=tuple(c for c in schema.controls if c.form == "one"))
    assert choices.controls and choices != schema

    def said(asked: Schema, many: int) -> tuple[bool, dict[str, torch.Tensor]]:
        monkeypatch.setattr("lora.fit.MANY_ANSWERS", many)
        fitted = fit(tiny, asked, rows, (), FAST)
        learned = {n: p for n, p in fitted.encoder.named_parameters() if "lora_B" in n}
        return any("pulled back" in note for note in fitted.notes), learned

    told, whole = said(choices, len(rows))
    assert not told
    told, part = said(choices, len(rows) - 1)
    assert told
    for name, tensor in whole.items():
        torch.testing.assert_close(part[name], KEPT * tensor)
    assert not said(schema, len(rows) - 1)[0]


@pytest.mark.model  # trains: seconds
def test_of_many_answers_heads_meet_a_regression_and_of_few_they_do_not(
    tiny: Base, schema: Schema, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = of(examples, "train")
    choices = replace(schema, controls=tuple(c for c in schema.controls if c.form == "one"))
    met = torch.full((3, tiny.hidden), 7.0), torch.full((3,), 5.0)
    monkeypatch.setattr("lora.fit.meet_halfway", lambda *_: {"what": met})
    for many in (len(rows) - 1, len(rows)):
        monkeypatch.setattr("lora.fit.MANY_ANSWERS", many)
        head = fit(tiny, choices, rows, (), FAST).heads["what"]
        same = torch.equal(head.weight, met[0]) and torch.equal(head.bias, met[1])
        assert same == (many < len(rows))


def test_pulling_back_goes_from_where_learning_ended_to_where_it_began(
    tiny: Base, schema: Schema
) -> None:
    heads = heads_of(tiny, schema, 0)
    learner = Learner(with_lora(tiny, 4), heads)
    with torch.no_grad():
        learner.weights[0] += 1.0
    for share, moved in ((0.5, 0.5), (0.0, 0.0)):
        learner.pull_back(share)
        left = learner.weights[0] - next(iter(heads.values())).weight
        torch.testing.assert_close(left, torch.full_like(left, moved))
