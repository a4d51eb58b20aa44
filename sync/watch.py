"""`annotune status --watch`: the same again and again, until Ctrl-C."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import click

EVERY_S = 2.0


def watch(
    look: Callable[[], Any],
    tell: Callable[[Any], None],
    stop: threading.Event,
    every_s: float = EVERY_S,
) -> None:
    """Tell what `look` finds: on a terminal in the place of what was told before, elsewhere only
    what is new."""
    last: Any = None
    while not stop.is_set():
        found = look()
        if found != last:
            if sys.stdout.isatty():
                click.clear()
            tell(found)
            last = found
        stop.wait(every_s)
