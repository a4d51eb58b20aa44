"""A line of JSON for each record: whose it is, and nothing that breaks it in two."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime

import pytest

from log_lines import JsonLines, new_request, of_job
from settings import InvalidSetting, load

log = logging.getLogger("annotune.test")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines())
    log.addHandler(handler)
    log.propagate = False
    log.setLevel(logging.INFO)
    yield out
    log.removeHandler(handler)
    log.propagate = True


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_says_when_who_and_of_which_request_and_job(written: io.StringIO) -> None:
    number = new_request()
    with of_job("train-7"):
        log.info("two\nlines of %s", "ü")
    log.info("queued", extra={"job": "expand-7"})
    first, second = lines(written)
    assert first["message"] == "two\nlines of ü" and first["level"] == "INFO"
    assert (first["request"], first["job"]) == (number, "train-7")
    assert second["job"] == "expand-7" and "error" not in second
    assert datetime.fromisoformat(str(first["at"])).utcoffset() is not None


def test_a_traceback_is_a_field(written: io.StringIO) -> None:
    try:
        raise ValueError("what went wrong")
    except ValueError:
        log.exception("it failed")
    (only,) = lines(written)
    assert only["message"] == "it failed" and "ValueError: what went wrong" in str(only["error"])


@pytest.mark.parametrize(("format_", "first"), [("json", "{"), ("text", "2"), ("", "2")])
def test_a_process_writes_what_is_asked_for(format_: str, first: str) -> None:
    code = "import os, logging, log_lines\nlog_lines.set_up(os.environ)\nlogging.info('up')"
    env = {"ANNOTUNE_LOG_FORMAT": format_}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr.startswith(first) and "up" in done.stderr


def test_another_format_is_refused_by_name() -> None:
    with pytest.raises(InvalidSetting, match="ANNOTUNE_LOG_FORMAT='xml' must be text or json"):
        load({"ANNOTUNE_LOG_FORMAT": "xml"})
