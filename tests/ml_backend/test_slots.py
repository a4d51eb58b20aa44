"""Requests beyond the slots are refused at once; bulk ones leave room for people."""

import pytest

from lora.errors import Overloaded
from ml_backend.slots import Slots


def test_the_last_slot_taken_is_the_last_let_in() -> None:
    slots = Slots(2)
    with slots.take(False), slots.take(False):
        with pytest.raises(Overloaded) as refused, slots.take(False):
            pass
        assert refused.value.retry_after > 0
    with slots.take(False):
        pass  # given back


def test_bulk_requests_hold_at_most_half() -> None:
    slots = Slots(4)
    with slots.take(True), slots.take(True):
        with pytest.raises(Overloaded), slots.take(True):
            pass
        with slots.take(False), slots.take(False):
            pass


def test_a_failed_request_gives_its_slot_back() -> None:
    slots = Slots(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots.take(True):
            raise ZeroDivisionError


def test_a_single_slot_serves_bulk_too() -> None:
    with Slots(1).take(True):
        pass
