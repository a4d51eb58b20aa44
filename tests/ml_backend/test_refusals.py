"""Refused requests are counted by why, other failures are not."""

from __future__ import annotations

import pytest

from lora.errors import EngineDown, NotReady, Overloaded
from ml_backend.refusals import Refusals


def test_each_kind_is_counted_and_goes_on() -> None:
    refusals = Refusals()
    for error in (Overloaded("full"), Overloaded("full"), EngineDown("gone"), NotReady("loading")):
        with pytest.raises(NotReady), refusals.noted():
            raise error
    with refusals.noted():
        pass
    assert refusals.report() == {
        "requests": 4,
        "why": {"overloaded": 2, "inference server down": 1, "not ready": 1},
        "last": "loading",
    }


def test_what_is_no_refusal_is_not_counted() -> None:
    refusals = Refusals()
    with pytest.raises(ValueError), refusals.noted():
        raise ValueError("a bug")
    assert refusals.report() == {"requests": 0, "why": {}, "last": None}
