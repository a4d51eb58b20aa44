"""What Label Studio stores and hands back, changed: results, rows of its API, whole rounds of them.

An annotation may hold any JSON (its API checks little): reading it drops what does not fit, and one
bad answer never stops the loop for the others.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from label_config import Span, answer_key, read_schema
from label_config.wire import read_result, write_result
from sync.connect import connect
from sync.freeze import freeze
from sync.loop import turn
from sync.studio_read import read_task_state
from sync.terms import read_terms
from tests.fuzz.mutate import draw, json_like, odd
from tests.fuzz.running import fuzz
from tests.fuzz.samples import SAMPLES
from tests.gallery.strict import everything
from tests.ml_backend.fakes import CAPTURES, NO_CAPTURES, captured
from tests.sync.house import ANSWER, open_house

KINDS = ("choices", "labels", "taxonomy", "rating", "number", "pairwise", "textarea")


def result_for(config: str) -> list[dict[str, Any]]:
    """A region of each control, roughly as the editor makes it."""
    schema = read_schema(config)
    value = {"start": 0, "end": 3, "text": "abc", "choices": ["x"], "labels": ["x"], "rating": 2}
    value |= {"number": 3, "selected": "left", "taxonomy": [["x"]], "globalOffsets": {"start": 0}}
    return [
        {
            "id": f"r{n}",
            "from_name": c.name,
            "to_name": c.to_name,
            "type": KINDS[n % len(KINDS)],
            "value": {**value, "choices": list(c.values[:1]), "labels": list(c.values[:1])},
        }
        for n, c in enumerate(schema.controls)
    ]


def test_results_changed_are_read_and_written_again() -> None:
    """What was read is written, read again, and is the same."""
    schemas = [read_schema(s.config) for s in SAMPLES]
    made = write_result(schemas[-1], 1, everything(), SAMPLES[-1].data)

    def case(number: int) -> str:
        rng = draw("results", number)
        at = number % len(SAMPLES)
        schema, data = schemas[at], dict(SAMPLES[at].data)
        if rng.random() < 0.3:
            changed = json_like(rng, data)
            data = changed if isinstance(changed, dict) else {}
        whole = made if at == len(SAMPLES) - 1 else result_for(SAMPLES[at].config)
        read = read_result(schema, data, json_like(rng, whole))
        written = write_result(schema, 1, read.regions, data)
        json.dumps(written, allow_nan=False)
        again = read_result(schema, data, written)
        assert not again.dropped, again.dropped
        came, went = Counter(map(answer_key, again.regions)), Counter(map(answer_key, read.regions))
        assert came <= went and len(again.regions) == len(written)
        marks = sum(isinstance(r, Span) for r in read.regions)
        assert len(read.regions) - marks <= len(written) <= len(read.regions)
        return "all of it" if len(read.regions) == len(whole) else "less of it"

    assert len(fuzz("results", 300, case).said) == 2


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=NO_CAPTURES)
def test_rows_of_the_api_changed() -> None:
    rows = captured("GET_api_tasks_fields_all.json")["tasks"]

    def case(number: int) -> str:
        rng = draw("rows", number)
        row = json_like(rng, rows[number % len(rows)])
        if not isinstance(row, dict) or not isinstance(row.get("id"), int):
            return "no row"  # Label Studio's own keys are numbers
        for part in ("annotations", "predictions"):  # and so are those of what hangs on a task
            held = row.get(part)
            row[part] = (
                [a for a in held or () if isinstance(a, dict) and isinstance(a.get("id"), int)]
                if isinstance(held, list)
                else None
            )
        state = read_task_state(row, "1")
        assert len(state.annotations) == len(row["annotations"] or ())
        return "read"

    assert fuzz("rows", 150, case).said["read"]


def test_answers_of_any_json_never_stop_a_round(tmp_path: Path) -> None:
    """Twenty bad ones among six good ones: all are in the log, the good ones are frozen."""

    def case(number: int) -> str:
        rng = draw("rounds", number)
        home = tmp_path / str(number)
        home.mkdir()
        with open_house(home) as house:
            connect(house.world, "1")
            tasks = list(house.studio.tasks)
            for task in tasks[:20]:
                bad = rng.choice([json_like(rng, ANSWER), odd(rng), [odd(rng)]])
                house.studio.annotate(task, json.loads(json.dumps(bad)))
            for task in tasks[20:26]:
                house.studio.annotate(task, ANSWER)
            done = turn(house.world, "1", sweep=True)
            assert done.decision.train and not done.problems
            assert len(house.world.log.current_annotations("1")) == 26
            terms = read_terms(house.world.settings, house.studio.config)
            snapshot, report = freeze(house.world.log, "1", terms)
            good = {e.task for e in snapshot.examples} & set(tasks[20:26])
            assert len(good) == 6, report.left_out
        return "trained"

    fuzz("rounds", 1, case, share=500)
