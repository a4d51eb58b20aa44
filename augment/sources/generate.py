"""Another text with the same answers, written by a model after real ones of the same label.

The prompt is a list that the model goes on with: small bases continue better than they obey. Where
the config asks for spans, the lines carry them as marks (marked.py), and so must the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from augment.sources.clean import one_line, repeats
from augment.sources.marked import names_of, read_marked, unmarked, write_marked
from augment.sources.parents import answers_any, check_parents, keys_of
from augment.values import Made, Prompt
from label_config.conditions import hidden_controls
from label_config.controls import Control, Schema
from label_config.names import spell_out
from label_config.values import Choice, Example, Span

LONGEST = 800  # code points of a text, and...
ROOM = 4000  # ...of all that a prompt shows
_LEAD = "Texts about "

Names = Mapping[str, tuple[Control, str]]


def ask(
    example: Example,
    schema: Schema,
    constraint: str,
    alike: Sequence[Example],
    seed: int,
    unlike: Sequence[Example] = (),
    chat: bool = False,
) -> Prompt | None:
    """What a generator is asked, for a child with its parent's answers for the whole text (and
    spans of its own). `constraint`: how to write; `alike`: other rows with these answers; `unlike`:
    rows of the labels it could drift to. `chat`: it follows a message instead of completing a text.

    None where a number or a text is answered, or two texts are compared; where the task has several
    texts, one of several lines, or one longer than LONGEST; where nothing is answered; and where
    spans cannot be marked.
    """
    check_parents([example, *alike, *unlike])
    key = _key(example, schema)
    names = _names(example, schema)
    own = _line(example, schema, key, names) if key is not None else None
    if key is None or own is None:
        return None
    heading = headed(example, schema)
    shots = [_line(e, schema, key, names) for e in alike if headed(e, schema) == heading]
    room = ROOM - len(own)
    lines = [own]
    for line in dict.fromkeys(s for s in shots if s is not None and s != own):
        room -= len(line)
        if room >= 0:
            lines.insert(0, line)
    parts = [constraint.strip()] if constraint.strip() else []
    if names:
        parts.append("Parts of a text are marked as [words](label).")
    for other in unlike:
        shot, about = _line(other, schema, key, names), headed(other, schema)
        if shot is not None and about != heading and len(shot) <= room:
            room -= len(shot)
            parts.append(f"\n{_LEAD}{about}:\n- {shot}")
    parts.append(f"\n{_LEAD}{heading}:\n" + "\n".join(f"- {line}" for line in lines))
    if chat:
        parts.append("\nWrite one more text for the last list. Answer with the text alone.")
    else:
        parts.append("-")
    longest = max(len(line) for line in lines)
    return Prompt(
        parent=example.id,
        text="\n".join(parts),
        seed=seed,
        stop=() if chat else ("\n",),
        most_tokens=24 + longest // 2,
    )


def read(
    example: Example, schema: Schema, prompt: Prompt, text: str, generator: str | None = None
) -> Made | None:
    """The child: a new text, the parent's choices, the spans that it marks itself. None where the
    answer is no such line, repeats one of the prompt, or marks a label that the prompt shows
    nowhere; where it marks something and the parent has no span, or the other way round."""
    check_parents([example])
    key, names = _key(example, schema), _names(example, schema)
    if key is None or names is None:
        return None
    line = one_line(text, unmarked(example.texts[key]))
    if line is None or _LEAD.lower() in line.lower() or len(line) > 2 * LONGEST:
        return None
    told = {n: of for n, of in names.items() if f"]({n})" in prompt.text}
    got = read_marked(line, told) if names else (line, ())
    if got is None:
        return None
    said, spans = got
    before = [r for r in example.answers if isinstance(r, Span)]
    if repeats(said, unmarked(prompt.text), example.texts[key]) or bool(before) != bool(spans):
        return None
    kept = tuple(r for r in example.answers if not isinstance(r, Span))
    return Made(
        parent=example.id,
        texts={**example.texts, key: said},
        answers=(*kept, *spans),
        transform="generate",
        generator=generator,
        prompt=prompt.digest,
        seed=prompt.seed,
    )


def headed(example: Example, schema: Schema) -> str:
    """The answers for the whole text in words: what the list is about."""
    told = []
    chosen = [r for r in example.answers if isinstance(r, Choice)]
    for region in chosen:
        control = schema.control(region.from_name)
        if control is None:
            continue
        words = " and ".join(_called(control, example, value) for value in sorted(region.labels))
        several = len(chosen) > 1 or control.form == "ordinal"
        told.append(f"{spell_out(control.name)} {words}" if several else words)
    return "; ".join(told) or "the same thing"


def _called(control: Control, example: Example, value: str) -> str:
    if control.form == "ordinal":
        return f"{value} of {control.values[-1]}"
    labels = example.options.get(control.name, ()) if control.options else control.labels
    label = next((x for x in labels if x.value == value), None)
    if label is None:
        return f'"{spell_out(value)}"'
    hint = f" ({label.hint.strip()})" if label.hint and label.hint.strip() else ""
    return f'"{spell_out(label.shown)}"{hint}'


def _key(example: Example, schema: Schema) -> str | None:
    """The one text of an example that can have a child of this kind."""
    keys = keys_of(example, schema)
    whole = any(isinstance(r, (Choice, Span)) for r in example.answers)
    if len(keys) != 1 or not whole or answers_any(example, schema, "number", "text", "pair"):
        return None
    return keys[0] if schema.text_object(keys[0]).kind != "Paragraphs" else None


def _names(example: Example, schema: Schema) -> Names | None:
    """What may be marked in a child of it: the labels that were on offer for the example."""
    hidden = hidden_controls(schema, example.answers)
    asked = [c for c in schema.controls if c.form == "spans" and c.name not in hidden]
    return names_of(asked, example.unasked) if asked else {}


def _line(example: Example, schema: Schema, key: str, names: Names | None) -> str | None:
    text = example.texts.get(key, "")
    if names is None or not text.strip() or len(text.strip().splitlines()) > 1:
        return None
    line = write_marked(example, schema, key, names) if names else text
    return line.strip() if line is not None and len(line) <= LONGEST else None
