"""What the expansion benchmark's tables say, and how its intervals are made."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.augment_shown import as_table
from benchmarks.augment_table import BETTER, rounds, summarise, values
from benchmarks.intervals import Mean, clustered, mean_of, paired

Found = dict[Any, dict[str, Any]]
HALF = "1010101010101"


def judged(value: float, blind: str = HALF) -> dict[str, Any]:
    """Scores on test rows and blind ones, with the marks of the latter."""
    share = blind.count("1") / len(blind)
    return {"scores": {"accuracy": value}, "blind": {"accuracy": share}, "marks": {"blind": blind}}


def cell(
    name: str,
    mode: str,
    seed: int,
    value: float,
    blind: str = HALF,
    ratio: float | None = None,
    n: int = 50,
    **facts: Any,
) -> Found:
    if ratio is None:
        ratio = 0.0 if mode in {"none", "pool"} else 3.0
    funnel = {"planned": 150, "made": 120, "kept": 40, "missing": {}, "refused": {"drift": 80}}
    own: dict[str, Any] = {} if ratio == 0 else {**funnel, "policy": {"ratio": 4.0}}
    own |= judged(value, blind) | {"blind_rows": 13}
    if mode == "pool":
        own["cold"] = judged(0.3, "0" * 13)
    return {(name, n, seed, mode, ratio): {**own, "cpu_s": {"fit": 10.0 + seed}, **facts}}


def together(*cells: Found) -> Found:
    return {key: value for some in cells for key, value in some.items()}


def line(table: str, begins: str) -> str:
    (found,) = [x for x in table.splitlines() if x.startswith(begins)]
    return found


def test_an_interval_is_students() -> None:
    found = mean_of([0.01, 0.02, 0.03, 0.04, 0.05])
    assert found is not None and found.value == pytest.approx(0.03)
    assert found.low == pytest.approx(0.03 - 2.776445 * 0.0158114 / 5**0.5, abs=1e-6)
    assert found.above and not found.below
    assert mean_of([0.2]) == Mean(0.2, None, None, 1) and not Mean(0.2, None, None, 1).above
    assert mean_of([]) is None


def test_only_seeds_that_both_have_are_compared() -> None:
    assert paired({2: 0.9, 0: 0.5, 1: 0.7}, {0: 0.4, 2: 0.4, 5: 0.1}) == pytest.approx([0.1, 0.5])


def test_sets_count_once_whatever_their_seeds() -> None:
    found = clustered({"a": [0.3] * 5, "b": [0.1], "c": []})
    assert found is not None and found.value == pytest.approx(0.2) and found.n == 2
    alike = clustered({"a": [0.1, 0.3], "b": [0.2]})
    assert alike is not None and alike.high == pytest.approx(0.2)  # seeds add no width of their own


def test_the_choice_is_that_of_the_gate_and_not_of_the_higher_mean() -> None:
    few, more, most = "1" * 6 + "0" * 7, "1" * 7 + "0" * 6, "1" * 13
    found = together(
        cell("snips", "pool", 0, 0.80, blind=few),
        cell("snips", "all", 0, 0.70, blind=more),  # one blind row more is luck
        cell("snips", "pool", 1, 0.80, blind=few),
        cell("snips", "all", 1, 0.90, blind=most),  # seven are not
        cell("snips", "pool", 2, 0.80, blind=more),
        cell("snips", "all", 2, 0.90, blind=few),
        cell("snips", "all", 3, 0.90, blind=most),  # nothing beside it
        *(cell("snips", "none", seed, 0.75) for seed in (0, 1, 2)),
    )
    told = rounds(found, "snips")
    assert {seed: r.choice for seed, r in told.items()} == {0: "pool", 1: "all", 2: "pool"}
    assert {r.without for r in told.values()} == {"pool"}
    assert "would be good enough" in told[0].reason and "beats" in told[1].reason
    assert values(found, "snips", BETTER) == {0: 0.70, 1: 0.90, 2: 0.80}
    assert values(found, "snips", "choice") == {0: 0.80, 1: 0.90, 2: 0.80}
    lines = as_table(summarise(found)).splitlines()
    assert "| snips | 3 | 13 | 1 | 2 | 0 | 0 | 2 |" in lines
    told_gain = line("\n".join(lines), "| choice - loop without ")
    assert told_gain.startswith("| choice - loop without | +0.033 [-0.110, +0.177] (3)")


def test_where_the_first_version_did_not_get_in_the_cold_start_serves_on() -> None:
    found = together(
        cell("snips", "pool", 0, 0.80, cold=judged(0.60)),  # as good as the cold start
        cell("snips", "all", 0, 0.90),
        cell("snips", "pool", 1, 0.80, cold=judged(0.60)),
        cell("snips", "all", 1, 0.90, blind="1" * 13),
    )
    told = rounds(found, "snips")
    assert [(r.without, r.choice) for r in told.values()] == [("cold", "cold"), ("cold", "all")]
    assert values(found, "snips", "choice") == {0: 0.60, 1: 0.90}
    assert values(found, "snips", "loop without") == {0: 0.60, 1: 0.60}


def test_without_children_or_by_the_policys_word_there_is_no_challenger() -> None:
    never = {"ratio": 0.0, "reason": "do not expand: it is sure enough"}
    found = together(
        *(cell("snips", "pool", seed, 0.80) for seed in (0, 1)),
        cell("snips", "all", 0, 0.90, blind="1" * 13, kept=0),
        cell("snips", "all", 1, 0.90, blind="1" * 13, policy=never),
    )
    told = rounds(found, "snips")
    assert {r.choice for r in told.values()} == {"pool"}
    assert [r.reason for r in told.values()] == [
        "no challenger: no candidate was kept",
        "no challenger: do not expand: it is sure enough",
    ]
    assert "| snips | 2 | 13 | 0 | 2 | 0 | 2 | 2 |" in as_table(summarise(found)).splitlines()


def test_the_quality_and_its_gains() -> None:
    found = together(
        *(cell("snips", "none", seed, 0.8) for seed in (0, 1)),
        *(cell("snips", "pool", seed, 0.9) for seed in (0, 1)),
        cell("mts_notes", "none", 0, 0.5),
        cell("mts_notes", "pool", 0, 0.5),
    )
    table = as_table(summarise(found))
    assert line(table, "| snips | 0.8").startswith("| snips | 0.800 ± 0.000 (2) | 0.900 ± 0.000")
    gain = line(table, "| pool - none ")
    assert "| +0.100 [+0.100, +0.100] (2) |" in gain and "| +0.000 (1) |" in gain
    assert gain.endswith("| +0.050 [-0.585, +0.685] (2) |")
    assert "noise - none" not in table


def test_the_curve_of_ratios_begins_at_the_pool() -> None:
    found = together(
        cell("snips", "pool", 0, 0.8),
        cell("snips", "all", 0, 0.85, ratio=3.0),
        cell("snips", "all", 0, 0.7, ratio=10.0),
        cell("purchase_card", "all", 0, 0.7, ratio=1.0, n=100),
        cell("banking77", "pool", 0, 0.7),
    )
    table = as_table(summarise(found))
    lines = table.splitlines()
    assert "| snips | 50 | 0 | 0.800 (1) |  | 0 | 0 |  |  |  |  |" in lines
    told = "| snips | 50 | 10 | 0.700 (1) | -0.100 (1) | 40 | 0.08 | 4.0 | +0.000 | 1 of 1 |"
    assert f"{told} 1 of 1 |" in lines
    alone = "| purchase_card | 100 | 1 | 0.700 (1) |  | 40 | 0.20 | 4.0 |  |  |  |"
    assert alone in lines  # no human-only version beside it
    assert "| banking77 | 50 | 0" not in table


def test_the_curve_stops_where_the_policys_own_rule_does() -> None:
    """After two ratios in a row without a gain on the blind rows, by more than its error."""
    few, most = "1" * 6 + "0" * 7, "1" * 13
    blind = {1.0: most, 3.0: few, 5.0: few, 10.0: most}
    found = together(
        cell("snips", "pool", 0, 0.8, blind=few),
        *(cell("snips", "all", 0, 0.8, ratio=ratio, blind=rows) for ratio, rows in blind.items()),
        cell("snips", "pool", 1, 0.8, blind=few),
        *(cell("snips", "all", 1, 0.8, ratio=ratio, blind=most) for ratio in blind),
    )
    lines = summarise(found)["ratios"][1:]
    assert [r["gainless"] for r in lines] == [0, 1, 1, 0]
    assert [r["stopped"] for r in lines] == [0, 0, 1, 1]
    assert [round(r["blind"], 3) for r in lines] == [0.538, 0.269, 0.269, 0.538]
    assert [round(r["weight"], 3) for r in lines] == [0.4, 0.267, 0.16, 0.08]


def test_what_a_filter_is_worth_is_told_beside_all_of_them() -> None:
    found = together(
        cell("snips", "all", 0, 0.85),
        cell("snips", "all", 1, 0.85, kept=1000),
        cell("snips", "without drift", 0, 0.80, kept=100),
    )
    lines = as_table(summarise(found)).splitlines()
    assert "| without drift | snips | -0.050 (1) | 60.0 |" in lines
    assert "| snips | all | 2 | 150.0 | 120.0 | 520.0 | drift 80.0 |" in lines


def test_slots_are_said_to_have_no_label_filter() -> None:
    note = "snips slots: no label filter for spans"
    slots = cell("snips slots", "all", 0, 0.4)
    assert note in as_table(summarise(slots)).splitlines()[-1]
    assert note not in as_table(summarise(cell("snips", "all", 0, 0.4)))


def test_the_judges_agreement_is_told_beside_real_rows() -> None:
    said = {"test": 0.9, "made": 0.6, "kept": 0.88, "kept, noise": 0.95}
    none_kept = {"test": 0.9, "made": 0.5}
    found = together(
        cell("snips", "judge", 0, 0.0, scores=said, tallies={}),
        cell("snips", "judge", 1, 0.0, scores=none_kept, tallies={}),
    )
    told = "| snips | 2 | 0.900 | 0.550 | 0.880 | -0.020 (1) | noise 0.950 |"
    assert told in as_table(summarise(found)).splitlines()


def judge(name: str, seed: int, **tallies: list[int]) -> Found:
    """`drift` and `twin` are what these refused."""
    named = {k if k in {"kept", "test"} else f"refused, {k}": v for k, v in tallies.items()}
    sizes = {what: counts[-1] for what, counts in named.items()}
    said = {what: counts[0] / counts[1] for what, counts in named.items()}
    return cell(name, "judge", seed, 0.0, scores=said, tallies=named, rows=sizes)


def test_what_a_filter_refuses_is_told_beside_what_is_kept_all_seeds_together() -> None:
    found = together(
        judge("snips", 0, test=[9, 10], kept=[30, 40], drift=[0, 5], twin=[2, 2]),
        judge("snips", 1, test=[9, 10], kept=[34, 40], drift=[10, 25]),
        judge("banking77", 0, test=[8, 10], kept=[8, 10], drift=[8, 20]),
    )
    table = as_table(summarise(found))
    assert "| drift | snips | 30 | 0.333 | 0.800 | 0.900 | -0.467 (1) |" in table.splitlines()
    assert "| drift | banking77 | 20 | 0.400 | 0.800 | 0.800 | -0.400 (1) |" in table.splitlines()
    assert line(table, "| drift | mean").startswith(
        "| drift | mean over sets |  |  |  |  | -0.433 ["
    )
    assert "| twin | snips | 2 | 1.000 | 0.800 | 0.900 | +0.200 (1) |" in table.splitlines()
    assert "| twin | mean over sets" not in table  # two candidates say nothing


def test_seconds_are_those_of_cells_that_were_run() -> None:
    found = together(*(cell("snips", "all", seed, 0.8) for seed in (0, 1, 2)))
    found["snips", 50, 0, "all", 3.0]["cpu_s"] = {"make": 3.0}  # what it learned was known
    assert "| snips | all | 3.0 |  | 11.5 |  |" in as_table(summarise(found)).splitlines()


def test_nothing_measured_makes_no_table() -> None:
    assert as_table(summarise({})) == ""
