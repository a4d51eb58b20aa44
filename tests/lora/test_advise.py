"""Facts in, advice out: which kind of base a project wants, and why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from label_config.controls import BaseKind, Form
from lora.advise import (
    CAUSAL_TEXT,
    LISTS,
    PACE,
    QUALITY,
    SPANS,
    WRITES,
    Advice,
    Facts,
    Machine,
    advise,
)

SMALL = Machine(cores=2, memory_mb=8000, bf16=True)
OLD = replace(SMALL, bf16=False)
BIG = Machine(16, 120_000, True, "H200", 139_000)
BOTH: dict[BaseKind, list[str]] = {"encoder": ["minilm"], "causal": ["smollm"]}


def facts(machine: Machine = SMALL, bases: object = BOTH, **forms: Form) -> Facts:
    return Facts(forms, machine, bases=bases)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (facts(what="one"), "encoder"),
        (facts(what="many", parts="spans"), "encoder"),
        (facts(parts="spans"), "encoder"),
        (facts(stars="ordinal", n="number", better="pair"), "encoder"),
        (facts(BIG, what="one", parts="spans"), "encoder"),
        (facts(note="text"), "causal"),
        (facts(OLD, note="text", what="one"), "causal"),
        (facts(BIG, note="text", parts="spans"), "causal"),
        (facts(), None),
    ],
)
def test_only_what_has_to_be_written_asks_for_a_causal_base(
    given: Facts, kind: BaseKind | None
) -> None:
    assert advise(given).kind == kind


@pytest.mark.parametrize(
    ("given", "said", "unsaid"),
    [
        (facts(what="one"), [QUALITY, PACE], [LISTS]),
        (facts(BIG, what="one"), [QUALITY], [PACE]),
        (facts(parts="spans"), [SPANS], [QUALITY, PACE]),
        (facts(BIG, parts="spans"), [], [SPANS]),
        (replace(facts(what="one"), labels=77), ["there are 77 labels", LISTS], []),
        (replace(facts(what="one"), text=900, longest=9000), ["9,000", "window by window"], []),
        (replace(facts(what="one"), text=900, longest=CAUSAL_TEXT), [], ["window by window"]),
    ],
)
def test_an_encoder_is_recommended_with_what_was_measured(
    given: Facts, said: list[str], unsaid: list[str]
) -> None:
    because = "\n".join(advise(given).because)
    assert all(words in because for words in said)
    assert not any(words in because for words in unsaid)
    assert advise(given).costs == ()


def test_a_mixed_config_says_what_serves_all_of_it_what_that_costs_and_the_other_way() -> None:
    found = advise(facts(OLD, note="text", what="one", parts="spans"))
    assert found.because == ("only a causal base serves all of it: it writes note",)
    costs = "\n".join(found.costs)
    assert all(w in costs for w in (QUALITY, PACE, WRITES, "spans: what a causal", "float32"))
    assert "an encoder serves what and parts better and faster" in found.unless[0]
    big = "\n".join(advise(facts(BIG, note="text", what="one")).costs)
    assert QUALITY in big and PACE not in big and "float32" not in big


def test_texts_alone_cost_what_writing_costs() -> None:
    found = advise(replace(facts(note="text"), text=50, longest=20_000))
    assert found.because == ("only a causal base writes note",)
    assert WRITES in found.costs and QUALITY not in " ".join(found.costs)
    assert "20,000" in found.costs[-1] and found.unless == ()


@pytest.mark.parametrize(
    ("answers", "forms", "silent"),
    [
        (None, {"parts": "spans", "what": "one"}, True),
        (0, {"stars": "ordinal"}, True),
        (12, {"parts": "spans"}, False),
        (0, {"what": "one"}, False),
    ],
)
def test_what_an_encoder_cannot_say_at_first_speaks_for_the_other(
    answers: int | None, forms: dict[str, Form], silent: bool
) -> None:
    found = advise(Facts(forms, SMALL, answers=answers, bases=BOTH))
    assert any("before the first training" in line for line in found.unless) is silent


def test_a_gpu_speaks_for_a_larger_base_that_was_not_measured() -> None:
    assert "H200" in advise(facts(BIG, what="one")).unless[0]
    assert advise(facts(what="one")).unless == ()


@pytest.mark.parametrize(
    ("bases", "base", "said"),
    [
        (BOTH, "smollm", None),
        ({"causal": ["mine"]}, "mine", None),
        ({"encoder": ["minilm"]}, "", "ANNOTUNE_TRAIN_BASES=smollm"),
    ],
)
def test_the_base_is_one_that_ops_allow_or_says_how(
    bases: dict[BaseKind, list[str]], base: str, said: str | None
) -> None:
    found = advise(facts(bases=bases, note="text"))
    assert found.base == base
    assert bool(found.next) is (said is not None) and (said or "") in "".join(found.next)


def test_where_both_kinds_can_answer_comparing_them_is_proposed() -> None:
    for forms in ({"what": "one"}, {"what": "one", "note": "text"}):
        found = advise(facts(**forms))  # type: ignore[arg-type]
        assert "annotune compare PROJECT --bases minilm,smollm" in found.next[0]


def test_it_is_said_in_lines_and_in_json() -> None:
    found = advise(facts(note="text", what="one"))
    lines = found.lines()
    assert lines[0] == "recommended: a causal base (smollm)"
    assert [line.split(":")[0].strip() for line in lines[1:3]] == ["because", "costs"]
    body = json.loads(json.dumps(found.to_dict()))
    assert (body["kind"], body["base"]) == ("causal", "smollm") and body["costs"]
    assert Advice(None).lines() == ["recommended: no base; nothing in this config is predicted"]


def test_a_machine_is_said_in_words() -> None:
    assert BIG.words() == "16 cores with fast bf16, 120.0 GB of memory free, H200 with 139.0 GB"
    assert "no fast bf16" in OLD.words() and "no CUDA device" in OLD.words()
