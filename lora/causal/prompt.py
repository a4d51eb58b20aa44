"""Tasks become prompts, and gold answers what a model should say to them.

The system message says what may be answered, the user's holds the task's texts, and the assistant
answers one control, `NAME: ANSWER`. Training, judging, serving and the cold start share it. Knows
no torch, so whoever has the tokenizer can show a prompt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from label_config.controls import Control, Schema
from label_config.values import Inputs, Region
from lora.causal.ask import Ask, Option
from lora.causal.chat import Chat
from lora.causal.kinds import kind_of
from lora.causal.kinds.choice import LEFT, RIGHT
from lora.causal.kinds.words import Listing, listed, offered, one_line
from lora.causal.texts import quotable, readable, shortened, windows

__all__ = [
    "VERSION",
    "Ask",
    "Chat",
    "Option",
    "Room",
    "as_asked",
    "asks",
    "completion",
    "names_labels",
    "room_for",
]

VERSION = 1
"""Of the prompt's form: an adapter is served with the one it was trained on."""

TASK = "Annotate the text. Answer only in this form:"
LISTED_FROM = 1024
"""Hidden size from which a base is told the labels. Smaller ones repeat what they have just read:
zero-label accuracy of SmolLM2-135M (576) on 96 SNIPS train rows, calibrated by the mean log p, is
.67 to .75 without a list and .27 to .65 with one, wherever it stands (se .05). Their grammar and
their options name the labels anyway."""
_LISTINGS: tuple[Listing, ...] = ("hints", "names", "count")
LEAST = 16  # code points of text that a prompt has whatever room there is


@dataclass(frozen=True)
class Room:
    """How much a prompt may hold. In code points: `text` of all texts together, `window` of one
    window of spans, `overlap` of two, `labels` of the system message. `tokens`: of the whole
    prompt. `listed`: whether the labels are told at all."""

    tokens: int = 1536
    text: int = 3072
    window: int = 1600
    overlap: int = 160
    labels: int = 3072
    listed: bool = True


def room_for(max_tokens: int, hidden: int = LISTED_FROM) -> Room:
    """The room in a context of so many tokens, of which a quarter, 512 at most, is the answer's.
    `hidden`: the base's size of hidden states; a small base is not told the labels' names."""
    tokens = max_tokens - min(512, max_tokens // 4)
    window = min(1600, 2 * tokens)
    return Room(tokens, 2 * tokens, window, window // 10, 2 * tokens, hidden >= LISTED_FROM)


def asks(chat: Chat, schema: Schema, inputs: Inputs, room: Room) -> list[Ask]:
    """The questions of one row, in the order of the controls. A control whose texts are blank, or
    whose options the task does not bring, is not asked; of a long text spans are asked about
    window by window."""
    page = _Page(chat, schema, inputs, room)
    return [
        Ask(
            control,
            shared,
            f"{chat.plain(one_line(control.name))}: ",
            chat.plain(quotable(text)) if control.form == "spans" else "",
            text,
            offset,
            _plain(chat, control, inputs),
        )
        for control in schema.controls
        if page.answers(control)
        for shared, text, offset in page.parts(control)
    ]


def completion(ask: Ask, answers: Sequence[Region]) -> str | None:
    """The right answer of a question; None: not answered."""
    return kind_of(ask.control).write(ask, answers)


def as_asked(schema: Schema, unasked: Mapping[str, Collection[str]]) -> Schema:
    """The schema without the labels that were not on offer yet; a control of which all came later
    stays as it is."""
    return replace(schema, controls=tuple(_without(c, unasked) for c in schema.controls))


def _without(control: Control, unasked: Mapping[str, Collection[str]]) -> Control:
    late = unasked.get(control.name, ())
    kept = tuple(label for label in control.labels if label.value not in late)
    return replace(control, labels=kept) if kept and len(kept) < len(control.labels) else control


def names_labels(ask: Ask) -> bool:
    """Whether the prompt says which labels may be answered."""
    c = ask.control
    return any(kind_of(c).describe(c, listing) in ask.shared for listing in _LISTINGS[:-1])


class _Page:
    """One task's prompts: of the whole task, and of windows of its long texts."""

    def __init__(self, chat: Chat, schema: Schema, inputs: Inputs, room: Room) -> None:
        self._chat, self._schema, self._inputs, self._room = chat, schema, inputs, room
        self._system = chat.plain(_system(schema, room))
        texts = {key: inputs.texts.get(key, "") for key in schema.keys}
        self._texts = {key: text for key, text in texts.items() if text.strip()}
        self._names = _key_names(schema)
        self._whole: tuple[str, bool] | None = None
        self._windows: dict[str, list[tuple[str, str, int]]] = {}

    def answers(self, control: Control) -> bool:
        """Whether there is something to ask about, and something to answer."""
        there = all(key in self._texts for key in control.keys)
        return there and (control.options is None or bool(offered(control, self._inputs)))

    def parts(self, control: Control) -> list[tuple[str, str, int]]:
        """(prompt, text, where it begins) of each question that a control needs."""
        if self._whole is None:
            self._whole = self._of_task()
        shared, complete = self._whole
        text = self._texts[control.key]
        if control.form != "spans" or (complete and len(text) <= self._room.window):
            return [(shared, text, 0)]
        if control.key not in self._windows:
            self._windows[control.key] = self._of_windows(control.key, text)
        return self._windows[control.key]

    def _of_task(self) -> tuple[str, bool]:
        """The prompt with all texts, and whether they are complete in it."""
        texts = {key: readable(text) for key, text in self._texts.items()}
        room = self._room.text
        extra = list(self._brought())
        while True:
            shown = shortened(texts, room)
            prompt = self._prompt(shown, extra)
            if room <= LEAST or self._fits(prompt):
                return prompt, shown == texts
            room = max(LEAST, min(room, sum(map(len, shown.values()))) * 2 // 3)

    def _of_windows(self, key: str, text: str) -> list[tuple[str, str, int]]:
        size = self._room.window
        while True:
            places = windows(text, size, min(self._room.overlap, size // 4))
            parts = [(self._prompt({key: readable(text[a:b])}), text[a:b], a) for a, b in places]
            if size <= LEAST or all(self._fits(prompt) for prompt, _, _ in parts):
                return parts
            size = max(LEAST, size // 2)

    def _brought(self) -> Iterator[str]:
        """The options that the task brings, which the system message cannot know."""
        for control in self._schema.controls if self._room.listed else ():
            if control.options is not None and self.answers(control):
                labels = offered(control, self._inputs)
                told = (listed(labels, listing) for listing in _LISTINGS)
                words = next((t for t in told if len(t) <= self._room.labels // 2), "")
                yield f"options of {one_line(control.name)}{words}"

    def _prompt(self, texts: Mapping[str, str], extra: Sequence[str] = ()) -> str:
        lines = [f"{self._names[key]}: {text}" for key, text in texts.items()]
        return self._chat.prefix(self._system, self._chat.plain("\n".join([*lines, *extra])))

    def _fits(self, prompt: str) -> bool:
        """No tokenizer makes more tokens than bytes, so most prompts need no counting."""
        room = self._room.tokens
        return len(prompt.encode()) <= room or self._chat.count(prompt) <= room


@lru_cache(maxsize=64)
def _system(schema: Schema, room: Room) -> str:
    """What may be answered: with hints, where that is too long without, else without labels."""
    text = ""
    for listing in _LISTINGS if room.listed else _LISTINGS[-1:]:
        named = [(_called(schema, c), kind_of(c).describe(c, listing)) for c in schema.controls]
        text = "\n".join([TASK, *(f"{name}: {words}" for name, words in named)])
        if len(text) <= room.labels:
            break
    return text


def _called(schema: Schema, control: Control) -> str:
    """A control's name, and the text it asks about where a task has several."""
    name = one_line(control.name)
    names = _key_names(schema)
    if len(names) < 2 or (control.right_key and names[control.key] == LEFT):
        return name
    return f"{name} ({', '.join(names[key] for key in control.keys)})"


@lru_cache(maxsize=64)
def _key_names(schema: Schema) -> dict[str, str]:
    """What each text is called: its data key, of one compared pair `left` and `right`."""
    pairs = {c.keys for c in schema.controls if c.right_key is not None}
    names = {key: one_line(key) or "text" for key in schema.keys}
    if len(pairs) == 1:
        names.update(zip(next(iter(pairs)), (LEFT, RIGHT), strict=True))
    return names


def _plain(chat: Chat, control: Control, inputs: Inputs) -> tuple[Option, ...]:
    return tuple(
        Option(o.value, chat.plain(o.words)) for o in kind_of(control).options(control, inputs)
    )
