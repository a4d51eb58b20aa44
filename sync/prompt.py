"""`annotune prompt`: what a causal base is asked about a task, and what it should answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from label_config import InvalidConfig, Region
from label_config.conditions import hidden_controls
from label_config.fetch import NotFetched
from label_config.wire import read_result, task_texts
from lora.causal.chat import Chat
from lora.causal.prompt import VERSION, Room, asks, completion
from lora.causal.show import chat_of
from settings import Settings
from sync.check import Unreadable
from sync.studio_values import StudioLike, TaskState
from sync.terms import Terms, read_terms


@dataclass(frozen=True)
class Question:
    """One control's (of a long text one window's): `shared` is what the questions of a row have in
    common, `lead` goes on, `answer` is what the annotation says (None: nothing)."""

    control: str
    shared: str
    lead: str
    answer: str | None
    tokens: int


@dataclass(frozen=True)
class Prompted:
    """The questions of one task, as the project's base is asked them."""

    project: str
    task: int
    base: str
    end: str
    questions: tuple[Question, ...]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "version": VERSION}

    def lines(self) -> list[str]:
        """The same for people: what questions share is shown once."""
        lines = [f"project {self.project}, task {self.task}, {self.base}, prompt {VERSION}"]
        before = ""
        for q in self.questions:
            if q.shared != before:
                lines += ["", f"--- {q.tokens} tokens", q.shared.rstrip("\n")]
            before = q.shared
            lines.append(q.lead + ("?" if q.answer is None else q.answer + self.end))
        return lines


def prompt(
    settings: Settings, studio: StudioLike, project: str, task: int | None = None
) -> Prompted:
    """The prompt of a task (None: the first one), in the base's own chat template.

    Raises Unreadable where there is no such task or nothing in it to ask about, BaseUnavailable
    where the project's base is no causal one, and StudioError.
    """
    try:
        terms = read_terms(settings, studio.project(project).config)
    except InvalidConfig as error:
        raise Unreadable(f"project {project}: {error}") from error
    chat, room = chat_of(terms.base)
    state = _task(studio, project, task)
    questions = tuple(_questions(terms, state, chat, room))
    if not questions:
        raise Unreadable(
            f"task {state.task.id} of project {project} has no text that a control asks about"
        )
    return Prompted(project, state.task.id, terms.base, chat.end, questions)


def _task(studio: StudioLike, project: str, task: int | None) -> TaskState:
    states = studio.changed_tasks(project, None)
    found = next((s for s in states if task in (None, s.task.id)), None)
    if found is None:
        raise Unreadable(
            f"project {project} has no task{'s' if task is None else f' {task}'}; "
            "name one of Label Studio's task ids"
        )
    return found


def _questions(terms: Terms, state: TaskState, chat: Chat, room: Room) -> Iterator[Question]:
    try:
        data = terms.fetched(state.task.data)
    except NotFetched as reason:
        raise Unreadable(f"task {state.task.id}: {reason}") from reason
    inputs = task_texts(terms.schema, data, terms.settings.backend.max_text).inputs
    kept = [a for a in state.annotations if not a.cancelled]
    answers: tuple[Region, ...] = ()
    if kept:
        last = max(kept, key=lambda a: (a.ground_truth, a.updated_at, a.id))
        answers = read_result(terms.schema, data, last.result).regions
    hidden = hidden_controls(terms.schema, answers)
    for ask in asks(chat, terms.schema, inputs, room):
        known = bool(kept) and ask.control.name not in hidden
        answer = completion(ask, answers) if known else None
        tokens = chat.count(ask.shared)
        yield Question(ask.control.name, ask.shared, ask.lead, answer, tokens)
