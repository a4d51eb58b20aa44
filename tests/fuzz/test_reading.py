"""What Label Studio stores and hands back, changed: results, rows of its API, whole rounds of them.

An annotation may hold any JSON (its API checks little): reading it drops what does not fit, and one
bad answer never stops the loop for the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from label_config import read_schema
from label_config.templates import load_template, template_names
from label_config.wire import read_result, write_result
from sync.connect import connect
from sync.freeze import freeze
from sync.loop import turn
from sync.studio_read import read_task_state
from sync.terms import read_terms
from tests.fuzz.mutate import cases, draw, json_like, odd
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
    templates = [load_template(name) for name in template_names()]
    schemas = [read_schema(t.config) for t in templates]
    for n in cases(300):
        rng = draw("results", n)
        at = n % len(templates)
        data = json_like(rng, dict(templates[at].tasks[0]))
        data = data if isinstance(data, dict) else {}
        changed = json_like(rng, result_for(templates[at].config))
        read = read_result(schemas[at], data, changed)
        written = write_result(schemas[at], 1, read.regions, data)
        json.dumps(written, allow_nan=False)
        assert len(written) <= max(1, len(read.regions)) * 2, ("results", n)


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=NO_CAPTURES)
def test_rows_of_the_api_changed() -> None:
    rows = captured("GET_api_tasks_fields_all.json")["tasks"]
    read = 0
    for n in cases(200):
        rng = draw("rows", n)
        row = json_like(rng, rows[n % len(rows)])
        if not isinstance(row, dict) or not isinstance(row.get("id"), int):
            continue  # Label Studio's own keys are numbers
        for part in ("annotations", "predictions"):  # and so are those of what hangs on a task
            held = row.get(part)
            row[part] = (
                [a for a in held or () if isinstance(a, dict) and isinstance(a.get("id"), int)]
                if isinstance(held, list)
                else None
            )
        state = read_task_state(row, "1")
        assert len(state.annotations) == len(row["annotations"] or ()), ("rows", n)
        read += 1
    assert read


def test_answers_of_any_json_never_stop_a_round(tmp_path: Path) -> None:
    """Twenty bad ones among six good ones: all are in the log, the good ones are frozen."""
    for n in cases(2):
        rng = draw("rounds", n)
        home = tmp_path / str(n)
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
            assert done.decision.train and not done.problems, ("rounds", n)
            assert len(house.world.log.current_annotations("1")) == 26
            terms = read_terms(house.world.settings, house.studio.config)
            snapshot, report = freeze(house.world.log, "1", terms)
            good = {e.task for e in snapshot.examples} & set(tasks[20:26])
            assert len(good) == 6, ("rounds", n, report.left_out)
