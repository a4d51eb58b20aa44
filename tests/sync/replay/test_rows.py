"""A folder or a project's log becomes rows; what cannot be read is named with its place."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from label_config.schema import read_schema
from label_config.values import Task
from settings import Settings
from sync.groups import Place
from sync.log import Log
from sync.replay.rows import NothingToReplay, dealt, from_folder, from_log
from sync.studio_values import SeenAnnotation, TaskState
from tests.sync.house import CONFIG
from tests.sync.test_compare import T0


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(r) + "\n" for r in rows)


def test_a_folder_with_labels_and_spans_is_read_and_its_test_texts_are_not_asked_for(
    tmp_path: Path,
) -> None:
    span = {"start": 5, "end": 9, "label": "thing"}
    train = [{"text": "play song", "label": "play", "spans": [span]}]
    train += [{"text": "Buy  a coat", "label": "buy"}]
    (tmp_path / "train.jsonl.gz").write_bytes(gzip.compress(lines(train).encode()))
    (tmp_path / "test.jsonl").write_text(lines([{"text": "buy a coat", "label": "sell"}]))
    found = from_folder(tmp_path)
    assert [e.texts["text"] for e in found.ask] == ["play song"]
    assert [r.labels for r in found.ask[0].answers] == [("play",), ("thing",)]  # type: ignore[union-attr]
    assert found.left_out == {"its text is in the test file": 1}
    labels, spans = read_schema(found.config).controls
    assert (labels.values, spans.values) == (("buy", "play", "sell"), ("thing",))


def test_without_a_test_file_a_fifth_judges_the_same_each_time(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(50)]
    (tmp_path / "train.jsonl").write_text(lines(rows))
    one, two = from_folder(tmp_path), from_folder(tmp_path)
    assert (len(one.ask), len(one.judge)) == (40, 10)
    assert one.digest == two.digest


def test_no_more_rows_judge_than_were_asked_for(tmp_path: Path) -> None:
    for name in ("train", "test"):
        some = [{"text": f"{name} {i}", "label": "ab"[i % 2]} for i in range(20)]
        (tmp_path / f"{name}.jsonl").write_text(lines(some))
    few, all_of_them = from_folder(tmp_path, 7), from_folder(tmp_path)
    assert (len(few.judge), len(few.ask), len(all_of_them.judge)) == (7, 20, 20)
    assert few.judge == all_of_them.judge[:7]


def test_an_own_config_is_taken(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(
        lines([{"text": f"t{i}", "label": "a"} for i in range(9)])
    )
    (tmp_path / "config.xml").write_text(CONFIG)
    assert from_folder(tmp_path).config == CONFIG


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "1 is no"),
        ('{"label": "a"}', "1 is no"),
        ('{"text": "ab", "spans": [{"start": 1, "end": 9, "label": "x"}]}', "within the text of 2"),
        ('{"text": "ab", "label": 3}', "must be strings"),
    ],
)
def test_a_row_that_is_none_is_named_with_its_line(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "train.jsonl").write_text(f"{line}\n")
    with pytest.raises(NothingToReplay, match=f"train.jsonl:1.*{why.removeprefix('1 ')}"):
        from_folder(tmp_path)


def test_a_folder_without_rows_says_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToReplay, match=r"no train\.jsonl and no train\.jsonl\.gz"):
        from_folder(tmp_path)


def test_near_duplicates_stay_on_one_side_whatever_the_seed(tmp_path: Path) -> None:
    texts = [f"please play the song number {i} for me now" for i in range(40)]
    (tmp_path / "train.jsonl").write_text(lines([{"text": t, "label": "a"} for t in texts]))
    ask = from_folder(tmp_path).ask
    assert len({e.side for e in dealt(ask, "replay-0", 0.5)}) == 1
    assert len({e.group for e in dealt(ask, "replay-1", 0.5)}) == 1


def fill(log: Log, blind: int, lead_times: list[float | None]) -> None:
    log.connect("1", "any")
    log.see_config("1", CONFIG)
    for n, lead in enumerate(lead_times, 1):
        at = T0 + timedelta(minutes=n)
        value = {"choices": ["AB"[n % 2]]}
        result = [{"type": "choices", "from_name": "intent", "to_name": "text", "value": value}]
        task, said = (
            Task(n, "1", {"text": f"text {n}"}),
            SeenAnnotation(n, n, result, 1, at, at, lead),
        )
        log.append("1", [TaskState(task, at, (said,))], {n: Place(f"g{n}", n <= blind)})


def test_of_a_project_the_blind_answers_judge_and_the_lead_time_is_its_median(
    tmp_path: Path,
) -> None:
    log = Log(f"sqlite:///{tmp_path / 'log.db'}")
    fill(log, 2, [1.0, 2.0, 30.0, None, 4.0])
    found = from_log(log, Settings(home=tmp_path), "1")
    log.close()
    assert [e.task for e in found.judge] == [1, 2]
    assert [e.task for e in found.ask] == [3, 4, 5]
    assert found.lead_s == 3.0


def test_a_project_without_blind_answers_cannot_be_judged(tmp_path: Path) -> None:
    log = Log(f"sqlite:///{tmp_path / 'log.db'}")
    fill(log, 0, [1.0, 2.0])
    with pytest.raises(NothingToReplay, match="no blind answers"):
        from_log(log, Settings(home=tmp_path), "1")
    log.close()
