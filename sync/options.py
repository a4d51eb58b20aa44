"""What the commands of several files share: --json, signing, and finding a project's store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from lora.opened import open_store
from lora.store import ProjectStore
from settings import Settings


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """The --json switch that every command has."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON.")(command)


def signed(command: Callable[..., Any]) -> Callable[..., Any]:
    """--as and --why of what goes into the audit log."""
    command = click.option("--why", default="", help="The reason, for the audit log.")(command)
    told = "Your name, for the audit log. Default: the user who runs this."
    return click.option("--as", "name", help=told)(command)


def store_of(settings: Settings, project: str) -> ProjectStore:
    """A project's part of the store; an id that could leave it is wrong usage."""
    try:
        return open_store(settings).project(project)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
