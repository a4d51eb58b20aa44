"""Several answers to one task: who is believed, how far, and what never counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from label_config import read_schema
from label_config.snapshot_json import snapshot_from_json, snapshot_to_json
from label_config.values import Choice, Region, Span, Task
from lora.forget import Lost
from settings import Settings
from sync.agreement import agreement, alpha, independent
from sync.consensus import Vote, choose, dawid_skene, disputed
from sync.freeze import freeze
from sync.groups import Place
from sync.log import Log
from sync.readings import Reading, by_task, read_answers
from sync.studio_values import SeenAnnotation, SeenPrediction, TaskState
from sync.terms import read_terms

T0 = datetime(2026, 11, 22, 7, 0, tzinfo=timezone.utc)
CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="intent" toName="text"><Choice value="A"/><Choice value="B"/>'
    '<Choice value="C"/></Choices>'
    '<Labels name="slots" toName="text"><Label value="X"/><Label value="Y"/></Labels></View>'
)
SCHEMA = read_schema(CONFIG)
TEXT = "play jazz by Miles Davis"


def reading(
    task: int, author: int | None, label: str | None, *spans: tuple[int, int, str], **more: Any
) -> Reading:
    number = task * 100 + (author or 50)
    at = T0 + timedelta(minutes=number)
    regions: list[Region] = [Choice("intent", "text", (label,))] if label else []
    regions += [Span("slots", "text", a, b, TEXT[a:b], (x,)) for a, b, x in spans]
    truth = more.pop("truth", False)
    seen = SeenAnnotation(number, task, [], author, at, at, ground_truth=truth)
    made = Reading(seen, blind_task=False, alone=True, regions=tuple(regions))
    return replace(made, **more)


def told(*readings: Reading) -> dict[int, list[Reading]]:
    return by_task(readings)


# ---- who is believed


def test_the_majority_is_right_and_who_errs_is_known_for_it() -> None:
    votes = [Vote(t, v, "AB"[t % 2]) for t in range(30) for v in (1, 2)]
    votes += [Vote(t, 3, "AB"[(t + (t % 3 == 0)) % 2]) for t in range(30)]  # wrong every third time
    crowd = dawid_skene(votes)
    assert all(crowd.chances[t]["AB"[t % 2]] > 0.95 for t in range(30))
    assert crowd.reliable[3] < 0.75 < 0.9 < crowd.reliable[1]


def test_a_reliable_one_outweighs_one_who_errs() -> None:
    votes = [Vote(t, v, "ABC"[t % 3]) for t in range(60) for v in (1, 2)]
    votes += [Vote(t, 3, "ABC"[(t + (t % 2)) % 3]) for t in range(60)]
    votes += [Vote(99, 1, "A"), Vote(99, 3, "B")]
    crowd = dawid_skene(votes)
    assert crowd.chances[99]["A"] > 0.8


def test_two_who_differ_on_one_task_are_not_told_apart() -> None:
    crowd = dawid_skene([Vote(1, 1, "A"), Vote(1, 2, "B")])
    assert crowd.chances[1] == {"A": pytest.approx(0.5), "B": pytest.approx(0.5)}
    assert crowd.reliable[1] == pytest.approx(crowd.reliable[2])


def test_one_label_alone_is_certain() -> None:
    assert dawid_skene([Vote(1, 1, "A"), Vote(1, 2, "A")]).chances == {1: {"A": 1.0}}
    assert dawid_skene([]).chances == {}


# ---- the answer of a task


def test_the_row_is_one_persons_whole_answer() -> None:
    mine, theirs = reading(1, 1, "A", (5, 9, "X")), reading(1, 2, "A", (5, 9, "X"), (13, 24, "Y"))
    odd = reading(1, 3, "B", (0, 4, "Y"))
    chosen = choose(SCHEMA, told(mine, theirs, odd))[1]
    assert chosen.reading in (mine, theirs)
    assert set(chosen.beside) == {101, 102, 103} - {chosen.reading.annotation.id}
    assert chosen.weight is not None and 0.5 < chosen.weight < 1


def test_people_who_agree_weigh_as_much_as_any_row() -> None:
    chosen = choose(SCHEMA, told(reading(1, 1, "A", (5, 9, "X")), reading(1, 2, "A", (5, 9, "X"))))
    assert chosen[1].weight is None and chosen[1].beside == (101,)


def test_the_ground_truth_wins_alone() -> None:
    truth = reading(1, 3, "B", truth=True)
    chosen = choose(SCHEMA, told(reading(1, 1, "A"), reading(1, 2, "A"), truth))[1]
    assert (chosen.reading, chosen.beside, chosen.weight) == (truth, (), None)


def accepted(task: int, author: int, label: str) -> Reading:
    return reading(
        task, author, label, alone=False, seen=(Choice("intent", "text", (label,)),), version="v1"
    )


def test_two_plain_accepts_do_not_outvote_one_who_changed_the_answer() -> None:
    shown = (Choice("intent", "text", ("A",)),)
    against = reading(1, 3, "B", alone=False, seen=shown, version="v1")
    answers = told(accepted(1, 1, "A"), accepted(1, 2, "A"), against)
    assert choose(SCHEMA, answers)[1].reading == against
    only = told(accepted(1, 1, "A"), accepted(1, 2, "A"))
    assert choose(SCHEMA, only)[1].reading.regions == shown


def test_of_a_blind_task_only_answers_given_alone_are_heard() -> None:
    saw = replace(reading(1, 1, "A", alone=False), blind_task=True)
    late = replace(reading(1, 3, "A", alone=False), blind_task=True)
    alone = replace(reading(1, 2, "B"), blind_task=True)
    assert choose(SCHEMA, told(saw, late, alone))[1].reading == alone


def test_no_blind_answer_says_who_is_believed_on_the_other_side() -> None:
    train = [reading(1, 1, "A"), reading(1, 2, "B")]
    blind = [
        replace(reading(t, who, "A" if who != 2 else "B"), blind_task=True)
        for t in range(10, 30)
        for who in (1, 2, 3)
    ]
    with_blind = choose(SCHEMA, told(*train, *blind))
    assert with_blind[1] == choose(SCHEMA, told(*train))[1]
    assert all(with_blind[t].reading.annotation.author != 2 for t in range(10, 30))


def test_one_who_answers_twice_is_heard_once() -> None:
    first, second = reading(1, 1, "A"), reading(1, 1, "B")
    later = replace(second.annotation, id=999, updated_at=T0 + timedelta(9))
    second = replace(second, annotation=later)
    assert told(first, second) == {1: [second]}


def test_what_is_disputed_comes_with_the_most_open_first() -> None:
    answers = told(
        *(reading(1, who, "A") for who in (1, 2)),
        *(reading(2, who, label) for who, label in ((1, "A"), (2, "B"))),
        *(reading(3, who, label) for who, label in ((1, "A"), (2, "A"), (3, "C"))),
        *(replace(reading(4, who, label), blind_task=True) for who, label in ((1, "A"), (2, "B"))),
        *(reading(5, who, x, truth=x == "B") for who, x in ((1, "A"), (2, "B"))),
    )
    assert disputed(SCHEMA, answers) == [2, 3]


# ---- agreement


def test_agreement_is_of_independent_pairs() -> None:
    answers = told(
        *(reading(1, who, "A", (5, 9, "X")) for who in (1, 2)),
        *(reading(2, who, label) for who, label in ((1, "A"), (2, "B"))),
        *(accepted(3, who, "C") for who in (1, 2)),
    )
    found = agreement(SCHEMA, answers)
    assert found["all"] == {"tasks": 2, "pairs": 2, "same": 0.5}
    assert found["blind"]["same"] is None and found["shown"] == found["all"]
    labels = {(r["control"], r["label"]): r["same"] for r in found["labels"]}
    assert labels == {
        ("intent", "A"): pytest.approx(2 / 3),
        ("intent", "B"): 0.0,
        ("slots", "X"): 1.0,
    }
    assert found["annotators"][1]["same"] == 0.5 and found["annotators"][1]["pairs"] == 2


def test_alpha_is_what_krippendorff_says() -> None:
    # his own example of two observers and ten binary units (Computing Krippendorff's alpha, 2011)
    one, two = "0100000000", "1110010100"
    answers = told(
        *(
            reading(t, who, "AB"[int(x)])
            for t, pair in enumerate(zip(one, two, strict=True), start=1)
            for who, x in enumerate(pair, start=1)
        )
    )
    assert alpha("intent", independent(answers)) == pytest.approx(0.095, abs=0.001)


# ---- in a snapshot


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(f"sqlite:///{tmp_path / 'log.db'}")
    made.connect("1", "any")
    made.see_config("1", CONFIG)
    yield made
    made.close()


def wire(label: str) -> list[dict[str, Any]]:
    value = {"choices": [label]}
    return [{"from_name": "intent", "to_name": "text", "type": "choices", "value": value}]


def tell(
    log: Log, task: int, labels: dict[int, str], blind: bool = False, shown: str = "", **more: Any
) -> None:
    at = T0 + timedelta(minutes=5)
    said = labels.items()
    made = [SeenAnnotation(task * 10 + who, task, wire(x), who, at, at) for who, x in said]
    annotations = tuple(replace(a, **more.get(str(a.author), {})) for a in made)
    there = SeenPrediction(task, task, "v1-aaaaaaaa", T0, 0.5, wire(shown))
    predictions = (there,) if shown else ()
    state = TaskState(Task(task, "1", {"text": f"text {task}"}), at, annotations, predictions)
    log.append("1", [state], {task: Place(f"g{task}", blind)})


def test_a_snapshot_has_the_answer_that_people_agree_on(log: Log) -> None:
    tell(log, 1, {1: "A", 2: "A", 3: "B"})
    tell(log, 2, {1: "A", 2: "B"}, blind=True)
    tell(log, 3, {1: "C"})
    snapshot, report = freeze(log, "1", read_terms(Settings(), CONFIG))
    rows = {e.task: e for e in snapshot.examples}
    assert rows[1].answers == (Choice("intent", "text", ("A",)),)
    assert rows[1].origin.beside is not None and len(rows[1].origin.beside) == 2
    assert rows[1].origin.weight is not None and rows[1].origin.weight > 0.6
    assert rows[2].side == "holdout" and rows[2].origin.weight is None
    assert (rows[3].origin.beside, rows[3].origin.weight) == (None, None)
    assert report.several == 2
    again = snapshot_from_json(snapshot_to_json(snapshot))
    assert again == snapshot and again.hash == snapshot.hash


def test_a_cancelled_answer_has_no_say(log: Log) -> None:
    tell(log, 1, {1: "A", 2: "B", 3: "B"}, **{"2": {"cancelled": True}, "3": {"cancelled": True}})
    (row,) = freeze(log, "1", read_terms(Settings(), CONFIG))[0].train
    assert row.answers == (Choice("intent", "text", ("A",)),) and row.origin.beside is None


def test_who_forgets_an_answer_forgets_what_it_was_weighed_with(log: Log) -> None:
    tell(log, 1, {1: "A", 2: "A", 3: "B"})
    snapshot, _ = freeze(log, "1", read_terms(Settings(), CONFIG))
    for annotation in (11, 12, 13):
        assert Lost(annotations=frozenset({annotation})).rows(snapshot) == list(snapshot.train)
    assert Lost(annotations=frozenset({14})).rows(snapshot) == []


def test_an_answer_is_read_against_what_was_in_view(log: Log) -> None:
    tell(log, 1, {1: "A", 2: "B"}, shown="A")
    tell(log, 2, {1: "A"})
    log.see_version("1", "v1-aaaaaaaa")
    found = {r.annotation.id: r for r in read_answers(log, "1", SCHEMA)}
    assert (found[21].alone, found[21].independent) == (True, True)
    assert not found[11].independent  # nobody can tell what was in view, but something was
    tell(log, 4, {1: "A", 2: "B"}, shown="A", **{k: {"parent_prediction": 4} for k in "12"})
    found = {r.annotation.id: r for r in read_answers(log, "1", SCHEMA, tasks={4})}
    assert set(found) == {41, 42}
    assert (found[41].accepted, found[41].independent) == (True, False)
    assert (found[42].changed, found[42].independent) == (True, True)
