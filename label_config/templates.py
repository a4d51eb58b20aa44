"""Ready label configs for the cases people come with, each with settings and three sample tasks.

One folder each under templates/: config.xml (its comment says what it is for), settings.env,
tasks.json. Sentences and names in them are made up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from label_config.controls import InvalidValue


@dataclass(frozen=True)
class Template:
    """One template: its config, lines for the settings, and the data of sample tasks."""

    name: str
    about: str
    config: str
    settings: str
    tasks: tuple[Mapping[str, Any], ...]


def template_names() -> tuple[str, ...]:
    """The names of all templates, sorted."""
    folder = files("label_config") / "templates"
    return tuple(sorted(f.name for f in folder.iterdir() if (f / "config.xml").is_file()))


def load_template(name: str) -> Template:
    """One template by name; raises InvalidValue naming those that exist."""
    if name not in template_names():
        raise InvalidValue(
            f"there is no template {name!r}; there are {', '.join(template_names())}"
        )
    folder = files("label_config") / "templates" / name

    def text(file: str) -> str:
        return (folder / file).read_text(encoding="utf-8")

    config = text("config.xml")
    about = re.search(r"<!--\s*(.*?)\s*-->", config, re.DOTALL)
    return Template(
        name,
        about[1] if about else "",
        config,
        text("settings.env"),
        tuple(json.loads(text("tasks.json"))),
    )
