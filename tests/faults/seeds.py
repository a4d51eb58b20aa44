"""How often a fault is tried: five times or more by `make faults`, less in `make test`; always by
the same seeds."""

from __future__ import annotations

import os

LONG = bool(os.environ.get("ANNOTUNE_FUZZ"))


def seeds(few: int = 1, many: int = 5) -> range:
    """The seeds of a test: 0 to `many`, or the first `few` of them."""
    return range(many if LONG else few)
