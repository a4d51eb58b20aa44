"""The forms an answer can take: each file holds one form's rows, cold start, target, loss and
reading, shared by training, judging and serving. `form_of` finds a control's."""

from __future__ import annotations

from label_config.controls import Control
from label_config.controls import Form as FormName
from lora.forms.choice import Many, One
from lora.forms.form import Form
from lora.forms.number import Number
from lora.forms.ordinal import Ordinal
from lora.forms.pair import Pair
from lora.forms.spans import Spans

_FORMS: dict[FormName, Form] = {
    "one": One(),
    "many": Many(),
    "ordinal": Ordinal(),
    "number": Number(),
    "pair": Pair(),
    "spans": Spans(),
}


def form_of(control: Control) -> Form:
    """The form that reads and writes for this control."""
    return _FORMS[control.form]
