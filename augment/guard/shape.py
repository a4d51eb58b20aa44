"""Shape: a child is a row that an annotator could have made of this project's label config."""

from __future__ import annotations

import unicodedata

from augment.guard.values import RESTATING, Context, Thresholds, family
from augment.values import Made
from label_config.conditions import hidden_controls
from label_config.controls import Control
from label_config.values import Choice, Example, Quantity, Region, Span, Written, answer_key


def shape(made: Made, context: Context, _: Thresholds) -> str | None:
    """Why it is no valid row of the schema, or no child of an original."""
    parent = context.parents.get(made.parent)
    if parent is None:
        return f"its parent {made.parent} is none of the {len(context.originals)} originals"
    return (
        _texts(made, parent)
        or _answers(made, parent, context)
        or (_kept_answers(made, parent) if family(made.transform) in RESTATING else None)
    )


def _texts(made: Made, parent: Example) -> str | None:
    if set(made.texts) != set(parent.texts):
        other = sorted(set(made.texts) ^ set(parent.texts))
        return f"{len(other)} data key(s) are not its parent's or missing: {other}"
    for key, text in made.texts.items():
        if not text.strip():
            return f"the text of {key!r} has {len(text)} code points and all are blank"
        bad = sum(map(_broken, text))
        if bad:
            return f"the text of {key!r} has {bad} code point(s) that no text has"
    return None


def _broken(char: str) -> bool:
    """Half a surrogate pair, a control character but white space, or the mark of a lost one."""
    return char == "\ufffd" or (
        unicodedata.category(char) in {"Cs", "Cc", "Cn"} and char not in "\t\n\r\x0b\x0c\x85"
    )


def _answers(made: Made, parent: Example, context: Context) -> str | None:
    if not made.answers and parent.answers:
        return f"it has 0 answers, its parent {len(parent.answers)}"
    seen: set[str] = set()
    for region in made.answers:
        control = context.schema.control(region.from_name)
        if control is None or region.to_name != control.to_name:
            return f"1 answer is of {region.from_name!r} on {region.to_name!r}, no known control"
        if region.from_name in seen and not isinstance(region, Span):
            return f"control {region.from_name!r} is answered 2 times"
        seen.add(region.from_name)
        why = _region(region, control, parent)
        if why:
            return why
    hidden = sorted(hidden_controls(context.schema, made.answers) & seen)
    return f"{len(hidden)} hidden control(s) are answered: {hidden}" if hidden else None


def _region(region: Region, control: Control, parent: Example) -> str | None:
    if isinstance(region, Quantity):
        return _number(region, control)
    if isinstance(region, Written):
        return None if control.form == "text" else _foreign(region, control)
    spans = isinstance(region, Span)
    if spans != (control.form == "spans") or control.form in {"number", "text"}:
        return _foreign(region, control)
    offered = {x.value for x in parent.options.get(control.name, ())} | set(control.values)
    late = set(parent.unasked.get(control.name, ()))
    foreign = sorted(set(region.labels) - (offered - late))
    if foreign:
        return f"{len(foreign)} label(s) were not on offer for {control.name!r}: {foreign}"
    several = isinstance(region, Choice) and control.form != "many" and len(region.labels) > 1
    return f"{control.name!r} has {len(region.labels)} labels and takes 1" if several else None


def _foreign(region: Region, control: Control) -> str:
    return f"1 answer of {control.name!r}, a {control.kind}, is a {type(region).__name__}"


def _number(region: Quantity, control: Control) -> str | None:
    if control.form != "number":
        return _foreign(region, control)
    low = -float("inf") if control.low is None else control.low
    high = float("inf") if control.high is None else control.high
    if not low <= region.value <= high:
        return f"the number of {control.name!r} is {region.value}, outside {low} to {high}"
    return None


def _kept_answers(made: Made, parent: Example) -> str | None:
    """A transform that says the same again keeps every answer; spans, which move, are another
    filter's."""
    own = {answer_key(r) for r in made.answers if not isinstance(r, Span)}
    asked = {answer_key(r) for r in parent.answers if not isinstance(r, Span)}
    changed = len(own ^ asked)
    return (
        f"{changed} answer(s) differ from its parent's, and it only restates it"
        if changed
        else None
    )
