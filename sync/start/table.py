"""A CSV file as people have them: the encoding, the separator and the header are looked at."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

SEPARATORS = ",;\t|"
LARGEST_CELL = 10_000_000  # characters
XLSX = b"PK\x03\x04"
SEP = re.compile(r'"?sep=(.)"?[,;\t|]*', re.IGNORECASE)  # Excel's own first line


class BadCsv(ValueError):
    """A CSV cannot be used; the message names the file, the line or column, and what would do."""


@dataclass(frozen=True)
class Table:
    """The columns' names as in the header, and rows of as many cells, with their lines."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def place(self, column: str) -> int:
        """Where a column stands; raises BadCsv naming those there are."""
        if column not in self.columns:
            raise BadCsv(f"{self.path} has no column {column!r}; it has {_named(self.columns)}")
        return self.columns.index(column)

    def key(self, column: str) -> str:
        """The column's name as a key of a task's data, which a label config calls $key."""
        return re.sub(r"\W+", "_", column).strip("_") or f"column_{self.place(column) + 1}"


def read_table(path: Path, encoding: str | None = None) -> Table:
    """The table of a CSV with a header; `encoding` None: UTF-8, or UTF-16 where its mark says so.

    Raises BadCsv.
    """
    text = _text(path, encoding)
    first = next((line for line in text.splitlines() if line.strip()), None)
    if first is None:
        raise BadCsv(f"{path} is empty; it needs a header line, and a line for each text")
    named = SEP.fullmatch(first.strip())
    mark = named[1] if named else max(SEPARATORS, key=lambda mark: _cells(first, mark))
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    read: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                read.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise BadCsv(f"{path}, line {reader.line_num}: {error}; is a quote not closed?") from error
    read = read[1:] if named else read
    if not read:
        raise BadCsv(f"{path} holds no cell with anything in it")
    columns, rows = read[0][1], read[1:]
    for line, cells in rows:
        if len(cells) != len(columns):
            raise BadCsv(
                f"{path}, line {line} has {len(cells)} cells and the header {len(columns)} (parted "
                f'by {mark!r}); put quotes around a text that holds a {mark!r}: "..."'
            )
    return _checked(path, columns, rows)


def _cells(line: str, mark: str) -> int:
    return len(next(csv.reader([line], delimiter=mark)))


def _checked(path: Path, columns: list[str], rows: list[tuple[int, list[str]]]) -> Table:
    """Without nameless columns that are empty, as spreadsheets write them; raises BadCsv."""
    if not rows:
        raise BadCsv(f"{path} has a header ({_named(columns)}) and no rows")
    kept = [i for i, name in enumerate(columns) if name or any(cells[i] for _, cells in rows)]
    for i in kept:
        if not columns[i]:
            raise BadCsv(f"{path}: column {i + 1} has no name in the header")
    table = Table(
        path,
        tuple(columns[i] for i in kept),
        tuple(tuple(cells[i] for i in kept) for _, cells in rows),
        tuple(line for line, _ in rows),
    )
    keys: dict[str, str] = {}
    for name in table.columns:
        if (other := keys.setdefault(table.key(name), name)) != name or (
            table.columns.count(name) > 1
        ):
            raise BadCsv(f"{path}: the columns {other!r} and {name!r} have one name for a task")
    return table


def _text(path: Path, encoding: str | None) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadCsv(f"{path} cannot be read: {error.strerror}") from error
    if raw.startswith(XLSX):
        raise BadCsv(f'{path} is a spreadsheet, no CSV; save it as "CSV UTF-8"')
    marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = raw.decode(encoding or ("utf-16" if marked else "utf-8-sig"))
    except LookupError as error:
        raise BadCsv(f"there is no encoding {encoding!r}; utf-8, cp1252 and others are") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadCsv(
            f"{path}, line {line}: byte 0x{raw[error.start]:02x} is no {error.encoding}; save it "
            "as UTF-8, or name its encoding (Excel on Windows: --encoding cp1252)"
        ) from error
    if "\0" in text:
        raise BadCsv(f"{path} holds NUL characters; is it a CSV, and in this encoding?")
    return text


def _named(columns: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(repr, columns))
