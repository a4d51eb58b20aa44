"""Temperatures and leanings, on tables that say what comes out."""

from __future__ import annotations

import math

import pytest
import torch

from lora.causal.calibrate import SOFT, Calibration, batch_calibration, fit_temperature

VALUES = ("a", "b", "c")


def test_the_likelihood_of_a_known_temperature_finds_it_again() -> None:
    draw = torch.Generator().manual_seed(0)
    true = torch.log_softmax(2 * torch.randn(4000, 3, generator=draw), dim=-1)
    gold = torch.multinomial(true.exp(), 1, generator=draw)[:, 0].tolist()
    assert fit_temperature(list(3.0 * true), gold) == pytest.approx(3.0, rel=0.1)


def test_a_few_rows_that_are_all_right_do_not_make_it_certain() -> None:
    table = torch.log(torch.tensor([0.8, 0.1, 0.1]))
    assert 0.3 < fit_temperature([table] * 8, [0] * 8) < 1.0


def test_rows_may_have_as_many_options_as_they_like() -> None:
    tables = [torch.zeros(2), torch.tensor([0.0, 1.0, 2.0, 3.0])]
    assert fit_temperature(tables, [0, 3]) > 0


def test_without_rows_nothing_is_changed() -> None:
    assert fit_temperature([], []) == pytest.approx(1.0, abs=1e-3)


def test_an_option_that_every_text_likes_loses_its_lead() -> None:
    tables = torch.tensor([[0.0, -4.0, -4.0], [0.0, -3.0, -4.0], [0.0, -4.0, -3.0]])
    made = batch_calibration(VALUES, tables)
    plain, calibrated = Calibration().chances(tables, VALUES), made.chances(tables, VALUES)
    assert plain.argmax(-1).tolist() == [0, 0, 0]
    assert calibrated.argmax(-1).tolist() == [0, 1, 2]


def test_over_the_pool_every_option_becomes_as_likely_as_another() -> None:
    draw = torch.Generator().manual_seed(1)
    tables = torch.randn(80, 3, generator=draw) * 4 + torch.tensor([6.0, 0.0, -5.0])
    leaning = batch_calibration(VALUES, tables).leaning
    off = tables.double() - torch.tensor([leaning[v] for v in VALUES])
    assert torch.softmax(off / SOFT, -1).mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=1e-4)
    assert torch.log_softmax(tables, -1).mean(0).tolist() != pytest.approx(list(leaning.values()))


def test_an_option_nobody_knows_leans_as_the_others_do() -> None:
    made = Calibration(leaning={"a": -1.0, "b": -3.0})
    chances = made.chances(torch.zeros(3), ("a", "b", "new"))
    assert chances[2] == pytest.approx(math.exp(2.0) / sum(math.exp(n) for n in (1, 3, 2)))


def test_a_margin_is_how_far_behind_a_share_of_the_likeliest_lies() -> None:
    made = Calibration(temperature=2.5)
    low = -made.margin(0.02)
    chances = made.chances(torch.tensor([0.0, low]), ("a", "b"))
    assert float(chances[1] / chances[0]) == pytest.approx(0.02)
    assert Calibration(leaning={"a": 1.0}).margin(0.02) == math.inf


def test_chances_are_probabilities_however_unlikely_all_of_it_is() -> None:
    chances = Calibration(0.1).chances(torch.tensor([-900.0, -905.0]), ("a", "b"))
    assert float(chances.sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        Calibration(temperature)
