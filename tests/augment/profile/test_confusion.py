import pytest

from augment.profile.confusion import accuracy, confusions, lower_bound, margin
from label_config.controls import Control, Label, Schema
from label_config.values import Choice, Example

SCHEMA = Schema(
    (
        Control("intent", "Choices", "text", "text", tuple(Label(v, v) for v in "abc")),
        Control("tags", "Choices", "text", "text", (Label("x", "x"), Label("y", "y")), True),
    )
)


def row(number: int, intent: str, tags: tuple[str, ...] = ()) -> Example:
    said = [Choice(name, "text", v) for name, v in (("intent", (intent,)), ("tags", tags)) if v]
    return Example(f"e{number}", number, f"g{number}", "train", {"text": "t"}, tuple(said))


def test_the_margin_is_ones_own_label_less_the_best_other() -> None:
    says = {"e1": {"intent": {"a": 0.2, "b": 0.7, "c": 0.1}}}
    assert margin(row(1, "b"), SCHEMA, says) == pytest.approx(0.5)
    assert margin(row(1, "a"), SCHEMA, says) == pytest.approx(-0.5)
    assert margin(row(1, "unknown"), SCHEMA, says) == pytest.approx(-0.7)
    assert margin(row(2, "b"), SCHEMA, says) is None


def test_of_several_labels_and_of_several_controls_the_worst_counts() -> None:
    tags = {"x": 0.9, "y": 0.4}
    assert margin(row(1, "a", ("x",)), SCHEMA, {"e1": {"tags": tags}}) == pytest.approx(0.2)
    assert margin(row(1, "a", ("x", "y")), SCHEMA, {"e1": {"tags": tags}}) == pytest.approx(-0.2)
    both = {"e1": {"intent": {"a": 1.0}, "tags": tags}}
    assert margin(row(1, "a", ("x", "y")), SCHEMA, both) == pytest.approx(-0.2)


def test_confusions_name_who_is_taken_for_whom_with_rows_and_mass() -> None:
    says = {
        "e1": {"intent": {"a": 0.2, "b": 0.8}},
        "e2": {"intent": {"a": 0.6, "b": 0.4}},
        "e3": {"intent": {"c": 1.0}},
    }
    rows = [row(1, "a"), row(2, "a"), row(3, "c"), row(4, "b")]
    (pair,) = confusions(rows, SCHEMA, says)
    assert (pair.true, pair.taken, pair.rows, pair.of, pair.mass) == ("a", "b", 1, 2, 0.6)
    assert accuracy(rows, SCHEMA, says) == (2, 3)


@pytest.mark.parametrize(("right", "of", "bound"), [(0, 0, 0.0), (0, 9, 0.0), (95, 100, 0.9008)])
def test_the_lower_bound_is_wilsons(right: int, of: int, bound: float) -> None:
    assert lower_bound(right, of) == pytest.approx(bound, abs=5e-4)
    assert lower_bound(right, of) <= (right / of if of else 0.0)
