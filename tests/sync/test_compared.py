"""What a comparison says: figures by base, and which is better only where rows tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from label_config import Choice, Example, Snapshot, read_schema
from label_config.controls import BaseKind
from sync.compared import Compared, Contestant

CONFIG = """<View><Text name="t" value="$text"/>
<Choices name="what" toName="t"><Choice value="a"/><Choice value="b"/></Choices>
<TextArea name="note" toName="t"/></View>"""
PACE = {"tasks": 5, "median_ms": 4.25, "p95_ms": 9.0, "tasks_per_s": 300.0, "threads": 1}
PACE |= {"memory_mb": {"main": 700}}
NAMES: tuple[tuple[str, BaseKind], ...] = (("minilm", "encoder"), ("smollm", "causal"))


def snapshot(blind: int) -> Snapshot:
    answer = (Choice("what", "t", ("a",)),)
    rows = [
        Example(f"e{n:03d}", n, f"g{n}", "holdout" if n else "train", {"text": f"{n}"}, answer)
        for n in range(blind + 1)
    ]
    return Snapshot("1", CONFIG, tuple(rows))


def marks(right: Sequence[float], note: bool) -> dict[str, dict[str, list[float]]]:
    return {
        f"e{n:03d}": {"what": [float(mark)], **({"note": [0.5]} if note else {})}
        for n, mark in enumerate(right, 1)
    }


def report(right: Sequence[float], note: bool, **seconds: float) -> Mapping[str, Any]:
    share = sum(right) / len(right)
    mean = (share + 0.5) / 2 if note else share
    trained = {"mean": mean, "right": marks(right, note)}
    cold = {"mean": 0.0, "right": marks([0] * len(right), note)}
    return {
        "scores": {"candidate": trained, "cold": cold},
        "seconds": {"fit": 3.0, "judge": 1.0, **seconds},
        "memory_mb": {"main": 900},
        "notes": [],
    }


def compared(*right: Sequence[Sequence[float]], least: int = 10, **more: Any) -> Compared:
    """`right`: of each base a list of fits, of each the marks of its rows."""
    whole = read_schema(CONFIG)
    made = [
        Contestant(
            name,
            kind,
            whole.served_by(kind),
            tuple(report(marks, kind == "causal") for marks in fits),
            PACE,
            2_500_000,
        )
        for (name, kind), fits in zip(NAMES, right, strict=False)
    ]
    return Compared("1", "f" * 64, snapshot(len(right[0][0])), tuple(made), least, **more)


GOOD, BAD = [1] * 38 + [0] * 2, [1] * 20 + [0] * 20


def test_the_better_one_is_named_by_how_much_and_on_what() -> None:
    (verdict,) = compared([BAD], [GOOD]).verdicts
    assert verdict.better == "smollm"
    assert verdict.sentence.startswith("smollm is better than minilm by 0.450 (0.")
    assert verdict.sentence.endswith("on the same 40 blind answers (what)")
    assert compared([GOOD], [BAD]).verdicts[0].better == "minilm"


def test_what_rows_do_not_tell_is_not_said() -> None:
    near = [1] * 37 + [0] * 3
    (verdict,) = compared([GOOD], [near]).verdicts
    assert verdict.better is None and verdict.found is not None
    told = "minilm and smollm cannot be told apart on 40 blind answers (what): minilm less smollm"
    assert verdict.sentence.startswith(f"{told} is +0.025 (")


def test_few_blind_answers_tell_nothing_however_far_apart() -> None:
    (verdict,) = compared([[0] * 9], [[1] * 9]).verdicts
    assert verdict.better is None and "9 blind answers are too few; 10 are" in verdict.sentence
    assert compared([[0] * 9], [[1] * 9], least=9).verdicts[0].better == "smollm"


def test_three_bases_are_compared_two_by_two_with_stricter_words() -> None:
    two = compared([[1] * 12], [[1] * 6 + [0] * 6])
    assert two.verdicts[0].better == "minilm"
    third = two.contestants[1]
    three = Compared("1", "f" * 64, two.snapshot, (*two.contestants, third), 10)
    assert [(v.first, v.second) for v in three.verdicts] == [
        ("minilm", "smollm"),
        ("minilm", "smollm"),
        ("smollm", "smollm"),
    ]
    assert [v.better for v in three.verdicts] == [None] * 3


def test_a_control_that_a_base_does_not_serve_is_said_and_the_rest_compared() -> None:
    body = json.loads(json.dumps(compared([GOOD], [GOOD]).to_dict()))
    small, large = body["bases"]
    assert small["controls"]["note"] == {"refused": "needs a causal base"}
    assert large["controls"]["note"]["trained"]["value"] == 0.5
    assert small["controls"]["what"]["trained"]["value"] == pytest.approx(0.95)
    assert small["controls"]["what"]["cold"]["value"] == 0.0
    assert body["verdicts"][0]["difference"]["controls"] == ["what"]
    assert (small["adapter_bytes"], small["memory_mb"]["serve"]) == (2_500_000, 700)


def test_the_lines_have_a_column_a_base_and_the_cold_start_below_each_score() -> None:
    lines = compared([GOOD], [BAD], disturbed=True).lines()
    assert "1 answers to learn from, 40 blind ones to judge on, 1 fit a base" in lines[0]
    table = {line.split("  ")[0].strip() or line.strip(): line for line in lines[2:]}
    assert "0.950 (0." in table["what, accuracy"] and "0.500 (0." in table["what, accuracy"]
    assert lines[lines.index(table["what, accuracy"]) + 1].startswith("  cold start")
    assert "needs a causal base" in table["note, chrf"]
    assert table["tasks timed"].split()[-2:] == ["5", "5"]
    assert table["one task, ms: median"].split()[-2:] == ["4.2", "4.2"]
    assert table["whole training, s"].split()[-1] == "4.0"
    assert table["memory of training, MB"].split()[-1] == "900"
    assert any("one fit a base" in line for line in lines)
    assert any("being trained meanwhile" in line for line in lines)


def test_several_fits_are_averaged_and_the_note_about_one_is_gone() -> None:
    found = compared([GOOD, BAD], [GOOD, GOOD])
    said = found.to_dict()
    assert said["seeds"] == 2 and said["bases"][0]["score"] == pytest.approx(0.725)
    assert said["bases"][0]["controls"]["what"]["trained"]["value"] == pytest.approx(0.725)
    assert not any("one fit" in note for note in found.notes)
    assert found.verdicts[0].better is None, "one of the fits was as good"


def test_texts_that_no_base_writes_are_named() -> None:
    small = compared([GOOD]).contestants[0]
    found = Compared("1", "f" * 64, snapshot(40), (small, small), 10)
    assert "note: none of these bases writes texts" in found.notes
