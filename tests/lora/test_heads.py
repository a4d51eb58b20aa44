"""Heads start from label texts, follow a changed config, and come back from disk as they were."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from label_config.controls import Condition, Control, Label
from lora.errors import BrokenAdapter
from lora.forms import form_of
from lora.forms.number import FACTS
from lora.heads import NEVER, Head, cold_head, derive, read_heads, save_heads

HIDDEN = 16


def embed(texts: Sequence[str]) -> torch.Tensor:
    """A stand-in encoder: each text its own direction, the same one every time."""
    rows = []
    for text in texts:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        rows.append(torch.randn(HIDDEN, generator=torch.Generator().manual_seed(seed)))
    return torch.nn.functional.normalize(torch.stack(rows), dim=1)


def choices(*values: str, multiple: bool = False) -> Control:
    labels = tuple(Label(v, v) for v in values)
    return Control("what", "Choices", "t", "text", labels, multiple)


def spans(*values: str) -> Control:
    return Control("parts", "Labels", "t", "text", tuple(Label(v, v) for v in values))


def trained(control: Control) -> Head:
    shapes = form_of(control).shapes(control, HIDDEN)
    draw = torch.Generator().manual_seed(len(control.labels))
    weight, bias = (torch.randn(shape, generator=draw) for shape in shapes)
    facts = dict.fromkeys(FACTS, 2.5) if control.form == "number" else {}
    return Head(control, weight, bias, True, facts)


def stars(highest: int) -> Control:
    labels = tuple(Label(str(i + 1), str(i + 1)) for i in range(highest))
    return Control("stars", "Rating", "t", "text", labels)


NUMBER = Control("n", "Number", "t", "text", low=0.0, high=9.0, step=0.5)
PAIR = Control("p", "Pairwise", "a", "a", (Label("left", "A"), Label("right", "B")), right_key="b")
TREE = Control(
    "kind",
    "Taxonomy",
    "t",
    "text",
    (Label("a / b", "b", path=("a", "b")), Label("a / c", "c", path=("a", "c"))),
    multiple=True,
    when=(Condition("what", ("x",)),),
)
OWN = Control("own", "Choices", "t", "text", (Label("met", "met"),), options="options")


def best(head: Head, text: str) -> str:
    return head.control.values[int(head.logits(embed([text]))[0].argmax())]


def test_a_cold_choice_knows_its_own_names() -> None:
    head = cold_head(choices("AddSong", "BuyCoat"), embed)
    assert (best(head, "add song"), best(head, "buy coat")) == ("AddSong", "BuyCoat")
    assert not head.trained


def test_a_cold_span_label_is_silent() -> None:
    head = cold_head(spans("thing"), embed)
    assert (head.logits(embed(["thing"])) == NEVER).all()


def test_rows_follow_their_label_when_the_config_reorders_it() -> None:
    head = trained(choices("a", "b", "c"))
    turned = derive(head, choices("c", "a"), embed)
    assert torch.equal(turned.weight, head.weight[[2, 0]])
    assert torch.equal(turned.bias, head.bias[[2, 0]])


def test_a_label_added_later_is_found_by_its_text_at_once() -> None:
    values = ("red coat", "blue boat", "green wall")
    head = Head(choices(*values), 8 * embed(values), torch.zeros(3), True)
    wider = derive(head, choices(*values, "play music"), embed)
    assert best(wider, "play music") == "play music"
    assert [best(wider, v) for v in values] == list(values)


def test_a_span_label_added_later_predicts_nothing() -> None:
    head = trained(spans("thing"))
    wider = derive(head, spans("new", "thing"), embed)
    assert (wider.logits(embed(["new"]))[0, :2] == NEVER).all()
    assert torch.equal(wider.weight[2:], head.weight)


@pytest.mark.parametrize(
    "control", [choices("x", "y"), choices("a", "b", multiple=True), spans("a")]
)
def test_what_shares_nothing_with_the_trained_head_starts_cold(control: Control) -> None:
    assert not derive(trained(choices("a", "b")), control, embed).trained


@pytest.mark.parametrize("control", [stars(5), NUMBER, PAIR, TREE, OWN], ids=lambda c: c.kind)
def test_what_did_not_change_is_kept_as_it_was(control: Control) -> None:
    head = trained(control)
    same = derive(head, control, embed)
    assert torch.allclose(same.weight, head.weight, atol=1e-5)
    assert torch.allclose(same.bias, head.bias, atol=1e-5)
    assert same.trained and same.facts == head.facts


def test_a_renamed_or_explained_label_keeps_its_row() -> None:
    head = trained(choices("a", "b"))
    labels = (Label("a", "shown anew", "and a hint"), Label("b", "b"))
    turned = derive(head, replace(head.control, labels=labels), embed)
    assert torch.equal(turned.weight, head.weight)
    assert turned.control.labels == labels


def test_a_rating_with_another_maximum_starts_cold() -> None:
    turned = derive(trained(stars(5)), stars(4), embed)
    assert not turned.trained and turned.weight.shape == (1, HIDDEN)


def test_a_numbers_new_bounds_hold_and_its_rows_stay() -> None:
    turned = derive(trained(NUMBER), replace(NUMBER, high=3.0), embed)
    assert turned.trained and turned.control.high == 3.0 and turned.facts["scale"] == 2.5


def test_a_label_moved_to_another_kind_of_control_starts_cold() -> None:
    head = trained(replace(choices("a", "b"), name="x"))
    moved = replace(spans("a", "b"), name="x")
    assert not derive(head, moved, embed).trained
    paths = tuple(replace(label, path=(label.value,)) for label in head.control.labels)
    assert not derive(head, replace(head.control, kind="Taxonomy", labels=paths), embed).trained


def test_a_head_that_nobody_taught_starts_cold_again() -> None:
    untaught = replace(trained(choices("a", "b")), trained=False)
    again = derive(untaught, choices("a", "b"), embed)
    assert best(again, "a") == "a" and not torch.equal(again.weight, untaught.weight)


def test_a_control_that_training_never_saw_starts_cold() -> None:
    assert not derive(None, choices("a"), embed).trained


def test_heads_come_back_as_they_were_written(tmp_path: Path) -> None:
    labels = (Label("a/b", "Größe ✓", "a hint"), Label("c", "c"))
    control = Control("name with / and é", "Choices", "t", "key", labels)
    kinds = (control, spans("x"), stars(5), NUMBER, PAIR, TREE, OWN)
    heads = {c.name: trained(c) for c in kinds}
    save_heads(tmp_path, heads)
    back = read_heads(tmp_path, HIDDEN)
    assert list(back) == list(heads)
    for name, head in heads.items():
        assert back[name].control == head.control
        assert torch.equal(back[name].weight, head.weight)
        assert torch.equal(back[name].bias, head.bias)
        assert back[name].facts == head.facts and back[name].trained


def test_heads_of_the_first_format_are_refused_and_not_misread(tmp_path: Path) -> None:
    save_heads(tmp_path, {"parts": trained(spans("x"))})
    table = tmp_path / "heads.json"
    table.write_text(table.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(BrokenAdapter, match=r"format 1; this program reads 2; train again"):
        read_heads(tmp_path, HIDDEN)


def test_a_number_without_its_facts_is_refused(tmp_path: Path) -> None:
    save_heads(tmp_path, {"n": replace(trained(NUMBER), facts={"mean": 1.0})})
    with pytest.raises(BrokenAdapter, match="lacks some of"):
        read_heads(tmp_path, HIDDEN)


def test_heads_of_another_size_are_refused(tmp_path: Path) -> None:
    save_heads(tmp_path, {"what": trained(choices("a", "b"))})
    with pytest.raises(BrokenAdapter, match="should be"):
        read_heads(tmp_path, HIDDEN + 1)


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    head = trained(choices("a", "b"))
    save_heads(tmp_path, {"what": replace(head, bias=torch.tensor([0.0, float("nan")]))})
    with pytest.raises(BrokenAdapter, match="not finite"):
        read_heads(tmp_path, HIDDEN)


def test_a_fact_of_hundreds_of_digits_is_refused(tmp_path: Path) -> None:
    save_heads(tmp_path, {"what": trained(choices("a", "b"))})
    table = json.loads((tmp_path / "heads.json").read_text())
    table["heads"][0]["facts"] = {"mean": 10**400}
    (tmp_path / "heads.json").write_text(json.dumps(table))
    with pytest.raises(BrokenAdapter, match="too large"):
        read_heads(tmp_path, HIDDEN)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9}', '{"format": 1, "heads": [{}]}'])
def test_an_unreadable_table_is_refused(tmp_path: Path, text: str) -> None:
    save_heads(tmp_path, {"what": trained(choices("a", "b"))})
    (tmp_path / "heads.json").write_text(text)
    with pytest.raises(BrokenAdapter):
        read_heads(tmp_path, HIDDEN)


def test_cut_tensors_are_refused(tmp_path: Path) -> None:
    save_heads(tmp_path, {"what": trained(choices("a", "b"))})
    path = tmp_path / "heads.safetensors"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BrokenAdapter, match="cannot be read"):
        read_heads(tmp_path, HIDDEN)
