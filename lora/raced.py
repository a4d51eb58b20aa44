"""A change that lost a race for a file of a shared store is made again, on what is there now.

On a folder nobody loses: its lock is for all. In a bucket writers on two machines may meet; the
quicker one's file stays, and the other reads it before it decides anew (law 8).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from lora.errors import Raced

TRIES = 10
MOST_S = 1.0  # apart
P = ParamSpec("P")
R = TypeVar("R")


def again(change: Callable[P, R]) -> Callable[P, R]:
    """Try a change up to ten times, a little apart; then the last Raced is the caller's."""

    @wraps(change)
    def tried(*args: P.args, **kwargs: P.kwargs) -> R:
        for n in range(TRIES - 1):
            try:
                return change(*args, **kwargs)
            except Raced:
                time.sleep(random.uniform(0, min(MOST_S, 0.05 * 2**n)))  # nosec B311  # so that two part
        return change(*args, **kwargs)

    return tried
