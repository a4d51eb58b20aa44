"""What the command line prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from label_config.controls import WITHOUT_LABELS


def as_json(value: Any) -> None:
    """One line of JSON on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def text(json_: bool, value: Any, lines: Sequence[str]) -> None:
    """A value for programs, lines for people."""
    if json_:
        as_json(value)
        return
    for one in lines:
        click.echo(one)


def line(json_: bool, values: Mapping[str, Any]) -> None:
    """A few facts, on one line."""
    if json_:
        as_json(values)
    else:
        click.echo("  ".join(f"{k}: {_plain(v)}" for k, v in values.items() if v not in (None, [])))


def connected(json_: bool, values: Mapping[str, Any]) -> None:
    """What `connect` did, and control by control what is predicted."""
    if json_:
        as_json(values)
        return
    click.echo(
        f"connected project {values['project']} ({values['title']}), {values['tasks']} tasks"
    )
    click.echo(f"it is answered by {values['version']}")
    for c in values["predicted"]:
        labels = f", {c['labels']} labels" if c["kind"] not in WITHOUT_LABELS else ""
        click.echo(f"  predicted      {c['control']}: {c['kind']}{labels}, from ${c['key']}")
    for u in values["not_predicted"]:
        click.echo(f"  not predicted  {u['control']}: {u['reason']}; {u['remedy']}")
    for problem in values["problems"]:
        click.echo(f"  problem        {problem}")


def status(json_: bool, values: Mapping[str, Any]) -> None:
    """One project, a fact a line."""
    if json_:
        as_json(values)
        return
    for key, value in values.items():
        if key == "refused":
            click.echo(f"{key:16} {_refused(value)}")
        elif key == "done":
            _bar(value)
        elif key != "last_verdict":
            click.echo(f"{key.replace('_', ' '):16} {_plain(value)}")
    verdict = values.get("last_verdict")
    if verdict:
        word = "waits" if verdict.get("waits") else "kept back"
        word = "promoted" if verdict["promoted"] else word
        click.echo(f"{'last verdict':16} {verdict['version']} {word}: {verdict['reason']}")


def _bar(share: float) -> None:
    """How much of a training is done, on a terminal; the words before it say so, too."""
    console = Console()
    if console.is_terminal:
        console.print(" " * 16, ProgressBar(1.0, share, width=40))


def _refused(value: Mapping[str, Any] | None) -> str:
    """What the backend turned away, in words."""
    if value is None:
        return "-"
    parts: list[str] = []
    if value["requests"]:
        why = ", ".join(f"{count} {word}" for word, count in sorted(value["why"].items()))
        parts.append(f"{value['requests']} requests of all projects since its start ({why})")
        parts.append(f"the last: {value['last']}")
    if value["rows"]:
        parts.append(f"{value['rows']} rows by the inference server")
    parts += [f"{name} is left to people: {why}" for name, why in value["controls"].items()]
    return "; ".join(parts) or "none"


def statuses(json_: bool, rows: Sequence[Mapping[str, Any]]) -> None:
    """All projects, a row each."""
    if json_:
        as_json(rows)
        return
    keys = ["project", "title", "serving", "labels", "blind_labels", "correction_rate", "decision"]
    _table(keys, rows)


def versions(json_: bool, rows: Sequence[Mapping[str, Any]]) -> None:
    """All versions, a row each."""
    if json_:
        as_json(rows)
        return
    keys = ["version", "state", "parent", "labels", "blind_labels", "holdout", "served", "reason"]
    _table(keys, [{**r, "served": (r.get("served_since") or "")[:16] or None} for r in rows])


def audit(json_: bool, rows: Sequence[Mapping[str, Any]]) -> None:
    """Who did what, when and why; a row each, oldest first."""
    if json_:
        as_json(rows)
        return
    _table(["at", "who", "what", "subject", "why"], [{**r, "at": r["at"][:19] + "Z"} for r in rows])


def _table(keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A table on a terminal; elsewhere a line a row, tabs between its cells."""
    heads = [k.replace("_", " ") for k in keys]
    cells = [[_plain(row.get(k)) for k in keys] for row in rows]
    console = Console()
    if not console.is_terminal:
        for line in (heads, *cells):
            click.echo("\t".join(" ".join(cell.split()) for cell in line))
        return
    table = Table(*heads)
    for line in cells:
        table.add_row(*map(escape, line))
    console.print(table)


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
