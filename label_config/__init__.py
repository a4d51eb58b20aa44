"""The words of the house: labelling XML as a Schema, `result` JSON as typed regions."""

from label_config.names import label_text, spell_out
from label_config.schema import InvalidConfig, read_schema
from label_config.snapshot_json import snapshot_from_json, snapshot_to_json
from label_config.values import (
    Annotation,
    Choice,
    Control,
    Correction,
    Example,
    InvalidValue,
    Label,
    Origin,
    Prediction,
    Region,
    Schema,
    Snapshot,
    Span,
    Task,
    Unsupported,
    answer_key,
)

__all__ = [
    "Annotation",
    "Choice",
    "Control",
    "Correction",
    "Example",
    "InvalidConfig",
    "InvalidValue",
    "Label",
    "Origin",
    "Prediction",
    "Region",
    "Schema",
    "Snapshot",
    "Span",
    "Task",
    "Unsupported",
    "answer_key",
    "label_text",
    "read_schema",
    "snapshot_from_json",
    "snapshot_to_json",
    "spell_out",
]
