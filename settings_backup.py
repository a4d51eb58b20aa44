"""Settings of backups: a part of settings.py, which reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Backup:
    """Where `annotune backup` writes, and for how long (docs/operations.md)."""

    folder: str = ""
    """Folder of the backups; empty: beside the home folder, its name with -backups."""
    keep_days: float = 30.0
    """Days after which the next `annotune backup` removes one; 0: never."""


def wrong_with_backups(backup: Backup) -> str | None:
    """What cannot be, if anything."""
    if math.isfinite(backup.keep_days) and backup.keep_days >= 0:
        return None
    return f"ANNOTUNE_BACKUP_KEEP_DAYS={backup.keep_days} must be 0 or more"
