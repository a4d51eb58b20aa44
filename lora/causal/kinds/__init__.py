"""The kinds of answer a causal base gives, each file with its writer and its reader, shared by
training, judging, serving and the cold start. `kind_of` finds a control's."""

from __future__ import annotations

from label_config.controls import Control, Form
from lora.causal.kinds.choice import One, Ordinal, Pair
from lora.causal.kinds.kind import Kind
from lora.causal.kinds.many import Many
from lora.causal.kinds.number import Number
from lora.causal.kinds.spans import Spans
from lora.causal.kinds.text import Text

_KINDS: dict[Form, Kind] = {
    "one": One(),
    "many": Many(),
    "ordinal": Ordinal(),
    "number": Number(),
    "pair": Pair(),
    "spans": Spans(),
    "text": Text(),
}


def kind_of(control: Control) -> Kind:
    """The kind that writes and reads for this control."""
    return _KINDS[control.form]
