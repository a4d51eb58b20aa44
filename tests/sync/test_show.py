"""What the command line prints: for people at a terminal, and for whoever reads its pipe."""

from __future__ import annotations

import pytest

from sync import show
from sync.trainings import in_numbers


def test_status_tells_people_what_was_refused(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"requests": 3, "why": {"overloaded": 2, "not ready": 1}, "last": "full"}
    show.status(False, {"refused": {**told, "rows": 2, "controls": {"intent": "no likelihoods"}}})
    show.status(False, {"refused": None})
    assert capsys.readouterr().out.splitlines() == [
        "refused          3 requests of all projects since its start (1 not ready, 2 overloaded); "
        "the last: full; 2 rows by the inference server; "
        "intent is left to people: no likelihoods",
        "refused          -",
    ]


def test_piped_tables_are_a_line_a_row_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"project": "1", "title": "two\nlines", "labels": 3}, {"project": "2", "labels": 0}]
    show.statuses(False, rows)
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split("\t")[:2] == ["project", "title"]
    assert first.split("\t")[:4] == ["1", "two lines", "-", "3"]
    assert second.startswith("2\t-")


def test_how_much_of_a_training_is_done_is_a_bar_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = in_numbers({"stage": "fit", "step": 20, "of": 62})
    show.status(False, told)
    assert capsys.readouterr().out == "progress         fitting, 20 of 62 steps\n"
    monkeypatch.setenv("FORCE_COLOR", "1")
    show.status(False, told)
    assert "\u2501" in capsys.readouterr().out
