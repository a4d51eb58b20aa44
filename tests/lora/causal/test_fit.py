"""Training learns, gives the same bytes each time, calibrates on rows it did not see, resumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from label_config.values import Example, Origin
from lora.adapter import digest_files
from lora.base import Base
from lora.causal.chat import Chat
from lora.causal.checkpoint import Keeper
from lora.causal.files import read_calibration, write_causal
from lora.causal.fit import CausalFitted, fit_causal, hold_back
from lora.causal.network import CausalNetwork
from lora.causal.rows import token_rows
from lora.errors import BrokenAdapter
from lora.weights import scale_of
from settings import Train
from tests.lora.causal.made import causal_base
from tests.lora.causal.rowed import FAST, example, examples, rows, schema


@pytest.fixture(scope="module")
def base() -> Base:
    return causal_base("llama")


def fitted(base: Base, settings: Train = FAST, count: int = 24, **how: object) -> CausalFitted:
    return fit_causal(base, schema(), examples(count), [], settings, **how)  # type: ignore[arg-type]


def written(folder: Path, made: CausalFitted) -> Mapping[str, str]:
    folder.mkdir()
    write_causal(folder, made)
    return digest_files(folder)


def test_the_same_rows_in_any_order_give_the_same_bytes(base: Base, tmp_path: Path) -> None:
    some = examples()
    one, two = (fit_causal(base, schema(), r, [], FAST) for r in (some, some[::-1]))
    assert written(tmp_path / "a", one) == written(tmp_path / "b", two)


def test_each_step_is_told_with_its_loss(base: Base) -> None:
    told: list[tuple[int, int, float]] = []
    made = fitted(base, replace(FAST, steps=3), tell=lambda *far: told.append(far))
    assert [(step, of) for step, of, _ in told[-3:]] == [(1, 3), (2, 3), (3, 3)]
    assert [loss for _, _, loss in told[-3:]] == list(made.losses)


def test_what_is_written_is_a_plain_peft_adapter(base: Base, tmp_path: Path) -> None:
    from peft import LoraConfig, PeftModel

    made = fitted(base)
    assert set(written(tmp_path / "a", made)) == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "causal.json",
    }
    config = LoraConfig.from_pretrained(tmp_path / "a")
    assert scale_of(config.to_dict()) == 2.0 and config.task_type == "CAUSAL_LM"
    model = PeftModel.from_pretrained(causal_base("llama").model, tmp_path / "a").eval()
    network = CausalNetwork(base)
    weights = network.prepare(made.plain.tensors)
    network.activate(weights, weights)
    ids = torch.tensor([[5, 9, 17, 30]])
    with torch.no_grad():
        assert torch.allclose(model(ids).logits, network.model(ids).logits, atol=1e-4)


def test_another_seed_gives_another_adapter(base: Base) -> None:
    one, two = (fitted(base, replace(FAST, steps=2, seed=n)).plain.tensors for n in (0, 1))
    assert any(not one[k].equal(two[k]) for k in one)


def test_temperatures_come_from_rows_held_back_in_whole_groups(base: Base) -> None:
    held, rest = hold_back(rows(base, 60), seed=0)
    assert len(held) == 12 and all(r.gold is not None for r in held)
    assert not {r.group for r in held} & {r.group for r in rest}
    assert hold_back(rows(base, 60), seed=1)[0] != held
    assert hold_back(rows(base, 12), seed=0)[0] == []  # too few to say anything


def children(count: int, weight: float = 0.5) -> list[Example]:
    """One of each example, in its group, and that other rows of the plan do not hold."""
    return [
        replace(
            e,
            id=f"synthetic-{e.id}",
            texts={"text": f"{e.texts['text']} please"},
            origin=Origin("synthetic", parent=e.id, weight=weight),
        )
        for e in examples(count)
    ]


def test_synthetic_rows_are_not_held_back_and_leave_with_their_parents(base: Base) -> None:
    human = rows(base, 60)
    made = token_rows(base, Chat(base.tokenizer), schema(), children(60))[0]
    assert made and all(r.made for r in made) and not any(r.made for r in human)
    alone, beside = hold_back(human, seed=0), hold_back([*human, *made], seed=0)
    assert beside[0] == alone[0]
    assert [r for r in beside[1] if not r.made] == alone[1]
    left = {r.group for r in made} - {r.group for r in beside[1]}
    assert left == {r.group for r in alone[0]}


def test_synthetic_rows_teach_by_their_weight(base: Base, tmp_path: Path) -> None:
    def trained(name: str, *made: Example) -> tuple[CausalFitted, Mapping[str, str]]:
        fit = fit_causal(base, schema(), [*made, *examples(24)], [], FAST)
        return fit, written(tmp_path / name, fit)

    (alone, bytes_alone), (_, weightless) = trained("a"), trained("b", *children(24, 0.0))
    (light, bytes_light), (full, bytes_full) = (
        trained(name, *children(24, weight)) for name, weight in (("c", 0.25), ("d", 3.0))
    )
    assert bytes_alone == weightless
    assert len({str(b) for b in (bytes_alone, bytes_light, bytes_full)}) == 3
    assert not any("synthetic" in note for note in alone.notes)
    assert "24 synthetic examples together weigh 0.25" in light.notes
    assert "24 synthetic examples together weigh 1.00" in full.notes  # never more than people's


def test_only_synthetic_rows_are_nothing_to_learn_from(base: Base) -> None:
    with pytest.raises(ValueError, match="nothing to learn from"):
        fit_causal(base, schema(), children(24), [], FAST)


def test_a_calibrated_training_stores_its_temperatures(base: Base, tmp_path: Path) -> None:
    made = fitted(base, replace(FAST, steps=3), count=60)
    written(tmp_path / "a", made)
    assert read_calibration(tmp_path / "a") == made.calibration
    assert set(made.calibration) == {"what"} and made.calibration["what"].temperature > 0
    assert any("held back" in note for note in made.notes)


@pytest.mark.parametrize("kill_at", [1, 4])
def test_a_training_killed_in_either_fit_ends_in_the_same_bytes(
    base: Base, tmp_path: Path, kill_at: int
) -> None:
    settings = replace(FAST, steps=3)  # twice: with rows held back, and with all
    want = written(tmp_path / "a", fitted(base, settings, 60))
    seen: list[int] = []

    def die(step: int) -> None:
        seen.append(step)
        if len(seen) == kill_at + 1:
            raise KeyboardInterrupt

    keeper = Keeper(tmp_path / "c", 0.0)
    with pytest.raises(KeyboardInterrupt):
        fitted(base, settings, 60, keeper=keeper, after=die)
    again = fitted(base, settings, 60, keeper=keeper, after=seen.append)
    assert len(seen) == 6  # no step was done twice
    assert written(tmp_path / "b", again) == want


def test_nothing_to_learn_from_is_said(base: Base) -> None:
    unanswered: list[Example] = [
        replace(example(1, "play it", None), answers=(), unasked={"parts": ("thing", "colour")})
    ]
    with pytest.raises(ValueError, match="nothing to learn from"):
        fit_causal(base, schema(), unanswered, [], FAST)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "cannot be read"),
        ('{"format": 1, "prompt": 1, "controls": {"a": {"temperature": 0}}}', "cannot be read"),
        ('{"format": 1, "prompt": -7, "controls": {}}', "train again"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "causal.json").write_text(text)
    with pytest.raises(BrokenAdapter, match=words):
        read_calibration(tmp_path)
