"""The labels of a control: from its children in the XML, or from a task's own data.

`LabelProblem` says in words why a control's labels cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from label_config.controls import Control, Label
from label_config.tree import Element, attributes, children
from label_config.usages import read_most

MAX_RATING = 100
MAX_OPTIONS = 1000
SEPARATOR = " / "


class LabelProblem(ValueError):
    """Why a control's labels cannot be read, and what would do: `reason`, `remedy`."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def flat_labels(element: Element, tag: str) -> tuple[Label, ...]:
    """<Choice> or <Label> children on one level; raises LabelProblem."""
    found = tuple(_label(child) for child in children(element, tag))
    return _unique(found, tag)


def tree_labels(element: Element, leaves_only: bool) -> tuple[Label, ...]:
    """Every selectable node of nested <Choice>s, with its path; raises LabelProblem."""
    return _unique(tuple(_walk(element, (), (), leaves_only)), "Choice")


def rating_labels(highest: str) -> tuple[Label, ...]:
    """ "1" up to maxRating; raises LabelProblem where that is no small whole number."""
    if len(highest) > 9 or not highest.strip().isdecimal() or not 1 <= int(highest) <= MAX_RATING:
        raise LabelProblem(
            f"maxRating={highest!r} is no whole number from 1 to {MAX_RATING}",
            f"set maxRating to 1..{MAX_RATING}",
        )
    return tuple(Label(str(n), str(n)) for n in range(1, int(highest) + 1))


def option_labels(control: Control, value: object) -> tuple[Label, ...] | str:
    """The labels that a task brings for a control, or the reason why there are none.

    Label Studio reads a list of objects with `value`, and optional `alias`, `hint` and, for trees,
    `children`; anything else in the list shows no label there and is left out here.
    """
    if not isinstance(value, list):
        return f"is {'absent' if value is None else type(value).__name__}, not a list of labels"
    paths = control.kind == "Taxonomy" or control.nested
    found: dict[str, Label] = {}
    for label in _walk_options(value, (), (), paths, control.nested):
        found.setdefault(label.value, label)
        if len(found) > MAX_OPTIONS:
            return f"brings more than {MAX_OPTIONS} labels"
    return tuple(found.values()) or "brings no labels"


def _walk_options(
    raw: list[object],
    path: tuple[str, ...],
    shown: tuple[str, ...],
    nested: bool,
    leaves: bool,
) -> Iterator[Label]:
    for item in raw:
        value = item.get("value") if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or not isinstance(value, str) or not value:
            continue
        alias = item.get("alias")
        stored = alias if isinstance(alias, str) and alias else value
        hint = item.get("hint") or item.get("description")
        here, seen = (*path, stored), (*shown, value)
        below = item.get("children")
        under: tuple[Label, ...] = ()
        if nested and isinstance(below, list) and len(path) < 20:
            under = tuple(_walk_options(below, here, seen, nested, leaves))
        if not (leaves and under):
            yield Label(
                SEPARATOR.join(here) if nested else stored,
                SEPARATOR.join(seen) if nested else value,
                hint if isinstance(hint, str) else None,
                here if nested else (),
            )
        yield from under


def _walk(
    element: Element, path: tuple[str, ...], shown: tuple[str, ...], leaves_only: bool
) -> Iterator[Label]:
    for child in children(element, "Choice"):
        label = _label(child)
        here, seen = (*path, label.value), (*shown, label.shown)
        below = tuple(_walk(child, here, seen, leaves_only))
        if not (leaves_only and below):
            yield Label(SEPARATOR.join(here), SEPARATOR.join(seen), label.hint, here)
        yield from below


def _label(element: Element) -> Label:
    attr = attributes(element)
    shown, alias = attr.get("value", ""), attr.get("alias", "")
    if not (alias or shown):
        raise LabelProblem(
            "two of its labels are the same, or one is empty", "give each label a value of its own"
        )
    if shown.startswith("$"):
        raise LabelProblem(
            f"the name of its label {shown!r} comes from each task",
            'write the names into the config, or bring all labels by value="$key"',
        )
    if shown and element.attrib.get("name"):  # a prediction with it would be a 400
        raise LabelProblem(
            f"its label {shown!r} has a name, so Label Studio takes it for no label",
            "take name= off the label; what is stored is its value or alias",
        )
    hint = attr.get("hint") or attr.get("description")
    most = read_most(attr)
    return Label(value=alias or shown, shown=shown or alias, hint=hint or None, most=most)


def _unique(found: tuple[Label, ...], tag: str) -> tuple[Label, ...]:
    if not found:
        raise LabelProblem("it lists no labels", f"add <{tag}> children")
    if len({label.value for label in found}) < len(found):
        raise LabelProblem(
            "two of its labels are the same, or one is empty", "give each label a value of its own"
        )
    return found
