"""visibleWhen: which controls are shown only under a condition, and whose answers then count.

As Label Studio 1.23.2 has it (mixins/Visibility.js, regions/Result.js): choices are matched by
alias or value, of a path the last part; an answer of a hidden control does not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from label_config.controls import Condition, Control, Schema
from label_config.tree import Element, ancestors, attributes
from label_config.values import Choice, Region

CONDITIONAL = {"View", "Choices", "Taxonomy", "TextArea"}


class ConditionProblem(ValueError):
    """Why a condition cannot be followed, and what would do: `reason`, `remedy`."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def read_conditions(element: Element) -> tuple[Condition, ...]:
    """The conditions on a control and on every <View> around it; raises ConditionProblem.

    Of controls the editor heeds them on Choices, Taxonomy and TextArea alone.
    """
    return tuple(
        condition
        for node in ancestors(element)
        if node.tag in CONDITIONAL
        if (condition := _condition(attributes(node))) is not None
    )


def _condition(attr: dict[str, str]) -> Condition | None:
    when, values = attr.get("visiblewhen", ""), attr.get("whenchoicevalue", "")
    if when == "no-region-selected" or not (when or values):
        return None
    if when == "region-selected":
        raise ConditionProblem(
            "visibleWhen shows it for a selected region, an answer for each span",
            "drop visibleWhen, so that it asks about the whole text",
        )
    if when not in {"choice-selected", "choice-unselected", ""}:
        raise ConditionProblem(
            f"visibleWhen={when!r} is not known", "use choice-selected or choice-unselected"
        )
    control = attr.get("whentagname", "")
    if not control:
        raise ConditionProblem(
            "its visibleWhen names no control", 'name the control in whenTagName="..."'
        )
    chosen = tuple(v for v in values.split(",") if v)
    return Condition(control, chosen, when != "choice-unselected")


def follow_conditions(
    controls: Iterable[Control],
) -> tuple[tuple[Control, ...], tuple[tuple[Control, str], ...]]:
    """The controls with their conditions' values as stored labels, and those that depend on a
    control that is not predicted (with its name)."""
    kept = list(controls)
    lost: list[tuple[Control, str]] = []
    while True:
        names = {c.name for c in kept if c.form in {"one", "many"}}
        bad = next(((c, w.control) for c in kept for w in c.when if w.control not in names), None)
        if bad is None:
            return tuple(_stored(c, kept) for c in kept), tuple(lost)
        kept.remove(bad[0])
        lost.append(bad)


def _stored(control: Control, controls: list[Control]) -> Control:
    if not control.when:
        return control
    by_name = {c.name: c for c in controls}
    when = tuple(
        replace(w, values=_expand(w.values, by_name[w.control])) if w.values else w
        for w in control.when
    )
    return replace(control, when=when)


def _expand(values: tuple[str, ...], control: Control) -> tuple[str, ...]:
    """The stored labels that names in whenChoiceValue mean; a name of none stays as it is."""
    out: list[str] = []
    for value in values:
        meant = [
            label.value
            for label in control.labels
            if value in {label.value, label.shown, *label.path[-1:], _last(label.shown, label.path)}
        ]
        out += meant or [value]
    return tuple(dict.fromkeys(out))


def _last(shown: str, path: tuple[str, ...]) -> str:
    return shown.rsplit(" / ", 1)[-1] if path else shown


def drop_hidden(schema: Schema, regions: Iterable[Region]) -> tuple[Region, ...]:
    """The regions without the answers of controls that these answers leave hidden.

    The answer of a hidden control shows nothing either; conditions that go round in a circle hide
    nothing by themselves.
    """
    kept = tuple(regions)
    hidden = hidden_controls(schema, kept)
    return tuple(r for r in kept if r.from_name not in hidden)


def hidden_controls(schema: Schema, regions: Iterable[Region]) -> frozenset[str]:
    """The names of the controls that these answers leave hidden: nobody was asked for them."""
    answers: dict[str, set[str]] = {}
    for region in regions:
        if isinstance(region, Choice):
            answers.setdefault(region.from_name, set()).update(region.labels)
    conditional = [c for c in schema.controls if c.when]
    return frozenset(c.name for c in conditional if not _shown(schema, c, answers, frozenset()))


def _shown(
    schema: Schema, control: Control, answers: dict[str, set[str]], asked: frozenset[str]
) -> bool:
    for condition in control.when:
        other = schema.control(condition.control)
        hidden = (
            other is not None
            and other.name not in asked
            and not _shown(schema, other, answers, asked | {control.name})
        )
        given = set() if hidden else answers.get(condition.control, set())
        chosen = bool(given & set(condition.values)) if condition.values else bool(given)
        if chosen != condition.chosen:
            return False
    return True
