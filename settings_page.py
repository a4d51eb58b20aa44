"""Settings of the operators' page: a part of settings.py, which reads them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Page:
    """The operators' page, which sync serves at its own address (docs/operators.md)."""

    password: str = field(default="", repr=False)
    """Its password; without one the page lets nobody in. Beyond this machine 12 or more."""
    open: bool = False
    """Let everybody on this machine in without a password; said at each start."""
    session_h: float = 12.0
    """Hours after which a person who did nothing signs in again."""
    https: bool = False
    """People reach it over HTTPS (a proxy's), so that the cookie goes over nothing else."""
