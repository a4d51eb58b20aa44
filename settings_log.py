"""Settings of log lines: a part of settings.py, which reads them."""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = ("text", "json")


@dataclass(frozen=True)
class Log:
    """The lines of backend, sync and worker."""

    format: str = "text"
    """text, or json: an object a line, with request and job ids (docs/operations.md)."""

    @property
    def wrong(self) -> str | None:
        """What cannot be, if anything."""
        if self.format not in FORMATS:
            return f"ANNOTUNE_LOG_FORMAT={self.format!r} must be {' or '.join(FORMATS)}"
        return None
