"""Expansions are kept whole, and what a writer was asked is not asked again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lora.errors import BrokenFile
from lora.expansions import Expansions, Interrupted, Kept
from lora.store import ProjectStore


@dataclass(frozen=True)
class Asked:
    digest: str


@dataclass
class Says:
    """Answers with the digest and how many it was asked with; dies on the word."""

    dies_at: str = ""
    asked: list[str] = field(default_factory=list)

    def __call__(self, prompts: Sequence[Asked]) -> Iterator[str | None]:
        for p in prompts:
            if p.digest == self.dies_at:
                raise KeyboardInterrupt
            self.asked.append(p.digest)
            yield f"{p.digest} of {len(prompts)}"


PROMPTS = [Asked(name) for name in "abcdefg"]


def kept(path: Path, writer: Says, batch: int = 3, name: str = "smollm") -> Kept:
    return Kept(path, name, writer, batch)


def test_a_killed_run_goes_on_to_the_same_answers_and_asks_nothing_twice(tmp_path: Path) -> None:
    whole, path = list(kept(tmp_path / "whole", Says())(PROMPTS)), tmp_path / "kept"
    first, second = Says(dies_at="e"), Says()
    with pytest.raises(KeyboardInterrupt):
        list(kept(path, first)(PROMPTS))
    assert list(kept(path, second)(PROMPTS)) == whole
    assert second.asked == list("defg"), "d was said, but its batch was cut off before it was kept"
    third = Says()
    assert list(kept(path, third)(PROMPTS)) == whole and third.asked == []


def test_a_line_cut_off_by_a_kill_costs_its_batch_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    list(kept(path, Says())(PROMPTS))
    text = path.read_text()
    path.write_text(text[: text.rindex("said") + 2])
    again = Says()
    assert list(kept(path, again)(PROMPTS))[-1] == "g of 1" and again.asked == ["g"]
    assert list(kept(path, Says(dies_at="g"))(PROMPTS))[-1] == "g of 1"


def test_another_writer_is_asked_anew(tmp_path: Path) -> None:
    list(kept(tmp_path / "kept", Says())(PROMPTS))
    other = Says()
    list(kept(tmp_path / "kept", other, name="smollm t0.5")(PROMPTS))
    assert len(other.asked) == len(PROMPTS)


def test_it_gives_way_between_batches_and_keeps_what_was_said(tmp_path: Path) -> None:
    writer = Says()
    turns = iter([True, False])
    busy = Kept(tmp_path / "kept", "w", writer, 3, lambda: next(turns))
    with pytest.raises(Interrupted):
        list(busy(PROMPTS))
    assert writer.asked == list("abc")
    rest = Says()
    assert len(list(Kept(tmp_path / "kept", "w", rest, 3)(PROMPTS))) == 7
    assert rest.asked == list("defg")


def test_records_name_their_challenger_and_what_it_brought(project: ProjectStore) -> None:
    place = Expansions(project)
    assert place.get("a" * 64) is None and place.past() == [] and place.human_of("b" * 64) is None
    for n, (human, challenger) in enumerate([("a", "b"), ("c", "d"), ("e", None)]):
        name = challenger * 64 if challenger else None
        place.put(human * 64, {"challenger": name, "kept": []})
        if name:
            gain = {"answers": 10 + n, "difference": 0.1, "error": 0.02}
            project.put_verdict(name, {"promoted": True, "gain": gain, "at": f"2026-01-0{9 - n}"})
    assert place.human_of("d" * 64) == "c" * 64 and place.human_of("e" * 64) is None
    assert [g["answers"] for g in place.past()] == [11, 10], "by when they were judged"


def test_one_process_at_a_time_expands_a_project(project: ProjectStore) -> None:
    place = Expansions(project)
    assert not place.is_expanding()
    with place.expanding() as free:
        assert free and place.is_expanding()
        with Expansions(project).expanding(patience_s=0) as other:
            assert not other
    assert not place.is_expanding()


def test_a_wish_for_review_lasts_until_it_is_answered(project: ProjectStore) -> None:
    place = Expansions(project)
    assert place.review_asked() is None
    place.put("a" * 64, {"challenger": "b" * 64, "former": ["c" * 64], "kept": []})
    place.ask_review("a" * 64)
    assert Expansions(project).review_asked() == "a" * 64
    assert [place.human_of(x * 64) for x in "bcd"] == ["a" * 64, "a" * 64, None]
    place.answer_review()
    place.answer_review()
    assert place.review_asked() is None


def test_what_became_of_a_snapshot_goes_wherever_it_was_copied_to(project: ProjectStore) -> None:
    """A review's record stands under the rows that its children were approved beside."""
    place, names = Expansions(project), {n: n * 64 for n in "abcdef"}
    place.put(names["a"], {"challenger": None})
    place.put(names["b"], {"challenger": names["c"], "review": {"made_of": names["a"]}})
    place.put(names["d"], {"challenger": names["e"], "former": [names["f"]]})
    place.written.write_text("said")
    place.drop(set())
    assert place.written.exists()
    place.drop({names["a"]})
    assert [place.get(names[n]) for n in "ab"] == [None, None] and place.get(names["d"])
    assert not place.written.exists()
    place.drop({names["f"]})
    assert place.get(names["d"]) is None


def test_a_record_that_cannot_be_read_is_named_and_odd_text_comes_back(
    project: ProjectStore,
) -> None:
    place, digest = Expansions(project), "a" * 64
    place.put(digest, {"said": "odd \ud800"})
    assert place.get(digest) == {"said": "odd \ud800"}
    (project.folder / "expansions" / f"{digest}.json").write_text("{")
    with pytest.raises(BrokenFile, match=f"{digest}.json holds no JSON"):
        place.get(digest)
