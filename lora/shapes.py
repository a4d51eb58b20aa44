"""The store's small files as values: JSON of another shape than is written there is a BrokenFile.

People copy, merge and mend these files by hand. One odd entry must be said by the file's name, not
come up somewhere else as a version that is a number or a blind list that blinds nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lora.atomic import read_json
from lora.errors import BrokenFile

T = TypeVar("T")


def read_list(path: Path, kind: type[T]) -> list[T]:
    """A list of words, numbers, or values of a dataclass; empty where there is no file. Raises
    BrokenFile."""
    raw = _read(path, [], list)
    return [_made(path, kind, item) for item in raw]


def read_words(path: Path) -> dict[str, str]:
    """Words by words; empty where there is no file. Raises BrokenFile."""
    raw: dict[str, Any] = _read(path, {}, dict)
    return {name: _made(path, str, word) for name, word in raw.items()}


def read_object(path: Path) -> dict[str, Any] | None:
    """An object whose parts the caller reads; None where there is no file. Raises BrokenFile."""
    found: dict[str, Any] | None = _read(path, None, dict)
    return found


def read_one(path: Path, kind: type[T]) -> T | None:
    """A value of a dataclass; None where there is no file, or an empty one by JSON's measure.
    Raises BrokenFile."""
    raw = read_json(path, None)
    return _made(path, kind, raw) if raw else None


def read_flag(path: Path) -> bool:
    """True or false; false where there is no file. Raises BrokenFile."""
    return bool(_read(path, False, bool))


def read_texts(path: Path) -> list[dict[str, str]]:
    """Texts by data key, a row each; none where there is no file. Raises BrokenFile."""
    rows: list[dict[str, str]] = _read(path, [], list)
    for row in rows:
        _made(path, dict, row)
        for text in row.values():
            _made(path, str, text)
    return rows


def misfit(value: object) -> str | None:
    """The first part of a dataclass's value that is not of its type, in words; None: all are."""
    for name, hint in _hints(type(value)).items():
        if not _fits(got := getattr(value, name), hint):
            return f"a {type(got).__name__} as {name!r}"
    return None


def _read(path: Path, default: Any, kind: type) -> Any:
    raw = read_json(path, default)
    return raw if raw is default else _made(path, kind, raw)


def _made(path: Path, kind: type[T], raw: Any) -> T:
    if not (hints := _hints(kind)):
        if not _fits(raw, kind):
            raise _broken(path, f"a {type(raw).__name__} instead of a {kind.__name__}")
        found: T = raw
        return found
    if not isinstance(raw, dict):
        raise _broken(path, f"a {type(raw).__name__} instead of an object")
    for name, value in raw.items():
        if name in hints and not _fits(value, hints[name]):
            raise _broken(path, f"a {type(value).__name__} as {name!r}")
    build: Callable[..., T] = kind
    try:
        return build(**raw)
    except (TypeError, ValueError) as error:  # a part too many or too few; its own check
        wanted = ", ".join(hints)
        raise _broken(path, f"an object that is not one of {wanted}") from error


def _hints(kind: Any) -> Mapping[str, Any]:
    """The types of a dataclass's parts; empty for what is none."""
    return _worked_out(kind) if hasattr(kind, "__dataclass_fields__") else {}


@cache  # CURRENT is read at every look, and working out its types took longer than reading it
def _worked_out(kind: Any) -> Mapping[str, Any]:
    known = get_type_hints(kind)
    return {f.name: known[f.name] for f in fields(kind)}


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) in {Union, UnionType}:
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint in {None, NoneType}:
        return value is None
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(v, get_args(hint)[0]) for v in value)
    if _hints(hint):
        return isinstance(value, hint) and misfit(value) is None
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _broken(path: Path, what: str) -> BrokenFile:
    return BrokenFile(f"{path} holds {what}; put a good copy there")
