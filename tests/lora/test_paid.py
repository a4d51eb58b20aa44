"""A writer that is paid: nothing is asked twice, the budget holds, and a kill changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lora.errors import EngineDown, Refused
from lora.expansions import Interrupted
from lora.paid import BATCH, Paid
from lora.written import Answer


@dataclass(frozen=True)
class Asked:
    digest: str


@dataclass
class Says:
    """Answers with the digest, for ten tokens. `dies_at`: the process ends there."""

    parallel: int = 3
    dies_at: str = ""
    down_at: str = ""
    out: dict[str, str] = field(default_factory=dict)
    name: str = "remote"
    tokens: int = 10
    asked: list[str] = field(default_factory=list)
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, prompt: Asked, /) -> Answer:
        with self._lock:
            self.asked.append(prompt.digest)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            if prompt.digest == self.dies_at:
                raise KeyboardInterrupt
            if prompt.digest == self.down_at:
                raise EngineDown("it does not answer")
            if prompt.digest in self.out:
                return Answer(None, 0, self.out[prompt.digest])
            return Answer(f"said {prompt.digest}", self.tokens)
        finally:
            with self._lock:
                self._now -= 1

    def estimate(self, prompt: Asked, /) -> int:
        return 12


PROMPTS = [Asked(f"{n:02}") for n in range(2 * BATCH + 5)]
ALL = [f"said {p.digest}" for p in PROMPTS]


def paid(path: Path, writer: Says, most: int = 0, of: str = "now") -> Paid:
    return Paid(path, writer, of, most)


def answers(of: Paid, prompts: Sequence[Asked] = PROMPTS) -> list[str | None]:
    return list(of(prompts))


def test_answers_come_in_order_each_asked_once_several_at_once(tmp_path: Path) -> None:
    writer = Says()
    twice = [*PROMPTS, *PROMPTS[:4]]
    assert answers(paid(tmp_path / "w", writer), twice) == [*ALL, *ALL[:4]]
    assert sorted(writer.asked) == [p.digest for p in PROMPTS] and writer.most <= 3
    again = Says()
    found = paid(tmp_path / "w", again)
    assert answers(found) == ALL and not again.asked
    assert found.report() == {
        "by": "remote",
        "answered": len(PROMPTS),
        "left_out": {},
        "tokens": 10 * len(PROMPTS),
        "unanswered": 0,
        "stopped": "",
    }


@pytest.mark.parametrize("dies_at", ["00", "07", "20", "36"])
@pytest.mark.parametrize("most", [0, 250])
def test_a_process_that_died_goes_on_to_the_same_and_asks_for_no_answer_twice(
    tmp_path: Path, dies_at: str, most: int
) -> None:
    whole = answers(paid(tmp_path / "whole", Says(), most))
    first, second = Says(dies_at=dies_at), Says()
    try:
        answers(paid(tmp_path / "w", first, most))
    except KeyboardInterrupt:
        pass
    else:
        assert most and dies_at == "36", "the budget ends before it"
    found = paid(tmp_path / "w", second, most)
    assert answers(found) == whole
    both = set(first.asked) & set(second.asked)
    assert both <= {dies_at} and found.report()["unanswered"] == len(both)


def test_the_budget_stops_it_where_the_next_answer_might_not_be_paid_for(tmp_path: Path) -> None:
    writer = Says()
    found = paid(tmp_path / "w", writer, 250)
    said = answers(found)
    # 24 take 240, and of the 10 that are left no other one is sure to be paid for
    assert said == [*ALL[:24], *[None] * (len(ALL) - 24)]
    assert len(writer.asked) == 24 and found.report()["tokens"] == 240
    assert found.report()["stopped"] == "the budget of 250 tokens is spent"
    none = Says()
    assert answers(paid(tmp_path / "none", none, 11)) == [None] * len(PROMPTS) and not none.asked


def test_what_another_expansion_paid_for_costs_this_one_nothing(tmp_path: Path) -> None:
    answers(paid(tmp_path / "w", Says(), of="before"), PROMPTS[:20])
    writer = Says()
    found = paid(tmp_path / "w", writer, 12 * (len(PROMPTS) - 20))
    assert answers(found) == ALL and len(writer.asked) == len(PROMPTS) - 20
    assert found.report()["answered"] == len(PROMPTS) - 20 and not found.report()["stopped"]
    other = Says(name="another")
    assert answers(paid(tmp_path / "w", other)) == ALL and len(other.asked) == len(PROMPTS)


def test_a_server_that_goes_away_ends_it_and_what_was_under_way_is_kept(tmp_path: Path) -> None:
    first, second = Says(down_at="05"), Says()
    with pytest.raises(EngineDown):
        answers(paid(tmp_path / "w", first))
    assert len(first.asked) < BATCH, "the rest of the batch was not sent"
    assert answers(paid(tmp_path / "w", second)) == ALL
    assert set(first.asked) & set(second.asked) == {"05"}


def test_prompts_that_are_refused_are_left_out_told_and_not_asked_again(tmp_path: Path) -> None:
    writer = Says(out={"03": "HTTP 400", "20": "HTTP 400", "30": "too slow"})
    found = paid(tmp_path / "w", writer)
    said = answers(found)
    assert [i for i, text in enumerate(said) if text is None] == [3, 20, 30]
    assert found.report()["left_out"] == {"HTTP 400": 2, "too slow": 1}
    again = Says()
    assert answers(paid(tmp_path / "w", again)) == said and not again.asked


def test_where_everything_is_refused_the_fault_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    refuses = Says(out=dict.fromkeys((p.digest for p in PROMPTS), "HTTP 400 no such field"))
    for of in ("now", "now", "later"):
        with pytest.raises(Refused, match="answered none of 16 prompts .16: HTTP 400 no such fie"):
            answers(paid(tmp_path / "w", refuses, of=of))
    mended = Says()
    assert answers(paid(tmp_path / "w", mended, of="later")) == ALL


def test_one_last_prompt_that_is_refused_holds_nothing_up(tmp_path: Path) -> None:
    answers(paid(tmp_path / "w", Says(), of="before"), PROMPTS[:-1])
    refuses = Says(out={PROMPTS[-1].digest: "HTTP 413"})
    assert answers(paid(tmp_path / "w", refuses)) == [*ALL[:-1], None]


def test_it_gives_way_between_batches(tmp_path: Path) -> None:
    writer, turns = Says(), iter([True, False])
    with pytest.raises(Interrupted):
        list(Paid(tmp_path / "w", writer, "now", 0, lambda: next(turns))(PROMPTS))
    assert len(writer.asked) == BATCH
    rest = Says()
    assert answers(paid(tmp_path / "w", rest)) == ALL and len(rest.asked) == len(PROMPTS) - BATCH


@pytest.mark.parametrize("cut", [1, 9, 30, 60])
def test_a_line_that_a_kill_cut_off_costs_its_own_answer_alone(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "w"
    answers(paid(path, Says(parallel=1)))
    path.write_text(path.read_text()[:-cut])
    again = Says()
    assert answers(paid(path, again)) == ALL and len(again.asked) == 1
    assert answers(paid(path, Says(dies_at=PROMPTS[-1].digest))) == ALL
