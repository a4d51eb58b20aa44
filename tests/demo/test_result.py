"""The table and the JSON file of a run."""

import io
import json
from pathlib import Path

from rich.console import Console

from demo.result import Result, Round, read_result
from demo.show import Show, lines

ROUND = Round(25, 0.9, 0.4, 0.85, 0.5, "v1-aaaaaaaa", True, "0.85 beats 0.7", 30.0)
KEPT = Round(50, 0.9, 0.4, 0.85, 0.2, "v1-aaaaaaaa", False, "a tie", None)
COLD = {"test": 0.76, "test_spans": 0.0, "version": "cold-12345678"}
RESULT = Result("snips", 0, 1998, COLD).with_round(ROUND).with_round(KEPT)


def test_the_file_holds_what_the_issue_names_and_can_be_read_back(tmp_path: Path) -> None:
    done = RESULT.with_requests(600, 1, 0, 100.0, ["503"])
    (tmp_path / "r.json").write_text(done.to_json())
    raw = json.loads(done.to_json())
    assert raw["cold_start"]["test"] == 0.76
    assert [r["labels"] for r in raw["rounds"]] == [25, 50]
    wanted = {"labels", "test", "holdout", "correction_rate", "version", "trigger_to_serving_s"}
    assert wanted <= set(raw["rounds"][0])
    assert (raw["promotions"], raw["predict_requests"], raw["predict_failed"]) == (1, 600, 1)
    assert (raw["mixed"], raw["predict_per_s"], raw["trigger_to_serving_median_s"]) == (0, 6, 30)
    assert read_result(tmp_path / "r.json") == done


def test_there_is_no_result_before_the_first_run(tmp_path: Path) -> None:
    assert read_result(tmp_path / "none.json") is None


def test_a_continued_run_adds_its_requests() -> None:
    twice = RESULT.with_requests(10, 1, 0, 2.0).with_requests(5, 0, 1, 1.0)
    assert (twice.predict_requests, twice.predict_failed, twice.mixed) == (15, 1, 1)


def test_a_round_that_kept_the_old_version_says_so() -> None:
    assert [row[-1] for row in lines(RESULT)] == ["-", "30 s", "kept"]


def test_a_pipe_gets_one_plain_line_per_round() -> None:
    out = io.StringIO()
    show = Show(Console(file=out, width=200))
    show.progress("1 of 25 answers")
    show.table(RESULT)
    show.close()
    assert out.getvalue() == (
        "labels 50  test 90.0 %  spans F1 40.0 %  holdout 85.0 %  corrected 20.0 %  "
        "version v1-aaaaaaaa  to serving kept\n"
    )
