"""Other names and figures in the same sentence: what a span holds, and what it counts.

A span's text is exchanged for another that people marked with the same label, said behind the same
kind of word, in a row with the same answers for the whole text: a merchant is another merchant of
the same category. Figures keep their format (figures.py). Offsets are recomputed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augment.sources.figures import figures
from augment.sources.parents import answers_any, check_parents, keys_of
from augment.spans import Edit, clusters, edited, spans_in
from augment.values import Made
from label_config.controls import Schema
from label_config.values import Example, Span, answer_key

MOST = 80  # code points of a form; a longer one is a passage, not a name
_LED_BY = frozenset(
    "in on at to from by for of with near around until since before after about as and or "
    "is are named called".split()
)
_ARTICLES, _OWNERS = frozenset({"a", "an", "the"}), frozenset("my your his her our their".split())
_SINGLE = frozenset({"1", "one"})
_WORD_BEFORE = re.compile(r"(\w+)\W{0,2}\Z")


@dataclass(frozen=True)
class Forms:
    """What people marked, by control, label, the word before it and the rows' other answers."""

    seen: Mapping[tuple[object, ...], tuple[str, ...]]

    def of(self, example: Example, span: Span, text: str) -> tuple[str, ...]:
        """The forms that could stand in this span's place, its own included."""
        return self.seen.get(_place(example, span, text), ())


def forms_of(rows: Sequence[Example], schema: Schema) -> Forms:
    """The forms of all spans that stand alone with one label; `rows`: human train rows, else
    InvalidValue is raised."""
    check_parents(rows)
    seen: dict[tuple[object, ...], dict[str, None]] = {}
    for row in rows:
        for key in keys_of(row, schema):
            for span in _alone(row, schema, key):
                seen.setdefault(_place(row, span, row.texts[key]), {})[span.text] = None
    return Forms({place: tuple(forms) for place, forms in seen.items()})


def substitute(example: Example, schema: Schema, forms: Forms, rng: random.Random) -> Made | None:
    """A child with other names in one span or more, and other figures; each answer is kept.

    None where nothing can be exchanged; where a number or a text is answered, or two texts are
    compared: these may speak of what would be exchanged.
    """
    check_parents([example])
    if answers_any(example, schema, "number", "text", "pair"):
        return None
    texts, answers = dict(example.texts), example.answers
    known: dict[str, str] = {}
    for key in keys_of(example, schema):
        text = texts[key]
        names = _names(example, schema, key, forms, rng)
        borders = {at for s in spans_in(answers, schema, key) for at in (s.start, s.end)}
        whole = [
            e
            for e in figures(text, known, rng)
            if not any(e.start < n.end and n.start < e.end for n in names)
            and not any(e.start < at < e.end for at in borders)
        ]
        done = edited(texts, answers, schema, key, [*names, *whole])
        if done is None:
            return None
        texts, answers = done
    if texts == example.texts:
        return None
    return Made(example.id, texts, answers, "substitute")


def _names(
    example: Example, schema: Schema, key: str, forms: Forms, rng: random.Random
) -> list[Edit]:
    text = example.texts[key]
    spans = _alone(example, schema, key)
    said = {s.text.casefold() for s in spans}
    rng.shuffle(spans)
    edits: list[Edit] = []
    for span in spans:
        new = [f for f in forms.of(example, span, text) if f.casefold() not in said]
        new = [f for f in (_cased(f, span, text) for f in new) if f and _fits(f, span, text)]
        once = len(re.findall(rf"(?<!\w){re.escape(span.text)}(?!\w)", text, re.I)) == 1
        if not new or not once or (edits and rng.random() < 0.5):
            continue
        edits.append(Edit(span.start, span.end, rng.choice(new)))
        said.add(edits[-1].text.casefold())
    return edits


def _alone(example: Example, schema: Schema, key: str) -> list[Span]:
    """The spans that overlap no other, with one label, of a line."""
    lone = [
        members[0]
        for _, members in clusters(spans_in(example.answers, schema, key))
        if len(members) == 1
    ]
    return [
        s
        for s in lone
        if len(s.labels) == 1
        and s.text == s.text.strip() == example.texts[key][s.start : s.end]
        and "\n" not in s.text
        and len(s.text) <= MOST
    ]


def _place(example: Example, span: Span, text: str) -> tuple[object, ...]:
    others = frozenset(answer_key(r) for r in example.answers if not isinstance(r, Span))
    return span.from_name, span.labels, _led_by(text, span.start), others


def _led_by(text: str, start: int) -> str:
    m = _WORD_BEFORE.search(text[:start])
    word = m.group(1).lower() if m else ""
    if word in _ARTICLES:
        return "the"
    if word in _OWNERS:
        return "my"
    return word if word in _LED_BY else ("*" if word else "")


def _cased(form: str, span: Span, text: str) -> str | None:
    """The form as this text writes: small where it has no capital; None where a name would stand
    in for a common word, or the other way round."""
    if text.islower():
        return form.lower()
    return form if _big(form) == _big(span.text) else None


def _big(words: str) -> bool:
    return next((c.isupper() for c in words if c.isalpha()), False)


def _fits(form: str, span: Span, text: str) -> bool:
    """Whether it fits the words around: `a` or `an`, one or several, digits for digits."""
    old, before = span.text, _WORD_BEFORE.search(text[: span.start])
    article = before.group(1).lower() if before else ""
    if article in _ARTICLES and form.split()[0].lower() in _ARTICLES | _OWNERS:
        return False
    if article in {"a", "an"} and (form[0].lower() in "aeiou") != (old[0].lower() in "aeiou"):
        return False
    if any(c.isdigit() for c in form) != any(c.isdigit() for c in old):
        return False
    if (form.lower() in _SINGLE) != (old.lower() in _SINGLE):  # "1 points"
        return False
    common = form.islower() and old.islower() and not text.islower()
    return not common or form.endswith("s") == old.endswith("s")
