"""Configs are parsed once, broken ones serve nothing, and memory stays bounded."""

import logging

import pytest

from label_config import Schema, read_schema
from ml_backend.configs import KEEP, Configs
from tests.ml_backend.fakes import XML


def test_a_config_is_parsed_once() -> None:
    configs = Configs()
    assert configs.schema(XML) == read_schema(XML)
    assert configs.schema(XML) is configs.schema(XML)


@pytest.mark.parametrize(
    "broken",
    [
        "<View>",
        "not XML",
    ],
)
def test_a_broken_config_has_nothing_to_predict_and_is_logged_once(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    configs = Configs()
    assert configs.schema(broken) == configs.schema(broken) == Schema(())
    assert len(caplog.records) <= 1


def test_the_oldest_projects_are_forgotten() -> None:
    configs = Configs()
    for n in range(KEEP + 1):
        configs.remember(str(n), XML)
    assert configs.last("0") is None and configs.last(str(KEEP)) == XML
