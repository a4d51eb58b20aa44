"""docs/reference.md, written from the code: commands, settings, attributes, metrics.

`make reference` writes it; tests/test_reference.py fails when it is not what would be written.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_type_hints

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import click  # noqa: E402

import settings  # noqa: E402
from jobs import QueueSeen  # noqa: E402
from label_config.admin import ATTRIBUTES, ROLE  # noqa: E402
from label_config.notes import ROLES  # noqa: E402
from ml_backend.metrics import Metrics  # noqa: E402
from sync.cli import main  # noqa: E402
from sync.metrics import SyncMetrics  # noqa: E402

FILE = ROOT / "docs" / "reference.md"
HEAD = """# Reference

Commands, settings, attributes of label configs and metrics, written from the code by
`make reference`; do not edit it. What they are for: [running.md](running.md),
[operations.md](operations.md), [label-configs.md](label-configs.md).
"""
EXITS = """Exit codes: 0 done;
1 an error of ours, `check` found what is not predicted, or `doctor` a problem; 2 wrong usage or
setting; 3 a neighbour does not answer; 4 no such project, version or log; 5 refused, with the
reason."""


def reference() -> str:
    """The whole page."""
    parts = [HEAD, *_commands(), *_settings(), *_attributes(), *_metrics()]
    return "\n".join(parts).rstrip("\n") + "\n"


def _commands() -> Iterator[str]:
    yield "## Commands\n"
    yield f"`annotune [--env-file FILE] COMMAND ...`; `-h` on each. {EXITS}\n"
    for name, command in sorted(main.commands.items()):
        if not command.hidden:
            yield from _command(name, command)


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context)[1:])
    yield f"### annotune {name}\n"
    yield f"`annotune {name} [OPTIONS] {usage}".rstrip() + "`\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    rows = [_option(p) for p in command.params if isinstance(p, click.Option)]
    yield _table(("option", "meaning", "default"), rows)


def _option(option: click.Option) -> tuple[str, str, str]:
    words = ", ".join((*option.opts, *option.secondary_opts))
    kind = "" if option.is_flag else f" {option.make_metavar(click.Context(main))}"
    default = option.default
    told = default if isinstance(default, (int, float, str, Path)) and not option.is_flag else ""
    required = " Required." if option.required else ""
    return f"`{words}{kind}`", f"{option.help or ''}{required}", _code(told)


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    yield (
        "Environment variables, or lines NAME=value of an `--env-file`. A value may come from a "
        "file instead: the name with `_FILE` at its end.\n"
    )
    yield "### home\n"
    told, own = _sentences(settings.Settings), {f.name: f for f in fields(settings.Settings)}
    names = {"ANNOTUNE_HOME": "home", "ANNOTUNE_STORE": "place"}
    rows = [_setting(name, own[f], told[f], str) for name, f in names.items()]
    yield _table(("variable", "default", "meaning"), rows)
    for section, kind in settings.SECTIONS.items():
        yield f"### {section}\n"
        yield f"{inspect.cleandoc(kind.__doc__ or '')}\n"
        told, hints = _sentences(kind), get_type_hints(kind)
        rows = [
            _setting(
                f"{settings.PREFIX}_{section}_{f.name}".upper(), f, told[f.name], hints[f.name]
            )
            for f in fields(kind)
        ]
        yield _table(("variable", "default", "meaning"), rows)


def _setting(name: str, field: Field[Any], about: str, kind: type) -> tuple[str, str, str]:
    if field.default is MISSING:
        raise SystemExit(f"{name} has no plain default")
    default = {True: "1", False: "0"}[field.default] if kind is bool else str(field.default)
    return f"`{name}`", _code(default), about


def _sentences(kind: type) -> dict[str, str]:
    """The sentence under each field; one without ends here, so that none is forgotten."""
    source = inspect.getsource(kind)
    found = re.findall(r'^    (\w+): [^\n]+\n    """(.*?)"""', source, re.DOTALL | re.MULTILINE)
    told = {name: " ".join(about.split()) for name, about in found}
    missing = {f.name for f in fields(kind)} - set(told) - set(settings.SECTIONS)
    if missing:
        raise SystemExit(f"{kind.__name__}: no sentence under {', '.join(sorted(missing))}")
    return told


def _attributes() -> Iterator[str]:
    yield "## Attributes of a label config\n"
    yield "What they do: [label-configs.md](label-configs.md#attributes-of-the-root-view).\n"
    rows = [(f"`{name}`", "the root `<View>`", value) for name, value in ATTRIBUTES.items()]
    rows.append((f"`{ROLE}`", "a `<TextArea>`", " or ".join(sorted(ROLES))))
    yield _table(("attribute", "on", "value"), rows)


def _metrics() -> Iterator[str]:
    yield "## Metrics\n"
    yield "At `/metrics`, beside those of the process, its garbage collector and Python.\n"
    backend = Metrics()
    backend.watch(dict, dict, int)
    yield "### Metrics of the backend\n"
    yield _families(backend)
    queue = QueueSeen("", cast(Any, None), 0, 0, ())
    world = SimpleNamespace(
        log=SimpleNamespace(connected=lambda: ()), jobs=SimpleNamespace(look=lambda: queue)
    )
    sync = SyncMetrics(cast(Any, world), lambda: {"projects": {}})
    yield "### Metrics of sync\n"
    yield _families(sync)


def _families(numbers: Any) -> str:
    rows = []
    for family in numbers.registry.collect():
        if family.name.startswith("annotune_"):
            end = {"counter": "_total", "info": "_info"}.get(family.type, "")
            rows.append((f"`{family.name}{end}`", family.type, family.documentation))
    return _table(("metric", "kind", "meaning"), sorted(rows))


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(c) for c in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _code(value: object) -> str:
    return f"`{value}`" if str(value) else ""


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
    print(f"wrote {FILE.relative_to(ROOT)}")
