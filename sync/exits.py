"""How commands fail: one line on stderr, and an exit code that says whose fault it was."""

from __future__ import annotations

from typing import Any

import click

from jobs import QueueDown
from label_config import InvalidConfig
from lora.errors import LoraError, StoreDown
from settings import InvalidSetting
from sync import operate
from sync.augmented import NothingToExpand
from sync.backend_client import BackendDown
from sync.backups import BrokenBackup
from sync.check import Unreadable
from sync.children import TrainingFailed
from sync.connect import BeingConnected, NothingToPredict
from sync.log import LogDown, NewerLog
from sync.logs import NoLogs
from sync.loop import HeardElsewhere
from sync.replay.place import Busy
from sync.replay.rows import NothingToReplay
from sync.start.api import StudioRefused as PlainRefused
from sync.start.fill import NotPredicted
from sync.start.house import CommandFailed
from sync.start.process import StartFailed
from sync.start.table import BadCsv
from sync.studio_values import NoSuchProject, StudioError

NEIGHBOUR, MISSING, REFUSED = 3, 4, 5
EXITS: list[tuple[type[Exception], int]] = [
    (InvalidSetting, 2),
    (Unreadable, 2),
    (BadCsv, 2),
    (NoSuchProject, MISSING),
    (StudioError, NEIGHBOUR),
    (BackendDown, NEIGHBOUR),
    (QueueDown, NEIGHBOUR),
    (LogDown, NEIGHBOUR),
    (StoreDown, NEIGHBOUR),
    (StartFailed, NEIGHBOUR),
    (PlainRefused, NEIGHBOUR),
    (CommandFailed, REFUSED),
    (NotPredicted, NEIGHBOUR),
    (operate.NoSuchVersion, MISSING),
    (NoLogs, MISSING),
    (operate.Impossible, REFUSED),
    (NothingToPredict, REFUSED),
    (BeingConnected, REFUSED),
    (HeardElsewhere, REFUSED),
    (NothingToExpand, REFUSED),
    (NothingToReplay, REFUSED),
    (Busy, REFUSED),
    (TrainingFailed, REFUSED),
    (InvalidConfig, REFUSED),
    (LoraError, REFUSED),
    (BrokenBackup, REFUSED),
    (NewerLog, REFUSED),
]


class Failing(click.Group):
    """Turns our errors into one line and an exit code; anything else is a bug and shows whole."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except tuple(kind for kind, _ in EXITS) as error:
            code = next(code for kind, code in EXITS if isinstance(error, kind))
            click.echo(f"Error: {error}", err=True)
            ctx.exit(code)
