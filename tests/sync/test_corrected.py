"""The correction rate over time and by version: what `rate_of` counts, in parts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from label_config.values import Choice
from sync.corrected import MOST_POINTS, PART, by_version, over_time
from sync.readings import Reading, rate_of
from sync.studio_values import SeenAnnotation

BEGIN = datetime(2026, 3, 1, tzinfo=timezone.utc)


def reading(n: int, changed: bool = False, version: str = "v1-0a1b2c3d", **more: bool) -> Reading:
    at = BEGIN + timedelta(minutes=n)
    annotation = SeenAnnotation(n, n, [], 1, at, at)
    seen = (Choice("c", "t", ("a",)),)
    kept = (Choice("c", "t", ("b" if changed else "a",)),)
    blind = more.get("blind", False)
    return Reading(annotation, blind, blind, kept, None if blind else seen, version)


def test_parts_add_up_to_the_rate_of_all() -> None:
    some = [reading(n, changed=n % 3 == 0, blind=n % 5 == 0) for n in range(137)]
    parts, whole = over_time(some), rate_of(some)
    assert sum(p.shown for p in parts) == whole.shown
    assert sum(p.changed for p in parts) == whole.changed
    assert all(p.low <= p.rate <= p.high and p.shown >= PART for p in parts)
    assert [p.at for p in parts] == sorted(p.at for p in parts)


def test_few_answers_are_one_part_and_none_is_none() -> None:
    assert over_time([]) == by_version([]) == []
    assert over_time([reading(n, blind=True) for n in range(30)]) == []
    (part,) = over_time([reading(n, changed=True) for n in range(3)])
    assert (part.shown, part.rate) == (3, 1.0) and part.low < 0.6


def test_many_answers_make_no_more_points_than_a_chart_holds() -> None:
    parts = over_time([reading(n) for n in range(5000)])
    assert len(parts) <= MOST_POINTS and sum(p.shown for p in parts) == 5000


def test_each_version_has_its_own_rate() -> None:
    some = [reading(n, True, "v1-0a1b2c3d") for n in range(4)]
    some += [reading(n, n == 5, "v2-0a1b2c3d") for n in range(4, 8)]
    one, two = by_version(some)
    assert (one.versions, one.rate) == (("v1-0a1b2c3d",), 1.0)
    assert (two.versions, two.rate) == (("v2-0a1b2c3d",), 0.25)
