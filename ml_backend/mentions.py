"""In the editor: a span that the annotator has just drawn is suggested on its other mentions.

Label Studio's editor asks when a region is drawn or removed while "Auto-Annotation" is on, and
sends the regions of that label that stand (`context`). On texts it takes over whatever it is
answered at once, so nothing is answered but mentions that are surely meant: the same words, whole,
where nothing else is marked. A mention that was suggested once, or that stood and was taken away,
is never suggested again on that task: people's "no" holds. No model is needed, so a label that was
added a minute ago works as any other.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock

from label_config import Region, Schema, Span, Task
from label_config.wire import read_result, task_texts

MOST = 50  # mentions suggested at once
SHORTEST = 2  # code points of what is looked for elsewhere
KEEP = 2000  # tasks whose suggestions are remembered
FOR_S = 8 * 3600.0  # since somebody last drew on the task
DENSE = ((0x0E00, 0x0EFF), (0x1100, 0x11FF), (0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF))
"""Thai, Lao, Hangul, Kana and Han: a word there may begin beside any letter."""

Place = tuple[str, int, int]
"""A control, and where in its text."""


class Suggested:
    """What was suggested or stood on a task, so that it is not suggested again; of the tasks drawn
    on last. All of it can be lost: then a mention may come back once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tasks: OrderedDict[tuple[str, int], tuple[float, set[Place]]] = OrderedDict()
        self._lock = Lock()

    def known(self, task: Task) -> set[Place]:
        """Places that are not to be suggested on a task."""
        with self._lock:
            since, places = self._tasks.get((task.project, task.id), (0.0, set[Place]()))
            return set(places) if self._clock() - since < FOR_S else set()

    def note(self, task: Task, places: Iterable[Place]) -> None:
        """They stand now, or were suggested."""
        known = self.known(task) | set(places)
        with self._lock:
            self._tasks[task.project, task.id] = self._clock(), known
            self._tasks.move_to_end((task.project, task.id))
            while len(self._tasks) > KEEP:
                self._tasks.popitem(last=False)


def mentions(
    schema: Schema,
    task: Task,
    raw: Mapping[str, object],
    context: Mapping[str, object],
    told: Sequence[Region],
    suggested: Suggested,
) -> tuple[Span, ...]:
    """Spans to suggest beside those of the context, in the order of the text.

    `raw`: the task as it came, whose drafts and predictions say what else is or was marked; `told`:
    what the model says to the task, for the probability of a mention that it sees too.
    """
    drawn = _spans(schema, task, context.get("result"))
    if not drawn or not task.id:
        return ()
    places = {_place(s) for s in drawn}
    elsewhere = {_place(s) for r in _shown(raw) for s in _spans(schema, task, r)}
    taken = {*places, *elsewhere, *suggested.known(task)}
    texts = task_texts(schema, task.data).by_key
    scores = {(_place(r), r.labels): r.score for r in told if isinstance(r, Span)}
    found: list[Span] = []
    for span in sorted(drawn, key=lambda s: (s.start - s.end, s.start)):  # the longest first
        control = schema.control(span.from_name)
        text = texts.get(control.key, "") if control else ""
        for start in _other(text, span.text):
            end = start + len(span.text)
            if len(found) < MOST and not _overlaps((span.from_name, start, end), taken, schema):
                labels = span.labels
                score = scores.get(((span.from_name, start, end), labels))
                made = Span(span.from_name, span.to_name, start, end, span.text, labels, score)
                found.append(made)
                taken.add(_place(made))
    suggested.note(task, {*places, *(_place(s) for s in found)})
    return tuple(sorted(found, key=lambda s: (s.start, s.end)))


def _spans(schema: Schema, task: Task, result: object) -> list[Span]:
    if not isinstance(result, list):
        return []
    return [r for r in read_result(schema, task.data, result).regions if isinstance(r, Span)]


def _shown(raw: Mapping[str, object]) -> Iterator[object]:
    """The results of a task's drafts and predictions."""
    for key in ("drafts", "predictions"):
        some = raw.get(key)
        for one in some if isinstance(some, list) else ():
            if isinstance(one, Mapping):
                yield one.get("result")


def _place(span: Span) -> Place:
    return span.from_name, span.start, span.end


def _overlaps(place: Place, taken: Iterable[Place], schema: Schema) -> bool:
    """Whether something is marked there, by any control of the same text."""
    name, start, end = place
    control = schema.control(name)
    key = control.key if control else None
    for other, first, last in taken:
        beside = schema.control(other)
        if beside and beside.key == key and first < end and start < last:
            return True
    return False


def _other(text: str, words: str) -> Iterator[int]:
    """Where else the words stand as whole words; nothing of what is too short, or no word."""
    dense = any(_dense(c) for c in words)
    if len(words) < (1 if dense else SHORTEST) or not any(c.isalpha() for c in words):
        return
    start = text.find(words)
    while start >= 0:
        end = start + len(words)
        if not (
            _joined(text[start - 1 : start], words[0]) or _joined(words[-1], text[end : end + 1])
        ):
            yield start
        start = text.find(words, start + 1)


def _joined(left: str, right: str) -> bool:
    """Whether two neighbours are of one word."""
    if not left or not right or _dense(left) or _dense(right):
        return False
    return _in_word(left) and _in_word(right)


def _in_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _dense(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in DENSE)
