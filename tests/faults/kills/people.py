"""People who answer, correct, skip, delete, import, and change their minds, as a seed draws it.

Behind them the scripted Label Studio of tests/faults/label_studio.py, whose clock leaps: what was
said a minute ago and lost is not heard again by chance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

from tests.faults.label_studio import Wire
from tests.sync.fake_studio import FakeStudio

LABELS = ("K1", "K2", "K3")
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    + "".join(f'<Choice value="{label}"/>' for label in LABELS)
    + "</Choices></View>"
)
VERBS = ("play", "buy", "paint")
WORDS = "red blue green song album coat boat small big wall house thing stop sell music now".split()
FEW = 20  # answers that nobody deletes one of
Truth = tuple[dict[int, tuple[int, str]], int]
"""Annotation -> its task and its label, without those skipped; and how many are skipped."""


def answer(label: str) -> list[dict[str, Any]]:
    value = {"choices": [label]}
    return [{"from_name": "topic", "to_name": "text", "type": "choices", "value": value}]


def said(result: object) -> str:
    """The one label of an answer."""
    assert isinstance(result, list)
    return str(result[0]["value"]["choices"][0])


def draw_text(draw: Random) -> str:
    return " ".join([draw.choice(VERBS), "the", *draw.choices(WORDS, k=6)])


@dataclass(frozen=True)
class Held:
    """A task as Label Studio holds it: its answers by annotation, those skipped, and the versions
    of its predictions."""

    task: int
    text: str
    answers: Mapping[int, str] = field(default_factory=dict)
    skipped: frozenset[int] = frozenset()
    versions: Sequence[str] = ()


class People(ABC):
    """Whoever works in a Label Studio."""

    project: str
    mood: int = 0

    @abstractmethod
    def held(self) -> list[Held]:
        """All that Label Studio holds now."""

    @abstractmethod
    def model_version(self) -> str:
        """What the project shows."""

    @abstractmethod
    def say(self, task: int, label: str, skip: bool = False) -> None: ...

    @abstractmethod
    def correct(self, annotation: int, label: str) -> None: ...

    @abstractmethod
    def take_back(self, annotation: int) -> None: ...

    @abstractmethod
    def remove(self, task: int) -> None: ...

    @abstractmethod
    def add(self, texts: Sequence[str]) -> None: ...

    def work(self, draw: Random, answers: int) -> None:
        """So many new answers, and an edit, a skip, a deletion, an import now and then."""
        held = self.held()
        free = [h for h in held if not h.answers and not h.skipped]
        given = [(a, h.task) for h in held for a in h.answers]
        chosen = draw.sample(free, min(answers + 1, len(free)))
        for h in chosen[:answers]:
            self.say(h.task, self.label_of(h.text))
        if draw.random() < 0.4 and len(chosen) > answers:
            self.say(chosen[-1].task, LABELS[0], skip=True)
        if draw.random() < 0.4 and given:
            self.correct(draw.choice(given)[0], draw.choice(LABELS))
        if draw.random() < 0.4 and len(given) > FEW:
            annotation, task = draw.choice(given)
            self.take_back(annotation) if draw.random() < 0.5 else self.remove(task)
        if len(free) < 12 or draw.random() < 0.3:
            self.add([draw_text(draw) for _ in range(6)])

    def change_their_minds(self) -> None:
        """Everybody means another label from now on, and corrects all that was said so far."""
        self.mood += 1
        for h in self.held():
            for annotation in h.answers:
                self.correct(annotation, self.label_of(h.text))

    def label_of(self, text: str) -> str:
        return LABELS[(VERBS.index(text.split()[0]) + self.mood) % len(LABELS)]

    def truth(self) -> Truth:
        """What people said, as far as it stands."""
        held = self.held()
        answers = {a: (h.task, label) for h in held for a, label in h.answers.items()}
        return answers, sum(len(h.skipped) for h in held)

    def shown(self) -> tuple[str, Mapping[int, Sequence[str]]]:
        """The project's model version, and the versions of the predictions of each open task."""
        return self.model_version(), {h.task: h.versions for h in self.held() if not h.answers}


class LeapingStudio(FakeStudio):
    """Its clock is the test's, and moves by leaps."""

    clock = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def leap(self) -> None:
        self.clock += timedelta(seconds=45)  # more than a pull looks back

    def now(self) -> datetime:
        self.clock += timedelta(microseconds=1)
        return self.clock


class ScriptedPeople(People):
    """Over the wire's studio; they hold its lock, since the wire answers in threads of its own."""

    def __init__(self, wire: Wire, studio: LeapingStudio) -> None:
        self.wire, self.studio, self.project = wire, studio, "1"

    def held(self) -> list[Held]:
        with self.wire.lock:
            return [
                Held(
                    number,
                    str(state.task.data["text"]),
                    {a.id: said(a.result) for a in state.annotations if not a.cancelled},
                    frozenset(a.id for a in state.annotations if a.cancelled),
                    [p.version for p in state.predictions],
                )
                for number, state in self.studio.tasks.items()
            ]

    def model_version(self) -> str:
        return self.studio.info.model_version

    def say(self, task: int, label: str, skip: bool = False) -> None:
        with self.wire.lock:
            self.studio.leap()
            self.studio.annotate(task, answer(label), cancelled=skip)

    def correct(self, annotation: int, label: str) -> None:
        with self.wire.lock:
            self.studio.leap()
            for a in [a for s in self.studio.tasks.values() for a in s.annotations]:
                if a.id == annotation:
                    self.studio.edit(a, answer(label))

    def take_back(self, annotation: int) -> None:
        with self.wire.lock:
            self.studio.leap()
            self.studio.delete_annotation(annotation)

    def remove(self, task: int) -> None:
        with self.wire.lock:
            self.studio.leap()
            del self.studio.tasks[task]

    def add(self, texts: Sequence[str]) -> None:
        with self.wire.lock:
            for text in texts:
                self.studio.leap()
                self.studio.add_task(text)
