"""What every form has in common: the Head it is made of, what it is given, what it says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from label_config.controls import Control, Label
from label_config.values import Region
from lora.network import Encoded

Embed = Callable[[Sequence[str]], torch.Tensor]
"""Texts -> [texts, hidden], mean-pooled and L2-normalised."""

Said = tuple[list[Region], float]
"""A control's regions for one row, and how sure the head is of them, in [0, 1]."""

Goal = tuple[str, ...] | float
"""What a human answered for a whole text: the labels' values, or a Number's number."""

IGNORE = -100
"""In a target: nobody answered this."""
NEVER = -30.0
"""Logit of what nobody has trained and nothing speaks for."""


@dataclass(frozen=True, eq=False)
class Head:
    """One control's parameters; its form says their shapes. `trained`: on human answers.

    `facts`: a form's numbers that are measured, not trained. `centre`: mean text vector [hidden]
    that a cold head subtracts. `memory`: vectors of option texts met while serving, bounded.
    """

    control: Control
    weight: torch.Tensor
    bias: torch.Tensor
    trained: bool
    facts: Mapping[str, float] = field(default_factory=dict)
    centre: torch.Tensor | None = None
    memory: OrderedDict[str, torch.Tensor] = field(default_factory=OrderedDict, repr=False)

    def logits(self, vectors: torch.Tensor) -> torch.Tensor:
        """[n, hidden] -> [n, outputs]: of a choice one per label, else as its form says."""
        from lora.forms import form_of  # the forms are made of heads

        weight, bias = self.weight.to(vectors.device), self.bias.to(vectors.device)
        return form_of(self.control).logits(self.control, weight, bias, vectors)


@dataclass(frozen=True)
class Given:
    """One row as a head meets it. `other`: the right text of a pair; `options`: the labels that
    the task itself brings."""

    text: str
    encoded: Encoded
    other: Encoded | None = None
    options: tuple[Label, ...] = ()


class Form(ABC):
    """How one form of answer is held, started, taught and read. Forms have no state."""

    @abstractmethod
    def shapes(self, control: Control, hidden: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of a head's weight and bias."""

    @abstractmethod
    def read(self, head: Head, given: Sequence[Given], embed: Embed) -> list[Said]:
        """Say what `head` answers for each row; never raises because of what the numbers are."""

    @abstractmethod
    def target(self, head: Head, goal: Goal | None, offered: Sequence[str]) -> list[float]:
        """A row's whole-text answer as numbers, all IGNORE where there is none.

        `offered`: the values of the options that the task brought, where it brings its own.
        """

    @abstractmethod
    def loss(
        self, control: Control, outputs: torch.Tensor, target: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        """Mean loss, weighted by `share` [rows], over the rows that have an answer; else 0."""

    def logits(
        self, control: Control, weight: torch.Tensor, bias: torch.Tensor, vectors: torch.Tensor
    ) -> torch.Tensor:
        """[..., hidden] -> [..., outputs]."""
        return torch.nn.functional.linear(vectors, weight, bias)

    def cold(self, control: Control, embed: Embed, pool: torch.Tensor | None) -> Head:
        """The head before any answer; most forms have nothing to go by and stay silent.

        `pool`: vectors [texts, hidden] of unlabelled texts, where there are any.
        """
        return self.silent(control, embed(["a"]).shape[1])

    def silent(self, control: Control, hidden: int) -> Head:
        """A head that knows nothing: its regions are empty and its score is 0."""
        weight, bias = self.shapes(control, hidden)
        return Head(control, torch.zeros(weight), torch.full(bias, NEVER), trained=False)

    def derive(self, head: Head, control: Control, embed: Embed, pool: torch.Tensor | None) -> Head:
        """A trained head turned to a changed config of its control; cold where nothing fits."""
        old = self.shapes(head.control, head.weight.shape[1])
        if old != self.shapes(control, head.weight.shape[1]):
            return self.cold(control, embed, pool)
        return Head(control, head.weight, head.bias, head.trained, head.facts)


def weighted(each: torch.Tensor, known: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Mean of the rows' losses by share over those that are known; 0 where none is."""
    weight = share * known
    return (torch.where(known, each, 0.0) * weight).sum() / weight.sum().clamp_min(1e-6)


def vectors_of(given: Sequence[Given]) -> torch.Tensor:
    """The rows' text vectors, [rows, hidden]."""
    return torch.stack([g.encoded.vector for g in given])


def unit(value: float) -> float:
    """Into [0, 1]; what is not a number (a broken adapter) is no confidence at all."""
    return min(1.0, max(0.0, value)) if value == value else 0.0
