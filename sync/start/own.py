"""What becomes of a CSV: the label config, and a task a row, with the label that it brings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from label_config import Control, Schema, read_schema
from sync.start.label_config import CHOICES, TEXT, write_config
from sync.start.table import BadCsv, Table, read_table

MOST_LABELS = 100
LABELS_SAID = 8
TEXT_NAMES = ("text", "sentence", "message", "utterance", "content", "body", "comment", "review")


@dataclass(frozen=True)
class Columns:
    """What the person said of their CSV; None: not said."""

    text: str | None = None
    label: str | None = None
    labels: tuple[str, ...] = ()
    config: Path | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Item:
    """One row: the data of its task, and the `result` of a person's annotation where it has one."""

    data: Mapping[str, str]
    result: Sequence[Mapping[str, Any]] = ()

    @property
    def task(self) -> dict[str, Any]:
        """As Label Studio imports it."""
        if not self.result:
            return {"data": dict(self.data)}
        return {"data": dict(self.data), "annotations": [{"result": list(self.result)}]}


@dataclass(frozen=True)
class Own:
    """A CSV, ready for import. `said`: what was found in it, for the person."""

    path: Path
    config: str
    items: tuple[Item, ...]
    said: tuple[str, ...]

    @property
    def labelled(self) -> int:
        return sum(bool(item.result) for item in self.items)


def read_own(path: Path, columns: Columns) -> Own:
    """Read a CSV; raises BadCsv, or InvalidConfig for a --config that cannot be read."""
    table = read_table(path, columns.encoding)
    for option, name in (("--text", columns.text), ("--label", columns.label)):
        if name is not None and name not in table.columns:
            there = ", ".join(map(repr, table.columns))
            raise BadCsv(f"{option}: {path} has no column {name!r}; it has {there}")
    if columns.config:
        return _configured(table, columns, columns.config)
    text = columns.text or _text_column(table, columns.label)
    if text == columns.label:
        raise BadCsv(f"{text!r} cannot be both the text column and the label column")
    labels = _labels(table, columns)
    config = write_config(labels, key=table.key(text), required=True)
    return _own(table, text, columns.label, config, (CHOICES, TEXT, set(labels)))


def _configured(table: Table, columns: Columns, file: Path) -> Own:
    """With a label config of the person's own; its keys are the CSV's columns."""
    try:
        config = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadCsv(f"{file} cannot be read: {error}") from error
    schema = read_schema(config)
    keys = {table.key(name) for name in table.columns}
    if missing := sorted(set(schema.keys) - keys):
        raise BadCsv(
            f"{file} reads ${', $'.join(missing)}, and {table.path} has ${', $'.join(sorted(keys))}"
        )
    if columns.label is None:
        return _own(table, None, None, config, None)
    control = _one_choices(schema, file)
    return _own(
        table, None, columns.label, config, (control.name, control.to_name, set(control.values))
    )


def _one_choices(schema: Schema, file: Path) -> Control:
    found = [c for c in schema.controls if c.kind == "Choices" and not c.options and not c.nested]
    if len(found) != 1:
        raise BadCsv(
            f"--label gives each row one label, and {file} has {len(found)} plain <Choices>; with "
            "one it would do, or leave --label out"
        )
    return found[0]


def _own(
    table: Table,
    text: str | None,
    label: str | None,
    config: str,
    answers: tuple[str, str, set[str]] | None,
) -> Own:
    """The label stays out of a task's data: nobody who answers shall read it there."""
    at = table.place(label) if label else None
    kept = [(i, table.key(name)) for i, name in enumerate(table.columns) if i != at]
    items: list[Item] = []
    empty: list[int] = []
    for line, cells in zip(table.lines, table.rows, strict=True):
        if text and not cells[table.place(text)]:
            empty.append(line)
            continue
        data = {key: cells[i] for i, key in kept}
        given = cells[at] if at is not None else ""
        items.append(Item(data, _result(table, line, given, answers)))
    if not items:
        raise BadCsv(f"{table.path}: no row has a text in column {text!r}")
    said = [f"{len(items)} rows of {table.path}"]
    if text:
        said.append(f"text from column {text!r}")
    if empty:
        said.append(f"{len(empty)} without a text left out ({_lines(empty)})")
    said += _twice(table, text, label) if text else []
    if label:
        counts = Counter(i.result[0]["value"]["choices"][0] for i in items if i.result)
        by = f"by column {label!r}{_counted(counts)}"
        said.append(f"{counts.total()} labelled already, {by}")
        said += _near(counts)
    return Own(table.path, config, tuple(items), tuple(said))


def _twice(table: Table, text: str, label: str | None) -> list[str]:
    """Texts that stand there more than once, and those of them that are labelled otherwise."""
    known: dict[str, list[tuple[int, str]]] = {}
    for line, cells in zip(table.lines, table.rows, strict=True):
        if said := cells[table.place(text)]:
            known.setdefault(said, []).append((line, cells[table.place(label)] if label else ""))
    again = [rows for rows in known.values() if len(rows) > 1]
    odd = [rows for rows in again if len({given for _, given in rows if given}) > 1]
    told = [f"{len(again)} texts stand there more than once"] if again else []
    for rows in odd[:LABELS_SAID]:
        told.append(f"{_lines([line for line, _ in rows])} have one text and several labels")
    return told


def _lines(numbers: Sequence[int]) -> str:
    """Some lines of the file, as people name them."""
    shown = ", ".join(map(str, numbers[:LABELS_SAID]))
    more = len(numbers) - LABELS_SAID
    return f"line{'s' * (len(numbers) > 1)} {shown}" + (f" and {more} more" if more > 0 else "")


def _counted(given: Mapping[str, int]) -> str:
    """The labels and how often each is given, so that a slip of a key is seen at once."""
    most = sorted(given.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{label} {count}" for label, count in most[:LABELS_SAID]]
    if more := most[LABELS_SAID:]:
        shown.append(f"{len(more)} more")
    return f" ({', '.join(shown)})" if shown else ""


def _near(given: Mapping[str, int]) -> list[str]:
    alike: dict[str, list[str]] = {}
    for label in sorted(given):
        alike.setdefault(label.casefold(), []).append(label)
    twice = [" and ".join(map(repr, labels)) for labels in alike.values() if len(labels) > 1]
    return [f"taken for different labels: {'; '.join(twice)}"] if twice else []


def _result(
    table: Table, line: int, given: str, answers: tuple[str, str, set[str]] | None
) -> list[dict[str, Any]]:
    if not given or answers is None:
        return []
    control, to, known = answers
    if given not in known:
        there = ", ".join(sorted(known))
        raise BadCsv(f"{table.path}, line {line}: {given!r} is none of the labels ({there})")
    value = {"choices": [given]}
    return [{"from_name": control, "to_name": to, "type": "choices", "value": value}]


def _labels(table: Table, columns: Columns) -> tuple[str, ...]:
    """Those of --labels in their order, else what stands in the label column, sorted."""
    found = columns.labels
    if not found and columns.label is None:
        there, column = f"the columns {', '.join(table.columns)}", "the one with labels (--label "
        column += "COLUMN), or "
        if len(table.columns) == 1:
            there, column = f"one column, {table.columns[0]}, the texts'", ""
        raise BadCsv(
            f"what shall be predicted? {table.path} has {there}: name {column}the labels (--labels "
            "a,b,c), or a label config (--config FILE)"
        )
    if not found and columns.label is not None:
        at = table.place(columns.label)
        found = tuple(sorted({cells[at] for cells in table.rows} - {""}))
    where = f"column {columns.label!r} of {table.path}" if not columns.labels else "--labels"
    if len(found) > MOST_LABELS:
        raise BadCsv(
            f"{where} holds {len(found)} different labels ({found[0]!r}, {found[1]!r}, ...); at "
            f"most {MOST_LABELS}: is it the label column? A --config may have more"
        )
    if len(set(found)) < len(found):
        raise BadCsv(f"{where} names a label twice: {', '.join(found)}")
    if len(found) < 2:
        held = f"one label only, {found[0]!r}" if found else "no label"
        raise BadCsv(f"{where} holds {held}; two or more are needed, to choose from")
    return found


def _text_column(table: Table, label: str | None) -> str:
    """A column of a usual name, else the one that is left, else by far the longest cells."""
    rest = [name for name in table.columns if name != label]
    named = [name for known in TEXT_NAMES for name in rest if name.lower() == known]
    if named or len(rest) == 1:
        return (named or rest)[0]
    length = {
        name: sum(len(cells[table.place(name)]) for cells in table.rows) / len(table.rows)
        for name in rest
    }
    longest = sorted(rest, key=lambda name: -length[name])
    if not longest or length[longest[0]] < 2 * length[longest[1]]:
        raise BadCsv(
            f"which column of {table.path} holds the text? Name it: --text COLUMN, one of "
            f"{', '.join(table.columns)}"
        )
    return longest[0]
