"""Which rows a run is made of."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from demo.rows import InvalidRows, config_of, load_data, read_rows, tasks
from label_config import read_schema


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def folder_with(folder: Path, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> Path:
    write(folder / "train.jsonl.gz", train)
    write(folder / "test.jsonl", test)
    return folder


def named(n: int) -> list[dict[str, Any]]:
    return [{"text": f"row {i}", "label": "ab"[i % 2]} for i in range(n)]


def test_the_pool_is_drawn_by_the_seed_and_never_holds_a_test_text(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, named(50), [{"text": "ROW  7", "label": "b"}])
    first, again, other = (load_data(folder, seed, pool=50) for seed in (0, 0, 1))
    assert first.pool == again.pool != other.pool
    assert first.dropped == 1
    assert "row 7" not in {row.text for row in first.pool}


def test_a_pool_has_at_most_the_size_asked_for(tmp_path: Path) -> None:
    data = load_data(folder_with(tmp_path, named(50), named(1)), seed=3, pool=20)
    assert len(data.pool) + data.dropped == 20


def test_the_config_has_a_control_for_what_the_rows_have_and_survives_odd_labels() -> None:
    odd = 'a "b" <c> & d'
    text = {"text": "hello", "label": odd, "spans": [{"start": 0, "end": 5, "label": "x'y"}]}
    rows = [row for row in map(_row, [text])]
    schema = read_schema(config_of(rows))
    assert [c.values for c in schema.controls] == [("x'y",), (odd,)]
    assert read_schema(config_of([_row({"text": "t", "label": "only"})])).controls[0].kind == (
        "Choices"
    )


def _row(raw: dict[str, Any]) -> Any:
    from demo.rows import _row as read

    return read(Path("memory"), 1, raw)


def test_a_task_holds_the_text_and_nothing_of_the_answer(tmp_path: Path) -> None:
    data = load_data(folder_with(tmp_path, named(3), named(1)[:1]), seed=0)
    assert all(set(task["data"]) == {"text"} for task in tasks(data.pool))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"label": "a"}, "is no"),
        ({"text": "ab", "spans": [{"start": 1, "end": 3, "label": "x"}]}, "outside its text of 2"),
        ({"text": "ab", "spans": [{"start": 1}]}, "is no"),
    ],
)
def test_a_broken_row_is_refused_with_its_place(
    tmp_path: Path, row: dict[str, Any], said: str
) -> None:
    write(tmp_path / "train.jsonl", [{"text": "fine", "label": "a"}, row])
    with pytest.raises(InvalidRows, match=rf"train\.jsonl:2 .*{said}"):
        read_rows(tmp_path, "train")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRows, match=r"test\.jsonl \(or \.gz\) cannot be read"):
        read_rows(tmp_path, "test")
