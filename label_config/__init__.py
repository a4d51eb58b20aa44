"""The words of the house: labelling XML as a Schema, `result` JSON as typed regions."""

from label_config.check import Report, check, report_lines
from label_config.conditions import drop_hidden
from label_config.controls import (
    Admin,
    BaseKind,
    Condition,
    Control,
    InvalidValue,
    Label,
    Note,
    Schema,
    TextObject,
    Unsupported,
)
from label_config.names import label_text, spell_out
from label_config.schema import InvalidConfig, read_schema
from label_config.snapshot_json import snapshot_from_json, snapshot_to_json
from label_config.values import (
    Annotation,
    Choice,
    Correction,
    Example,
    Inputs,
    Origin,
    Prediction,
    Quantity,
    Region,
    Snapshot,
    Span,
    Task,
    Written,
    answer_key,
)

__all__ = [
    "Admin",
    "Annotation",
    "BaseKind",
    "Choice",
    "Condition",
    "Control",
    "Correction",
    "Example",
    "Inputs",
    "InvalidConfig",
    "InvalidValue",
    "Label",
    "Note",
    "Origin",
    "Prediction",
    "Quantity",
    "Region",
    "Report",
    "Schema",
    "Snapshot",
    "Span",
    "Task",
    "TextObject",
    "Unsupported",
    "Written",
    "answer_key",
    "check",
    "drop_hidden",
    "label_text",
    "read_schema",
    "report_lines",
    "snapshot_from_json",
    "snapshot_to_json",
    "spell_out",
]
