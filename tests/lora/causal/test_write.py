"""A local base as a generator: the same prompts bring the same texts, killed or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from lora.base import Base
from lora.causal.write import BATCH, Writer
from lora.expansions import Kept
from tests.lora.made import WORDS


@dataclass(frozen=True)
class Asked:
    text: str
    seed: int = 0
    stop: tuple[str, ...] = ("\n",)
    most_tokens: int = 6

    @property
    def digest(self) -> str:
        return f"{self.seed}:{self.text}"


def prompts(count: int) -> list[Asked]:
    return [Asked(" ".join(WORDS[: 2 + n % 7]), seed=n) for n in range(count)]


def test_the_same_prompts_bring_the_same_texts_and_other_seeds_others(llama: Base) -> None:
    writer = Writer(llama)
    first = list(writer(prompts(5)))
    assert first == list(writer(prompts(5))) and len(set(first)) > 1
    others = [Asked(p.text, seed=p.seed + 100) for p in prompts(5)]
    assert first != list(writer(others))
    assert "t0.9" in writer.name and writer.name != Writer(llama, temperature=0.5).name


def test_a_run_that_was_killed_goes_on_to_the_same_texts(llama: Base, tmp_path: Path) -> None:
    writer, asked = Writer(llama), prompts(BATCH + 3)
    whole = list(Kept(tmp_path / "whole", "w", writer, BATCH)(asked))
    started = Kept(tmp_path / "cut", "w", writer, BATCH)(asked)
    assert [next(started) for _ in range(4)] == whole[:4]
    again = Kept(tmp_path / "cut", "w", writer, BATCH)
    assert list(again(asked)) == whole and again.asked == 3


def test_what_is_written_ends_before_a_stop(llama: Base) -> None:
    free = Asked("play the song", stop=(), most_tokens=40)
    (text,) = Writer(llama)([free])
    assert text and len(text) > 5
    sign = text[3:6]
    (cut,) = Writer(llama)([Asked("play the song", stop=(sign,), most_tokens=40)])
    assert cut == text[: text.index(sign)]


def test_a_prompt_without_room_for_an_answer_is_none_and_the_others_are_answered(
    llama: Base,
) -> None:
    long = Asked("play " * llama.max_tokens)
    found = list(Writer(llama)([long, Asked("paint it red")]))
    assert found[0] is None and found[1] is not None


@pytest.mark.model
def test_a_real_base_goes_on_with_a_list() -> None:
    from lora.base import load_base

    text = "Texts about refunds:\n- i want my money back\n- refund me please\n-"
    asked = [Asked(text, seed=n, most_tokens=24) for n in range(4)]
    found = [t for t in Writer(load_base("smollm", threads=1))(asked) if t]
    assert len(found) == 4 and all("\n" not in t and len(t.split()) > 1 for t in found)
