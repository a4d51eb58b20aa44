"""What the kinds of answer have in common: a writer and a reader of one form, side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal

from label_config.controls import Control
from label_config.values import Inputs, Region
from lora.causal.ask import Ask, Option
from lora.causal.kinds.words import Listing


class Kind(ABC):
    """How one form of answer is asked for, written and read. Kinds have no state.

    `way`: by the likelihood of each option, or decoded.
    """

    way: Literal["score", "decode"]

    @abstractmethod
    def describe(self, control: Control, listing: Listing = "hints") -> str:
        """What an answer may be, in the words of the system message; follows `NAME: `.
        `listing`: how much is told of the labels."""

    @abstractmethod
    def write(self, ask: Ask, answers: Sequence[Region]) -> str | None:
        """The gold answer; None where nobody answered."""

    @abstractmethod
    def read(self, ask: Ask, answer: str, score: float) -> list[Region]:
        """The regions of an answer, whatever the model said: never raises, and never names a text
        that is not there. `score`: of the whole answer, in [0, 1]."""

    def options(self, control: Control, inputs: Inputs) -> tuple[Option, ...]:
        """The labels that may be answered here; none where an answer is no label."""
        return ()

    def grammar(self, ask: Ask) -> str | None:
        """A llguidance lark grammar of every possible answer; None: anything may be said."""
        return None

    def idle(self, ask: Ask) -> Callable[[str], bool] | None:
        """Of an answer in lines: told each line as it is said, whether it adds nothing, so that an
        answer that goes on like this can end there. None: no line tells."""
        return None

    @abstractmethod
    def most_tokens(self, ask: Ask) -> int:
        """How long an answer may get before it is cut."""


def own(ask: Ask, answers: Sequence[Region]) -> list[Region]:
    """The regions of the control that is asked."""
    return [r for r in answers if r.from_name == ask.control.name]
