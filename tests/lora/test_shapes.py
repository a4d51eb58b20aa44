"""Files of the store that hold good JSON, but not theirs: refused, by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from label_config import Label
from label_config.controls import Control
from lora.errors import BrokenFile
from lora.marks import Waiting
from lora.moves import Current, Move
from lora.shapes import (
    misfit,
    read_flag,
    read_list,
    read_object,
    read_one,
    read_texts,
    read_words,
)

MOVE = {"version": "v1", "previous": None, "moved_at": "t", "by": "gate", "why": "better"}


def written(folder: Path, value: Any) -> Path:
    path = folder / "marks.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_what_is_written_there_is_read(tmp_path: Path) -> None:
    assert read_list(tmp_path / "none.json", str) == []
    assert read_words(tmp_path / "none.json") == {}
    assert read_one(tmp_path / "none.json", Current) is None
    assert not read_flag(tmp_path / "none.json") and read_object(tmp_path / "none.json") is None
    assert read_list(written(tmp_path, ["a"]), str) == ["a"]
    assert read_list(written(tmp_path, [1, 2]), int) == [1, 2]
    assert read_list(written(tmp_path, [MOVE]), Move) == [Move("v1", None, "t", "gate", "better")]
    assert read_words(written(tmp_path, {"v1": "why"})) == {"v1": "why"}
    assert read_one(written(tmp_path, {"version": "v1"}), Current) == Current("v1")
    assert read_one(written(tmp_path, None), Waiting) is None
    assert read_flag(written(tmp_path, True))
    assert read_texts(written(tmp_path, [{"text": "a"}])) == [{"text": "a"}]


ODD = [
    (read_list, str, 5, "int instead of a list"),
    (read_list, str, ["a", 1], "int instead of a str"),
    (read_list, int, [1, "2"], "str instead of a int"),
    (read_list, int, [True], "bool instead of a int"),
    (read_list, Move, ["v1"], "str instead of an object"),
    (read_list, Move, [MOVE | {"version": 1}], "a int as 'version'"),
    (read_list, Move, [MOVE | {"what": "sold"}], "a str as 'what'"),
    (read_list, Move, [{"version": "v1"}], "not one of version, previous"),
    (read_one, Current, {"version": ["v1"]}, "a list as 'version'"),
    (read_one, Current, {"serves": "v1"}, "not one of version"),
    (read_one, Current, 7, "int instead of an object"),
    (read_words, None, {"v1": 1}, "int instead of a str"),
    (read_words, None, ["v1"], "list instead of a dict"),
    (read_flag, None, "false", "str instead of a bool"),
    (read_object, None, [1], "list instead of a dict"),
    (read_texts, None, ["a"], "str instead of a dict"),
    (read_texts, None, [{"text": None}], "NoneType instead of a str"),
]


@pytest.mark.parametrize(("read", "kind", "held", "why"), ODD)
def test_what_is_never_written_there_is_named(
    tmp_path: Path, read: Any, kind: Any, held: Any, why: str
) -> None:
    path = written(tmp_path, held)
    with pytest.raises(BrokenFile, match=f"marks.json holds .*{why}"):
        read(path, *([kind] if kind else []))


def test_a_part_of_another_type_is_found_however_deep() -> None:
    good = Control("mood", "Choices", "t", "text", (Label("a", "a"),), low=1)
    assert misfit(good) is None
    assert misfit(replace(good, name=["mood"])) == "a list as 'name'"  # type: ignore[arg-type]
    assert misfit(replace(good, kind="Sold")) == "a str as 'kind'"  # type: ignore[arg-type]
    odd = Label("a", ["a"])  # type: ignore[arg-type]
    assert misfit(replace(good, labels=(odd,))) == "a tuple as 'labels'"
