"""Texts at addresses: fetched where allowed; what cannot be had costs only its own task."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from label_config import Schema, Task, read_schema
from label_config.fetch import Fetcher, NotFetched
from ml_backend.fetching import fetch_texts
from ml_backend.model import AnnotuneModel
from tests.ml_backend.fakes import FirstLabelLive, ListedJobs

XML = (
    '<View><Text name="text" value="$text" valueType="url"/>'
    '<Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>'
    "</View>"
)
SCHEMA = read_schema(XML, urls=True)


class Pages(Fetcher):
    """Answers from a mapping; an address that is not in it cannot be fetched."""

    def __init__(self, pages: Mapping[str, str], slow_s: float = 0) -> None:
        super().__init__(())
        self.pages, self.slow_s = pages, slow_s

    def resolve(self, schema: Schema, data: Mapping[str, object]) -> Mapping[str, object]:
        time.sleep(self.slow_s)
        if data.get("text") not in self.pages:
            raise NotFetched("data key 'text' could not be fetched: no such page")
        return {**data, "text": self.pages[str(data["text"])]}


def tasks(*addresses: object) -> list[dict[str, Any]]:
    return [{"id": i, "data": {"text": a}} for i, a in enumerate(addresses)]


def test_a_task_is_answered_on_the_text_that_its_address_leads_to(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    live = FirstLabelLive()
    fetcher = Pages({"http://a/1": "a fine day"})
    model = AnnotuneModel(live, ListedJobs(), "7", SCHEMA, fetcher)
    one, two, three = model.predict(tasks("http://a/1", "http://a/2?token=secret", None))
    assert one["result"][0]["value"] == {"choices": ["Good"]}
    assert two["result"] == three["result"] == []
    assert live.asked[0][2][0].data == {"text": "a fine day"}
    assert "2 x data key 'text' could not be fetched" in caplog.text
    assert "secret" not in caplog.text


def test_texts_that_take_too_long_are_left_out_and_nobody_waits_for_them() -> None:
    began = time.monotonic()
    wanted = [Task(i, "7", {"text": "http://a/1"}) for i in range(40)]
    found = fetch_texts(Pages({"http://a/1": "x"}, slow_s=0.2), SCHEMA, wanted, within_s=0.3)
    assert time.monotonic() - began < 1.5
    reasons = [why for _, why in found]
    assert None in reasons and any(why and "too long" in why for why in reasons)
    assert all((why is None) == (task.data == {"text": "x"}) for task, why in found)


def test_without_addresses_nothing_is_fetched() -> None:
    plain = read_schema(XML.replace(' valueType="url"', ""))
    wanted = [Task(1, "7", {"text": "http://a/1"})]
    assert fetch_texts(Pages({}), plain, wanted) == [(wanted[0], None)]
