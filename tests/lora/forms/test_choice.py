"""Choices: what the loss counts, what a cold start knows, what a row of a text is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from label_config.controls import Control, Label
from label_config.values import Choice
from lora.forms import form_of
from lora.forms.choice import CLOSED, NEAR, from_labels, rows_of_texts
from lora.forms.form import IGNORE, Given, Head
from lora.heads import cold_head, derive
from lora.network import Encoded
from lora.windows import Pieces

HIDDEN = 32


def embed(texts: Sequence[str]) -> torch.Tensor:
    """A stand-in encoder: each word its own direction, a text their mean."""
    rows = []
    for text in texts:
        words = []
        for word in text.replace(",", " ").split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:6], "big")
            words.append(torch.randn(HIDDEN, generator=torch.Generator().manual_seed(seed)))
        rows.append(torch.stack(words).mean(0))
    return torch.nn.functional.normalize(torch.stack(rows), dim=1)


def choices(*values: str, multiple: bool = False) -> Control:
    labels = tuple(Label(v, v) for v in values)
    return Control("what", "Choices", "t", "text", labels, multiple)


def bare(control: Control) -> Head:
    return form_of(control).silent(control, HIDDEN)


OWN = Control("own", "Choices", "t", "text", options="options")


def test_a_row_without_an_answer_costs_nothing() -> None:
    for control in (choices("a", "b"), choices("a", "b", multiple=True)):
        form = form_of(control)
        target = torch.tensor([form.target(bare(control), goal, ()) for goal in (("b",), None)])
        outputs = torch.tensor([[-9.0, 9.0], [9.0, -9.0]])
        share = torch.tensor([0.5, 0.5])
        assert float(form.loss(control, outputs, target, share)) < 0.01
        assert float(form.loss(control, outputs[1:], target[1:], share[1:])) == 0.0


def test_a_label_the_config_lost_is_no_target() -> None:
    control = choices("a", "b", multiple=True)
    assert form_of(control).target(bare(control), ("gone",), ()) == [IGNORE, IGNORE]
    assert form_of(control).target(bare(control), ("gone", "b"), ()) == [0.0, 1.0]


def test_options_that_were_not_offered_are_outside_the_softmax() -> None:
    known = replace(OWN, labels=tuple(Label(v, v) for v in "abc"))
    form = form_of(known)
    target = form.target(bare(known), ("a",), ("a", "b"))
    assert target == [1.0, 0.0, CLOSED]
    outputs, share = torch.tensor([[5.0, 0.0, 50.0]]), torch.ones(1)
    assert float(form.loss(known, outputs, torch.tensor([target]), share)) < 0.01


@pytest.mark.parametrize("multiple", [False, True])
def test_the_pool_evens_out_a_label_that_is_like_any_text(multiple: bool) -> None:
    control = choices("song the", "boat", multiple=multiple)
    texts = embed(["the the the boat", "the the the song", "the the wall"])
    plain = cold_head(control, embed).logits(texts)
    centred = cold_head(control, embed, texts).logits(texts)
    assert int(plain[0].argmax()) == 0 and int(centred[0].argmax()) == 1
    if multiple:  # the threshold stays where it was on average
        assert torch.allclose(plain.mean(1), centred.mean(1) + (plain - centred).mean(), atol=1e-4)
    else:
        names = embed(["song the", "boat"])
        assert torch.allclose(centred, 20 * (texts - texts.mean(0)) @ names.T, atol=1e-4)


def test_a_cold_multiple_choice_needs_likeness() -> None:
    control = choices("red song", "boat", multiple=True)
    logits = cold_head(control, embed).logits(embed(["red song"]))[0]
    assert float(logits[0]) == pytest.approx(20 * (1 - NEAR), rel=1e-4) and float(logits[1]) < 0


def test_rows_of_texts_find_their_texts_beside_trained_ones() -> None:
    old, new = embed(["red coat", "blue boat"]), embed(["play music"])
    weight, bias = rows_of_texts(8 * old, torch.zeros(2), old, new)
    rows = torch.cat([8 * old, weight]), torch.cat([torch.zeros(2), bias])
    assert int((new @ rows[0].T + rows[1]).argmax()) == 2


def test_options_met_in_training_survive_a_changed_config() -> None:
    known = replace(OWN, labels=(Label("a", "a"),))
    head = cold_head(replace(known, options=None), embed)
    trained = replace(head, control=known, trained=True)
    assert derive(trained, OWN, embed).control.values == ("a",)
    moved = derive(trained, replace(OWN, options="others"), embed)
    assert not moved.trained and moved.control.values == ()
    assert not derive(trained, choices("a", "b"), embed).trained


def test_a_taxonomy_is_matched_by_path() -> None:
    def tree(*paths: str) -> Control:
        labels = tuple(Label(p, p.split(" / ")[-1], path=tuple(p.split(" / "))) for p in paths)
        return Control("kind", "Taxonomy", "t", "text", labels)

    old = tree("life / cat", "life / dog", "rock / ore")
    head = replace(cold_head(old, embed), trained=True)
    turned = derive(head, tree("rock / ore", "rock / gem", "life / dog"), embed)
    vectors = embed(["life, dog", "rock, gem", "wall"])
    kept = head.logits(vectors)[:, [2, 1]]
    assert torch.allclose(turned.logits(vectors)[:, [0, 2]], kept, atol=1e-4)
    assert int(turned.logits(vectors)[1].argmax()) == 1


def test_a_tasks_own_tree_is_read_as_it_was_learned() -> None:
    own = tuple(
        Label(" / ".join(path), " / ".join(path), path=path)
        for path in (("B", "y"), ("A", "x"), ("A",), ("B",))
    )
    known = Control("own", "Taxonomy", "t", "text", labels=own)
    head = from_labels(known, 9 * torch.eye(4, 8), torch.zeros(4), trained=True)
    head = replace(head, control=replace(known, options="options"))
    wanted = [own[int(row.argmax())].value for row in head.logits(torch.eye(4, 8))]
    given = [
        Given("text", Encoded(Pieces((), (), ()), vector, None), options=own)
        for vector in torch.eye(4, 8)
    ]
    said = form_of(head.control).read(head, given, embed)
    assert [r.labels[0] for (r,), _ in said if isinstance(r, Choice)] == wanted
