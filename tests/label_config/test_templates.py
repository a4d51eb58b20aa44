"""Each ready template reads, its sample tasks read, and the check says what it promises."""

from __future__ import annotations

import pytest

from label_config import InvalidValue, check, read_schema
from label_config.templates import load_template, template_names
from label_config.wire import task_texts

PREDICTED = {
    "clinical-entities": {"entities": "spans of 5 labels"},
    "contract-clauses": {"subjects": "any of 7 labels"},
    "note-summaries": {"summary": "a text, written by a causal base"},
    "product-mentions": {"mentions": "spans of 3 labels", "tone": "one of 3 labels"},
    "question-rewriting": {"rewritten": "a text, written by a causal base"},
    "support-intents": {"intent": "one of 7 labels", "urgency": "a rating from 1 to 3"},
    "transaction-fraud": {"verdict": "one of 3 labels", "signs": "any of 4 labels"},
}
NOTES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "clinical-entities": (("context", ()),),
    "support-intents": (("variant", ()), ("context", ())),
    "transaction-fraud": (("variant", ()), ("context", ())),
}


def test_all_templates_are_there() -> None:
    assert template_names() == tuple(sorted(PREDICTED))


@pytest.mark.parametrize("name", sorted(PREDICTED))
def test_a_template_reads_and_says_what_is_predicted(name: str) -> None:
    template = load_template(name)
    report = check(template.config)
    assert {v.name: v.form for v in report.verdicts if v.predicted} == PREDICTED[name]
    assert report.predicted == len(report.verdicts)
    assert tuple((n.role, n.warnings) for n in report.notes) == NOTES.get(name, ())
    assert not any(v.warnings for v in report.verdicts)
    assert template.about and len(template.tasks) == 3
    schema = read_schema(template.config)
    assert all(task_texts(schema, task).missing == () for task in template.tasks)
    assert all(line.startswith(("ANNOTUNE_", "#")) for line in template.settings.splitlines())
    served = schema.served_by("encoder")
    assert [u.reason for u in served.unsupported] == ["needs a causal base"] * (not served.controls)
    assert ("ANNOTUNE_TRAIN_BASE=smollm" in template.settings) is (not served.controls)


def test_a_name_that_is_none_lists_those_that_are() -> None:
    with pytest.raises(InvalidValue, match="contract-clauses, "):
        load_template("../templates/contract-clauses")
