"""Every template of Label Studio's gallery gets a verdict, and a change of one is seen.

`verdicts.json` is written anew by: python -m tests.gallery.write_verdicts (read the diff).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from label_config import check, read_schema, report_lines
from tests.gallery.templates import STUDIO, gallery

GOLDEN = Path(__file__).with_name("verdicts.json")
TEMPLATES = gallery()


@pytest.fixture(autouse=True)
def _installed() -> None:
    if not STUDIO.exists():
        pytest.skip("Label Studio's environment .venv-ls is not here; run `make .venv-ls`")


def verdicts(config: str) -> dict[str, str]:
    """Control -> what is predicted, or why not."""
    return {
        v.name: f"predicted: {v.form}" if v.predicted else f"refused: {v.reason}"
        for v in check(config).verdicts
    }


def test_all_sixty_nine_templates_are_looked_at() -> None:
    assert len(TEMPLATES) == 69
    assert set(json.loads(GOLDEN.read_text("utf-8"))) == set(TEMPLATES)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_the_verdict_on_a_template_is_the_one_we_know(name: str) -> None:
    assert verdicts(TEMPLATES[name]) == json.loads(GOLDEN.read_text("utf-8"))[name]


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_verdict_names_every_control_and_each_refusal_has_a_remedy(name: str) -> None:
    schema = read_schema(TEMPLATES[name])
    report = check(schema)
    assert len(report.verdicts) == len(schema.controls) + len(schema.unsupported) > 0
    assert all(v.predicted or (v.reason and v.remedy) for v in report.verdicts)
    assert len(report_lines(report)) > len(report.verdicts)
